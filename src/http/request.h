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

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Request line and headers together, the empty line included. */
#define REQUEST_HEAD_MAX (16 * 1024)

enum request_method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

/*
 * Every slice points into the bytes that were parsed, but for the path "/" of an absolute form that has none
 * ("http://host"), which is static. A header that is absent or empty has len 0.
 */
struct request {
    enum request_method method;
    struct slice target; /* as sent: "/scrape?target=a%3A1"; of an absolute form, from the path on */
    struct slice path;   /* target up to '?', still percent-encoded; begins with '/' or is "*" */
    struct slice query;  /* what stands behind the '?', still percent-encoded */
    struct slice accept; /* of a repeated header the values are not joined: the first counts */
    struct slice accept_encoding;
    struct slice scrape_timeout; /* X-Prometheus-Scrape-Timeout-Seconds */
    unsigned char minor;         /* of HTTP/1.x: 0 or 1 */
    bool keep_alive;             /* what the client wants, by version and Connection header */
};

enum request_outcome {
    REQUEST_DONE,   /* a whole request; *consumed bytes belong to it, what follows is the next one */
    REQUEST_MORE,   /* not whole yet: call again with the same bytes and more behind them */
    REQUEST_REFUSED /* answer with *status and close */
};

struct request_refusal {
    int status;      /* 400, 413, 431 or 505; an unknown method is METHOD_OTHER, no refusal */
    const char *why; /* one clear line for the body, without a newline; static */
};

/*
 * Looks at `bytes`, everything that has arrived and was not consumed. Stateless: a head that is not
 * whole is looked at again from its beginning, which costs little since it is capped; heads of more than
 * REQUEST_HEAD_MAX are refused (431), also before they end. What is wrong is refused when
 * its line is whole, not only at the end of the head.
 * Empty lines before the request line are skipped (RFC 9112, 2.2).
 */
enum request_outcome request_parse(struct request *request, struct slice bytes, size_t *consumed,
                                   struct request_refusal *refusal);

#endif
