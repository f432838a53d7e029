/*
 * Bytes to one HTTP/1 request head. Pure: no loop, no clock, no log.
 *
 * The grammar is llhttp's. Before llhttp sees a head, its bytes are checked for what some llhttp
 * versions let through and what lets two parsers disagree (RFC 9112, 2.2, 3.2, 5.1, 5.2, 6.1): a bare CR or
 * LF, NUL, obs-fold, a blank before the colon, Content-Length beside Transfer-Encoding, no Host or two. A
 * request with a body is refused: nothing that this server offers takes one.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Request line and headers together, the empty line included. */
#define REQUEST_HEAD_MAX (16 * 1024)

enum request_method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

/* The headers that somebody asks for. The table in request.c names them. */
enum request_header {
    HEADER_ACCEPT,
    HEADER_ACCEPT_ENCODING,
    HEADER_AUTHORIZATION,
    HEADER_SCRAPE_TIMEOUT, /* X-Prometheus-Scrape-Timeout-Seconds */
    HEADER_USER_AGENT,
    REQUEST_HEADERS
};

/*
 * Every slice points into the bytes that were parsed, but for two: the path "/" of an absolute form that has
 * none ("http://host") is static, and a list that came in several lines is joined in the reader's memory.
 */
struct request {
    enum request_method method;
    struct slice target; /* as sent: "/scrape?target=a%3A1"; of an absolute form, from the path on */
    struct slice path;   /* target up to '?', still percent-encoded; begins with '/' or is "*" */
    struct slice query;  /* the bytes after '?', still percent-encoded */

    /*
     * Their values, trimmed; len 0 for one that is absent or empty. The lines of a list (Accept,
     * Accept-Encoding) count as one list (RFC 9110, 5.3). Of any other header the first line counts.
     */
    struct slice headers[REQUEST_HEADERS];
    unsigned char minor; /* of HTTP/1.x: 0 or 1 */
    bool keep_alive;     /* what the client wants, by version and Connection header */
};

/*
 * How far the head of one request has been checked. It keeps offsets, no pointers: the bytes may move
 * between two calls. A reader is for one request; request_reader_reset makes it fit for the next one.
 */
struct request_reader {
    size_t line;                                         /* where the line begins that is not whole yet */
    size_t seen;                                         /* so many bytes have been looked at */
    size_t start;                                        /* where the request line begins */
    size_t method_len;                                   /* 0 until the request line is whole */
    unsigned hosts, content_lengths, transfer_encodings; /* lines with these headers */
    bool bad_length, has_body;                           /* what Content-Length says */
    struct buffer joined[REQUEST_HEADERS];               /* lists that came in several lines */
};

enum request_outcome {
    REQUEST_DONE,   /* a whole request; *consumed bytes belong to it, the next one follows them */
    REQUEST_MORE,   /* not whole yet */
    REQUEST_REFUSED /* answer with refusal->status and close */
};

struct request_refusal {
    int status;      /* 400, 413, 431 or 505; an unknown method is METHOD_OTHER, no refusal */
    const char *why; /* one clear line for the body, without a newline; static */
};

void request_reader_init(struct request_reader *reader);

/* Frees what the reader has joined: the slices of its request end here. */
void request_reader_reset(struct request_reader *reader);

/*
 * Looks at `bytes`: everything that has arrived and was not consumed. After REQUEST_MORE call it again with
 * the same bytes and more behind them; each byte is checked once, however many calls it takes. After another
 * outcome reset the reader. A bad line is refused as soon as it is whole. Heads of more than REQUEST_HEAD_MAX
 * are refused (431), also before they end. Empty lines before the request line are skipped (RFC 9112, 2.2).
 */
enum request_outcome request_read(struct request_reader *reader, struct request *request, struct slice bytes,
                                  size_t *consumed, struct request_refusal *refusal);

#endif
