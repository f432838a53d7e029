/*
 * Parses the head of one HTTP/1 request. Pure: no loop, no clock, no log.
 *
 * llhttp parses the grammar. Some llhttp versions accept input that two parsers may read differently (RFC
 * 9112, 2.2, 3.2, 5.1, 5.2, 6.1). The bytes are therefore checked first. Refused are a bare CR or LF, NUL,
 * obs-fold, a blank before the colon, Content-Length together with Transfer-Encoding, and a head without
 * exactly one Host. A request with a body is refused: nothing on this server takes one.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Most bytes of the request line and the headers, including the empty line. */
#define REQUEST_HEAD_MAX (16 * 1024)

enum request_method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

/* The headers that the program uses. The table in request.c has their names. */
enum request_header {
    HEADER_ACCEPT,
    HEADER_ACCEPT_ENCODING,
    HEADER_AUTHORIZATION,
    HEADER_SCRAPE_TIMEOUT, /* X-Prometheus-Scrape-Timeout-Seconds */
    HEADER_USER_AGENT,
    REQUEST_HEADERS
};

/*
 * Slices point into the parsed bytes, with two exceptions. The path of an absolute form without a path
 * ("http://host") is the static text "/". A list that came in several lines is joined in the reader's memory.
 */
struct request {
    enum request_method method;
    /* Target as sent: "/scrape?target=a%3A1"; for an absolute form, without scheme and host. */
    struct slice target;
    struct slice path;  /* the target up to '?', still percent-encoded; begins with '/' or is "*" */
    struct slice query; /* the bytes after '?', still percent-encoded */

    /*
     * The values of the headers, trimmed. `len` is 0 if a header is absent or empty. Several lines of a list
     * (Accept, Accept-Encoding) are joined to one list (RFC 9110, 5.3). For any other header the first line
     * counts.
     */
    struct slice headers[REQUEST_HEADERS];
    unsigned char minor; /* minor version of HTTP/1.x: 0 or 1 */
    /* True if the client wants to keep the connection, by version and Connection header. */
    bool keep_alive;
};

/*
 * The progress of checking one request head. It holds offsets, not pointers, because the bytes may move
 * between two calls. A reader handles one request; request_reader_reset prepares it for the next one.
 */
struct request_reader {
    /* Offset of the first line that is not complete yet. */
    size_t line;
    size_t seen;                                         /* number of bytes already scanned */
    size_t start;                                        /* offset of the request line */
    size_t method_len;                                   /* 0 until the request line is complete */
    unsigned hosts, content_lengths, transfer_encodings; /* number of lines with each header */
    bool bad_length, has_body;                           /* what the Content-Length lines said */
    struct buffer joined[REQUEST_HEADERS];               /* lists that came in several lines */
};

enum request_outcome {
    REQUEST_DONE,   /* the head is complete and takes *consumed bytes; the next request follows them */
    REQUEST_MORE,   /* the head is not complete yet */
    REQUEST_REFUSED /* the caller must answer with refusal->status and close */
};

struct request_refusal {
    int status;      /* 400, 413, 431 or 505; not for an unknown method, which is METHOD_OTHER */
    const char *why; /* one line for the body, without a newline; static */
};

void request_reader_init(struct request_reader *reader);

/*
 * Frees the joined lists and prepares the reader for the next request. Slices of the last request become
 * invalid.
 */
void request_reader_reset(struct request_reader *reader);

/*
 * Parses `bytes`: all bytes that have arrived and are not consumed. After REQUEST_MORE, call it again with
 * the same bytes and the new ones behind them. Each byte is checked only once. After any other outcome, reset
 * the reader. A bad line is refused as soon as it is complete. A head of more than REQUEST_HEAD_MAX bytes is
 * refused (431), even before it ends. Empty lines before the request line are skipped (RFC 9112, 2.2).
 */
enum request_outcome request_read(struct request_reader *reader, struct request *request, struct slice bytes,
                                  size_t *consumed, struct request_refusal *refusal);

#endif
