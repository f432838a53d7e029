/* Writes the head of an HTTP/1.1 answer. Pure. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum response_framing {
    FRAMING_LENGTH,  /* Content-Length */
    FRAMING_CHUNKED, /* Transfer-Encoding: chunked; never for a client of HTTP/1.0 */
    FRAMING_CLOSE,   /* the end of the connection ends the body */
};

struct response {
    int status;               /* 200 to 505, one that response_reason knows */
    const char *content_type; /* NUL-terminated */
    const char *allow;        /* value of Allow, or NULL */
    const char *location;     /* value of Location, or NULL */
    const char *authenticate; /* value of WWW-Authenticate, or NULL */
    bool retry_after;         /* Retry-After: 1 */
    bool varies;              /* Vary: Accept, Accept-Encoding */
};

/* How the answer is sent. The exchange sets this; the handler does not know it. */
struct response_transfer {
    enum response_framing framing;
    uint64_t length;    /* bytes of the body; for FRAMING_LENGTH only */
    const char *coding; /* Content-Encoding, or NULL for none */
    bool keep_alive; /* false: adds "Connection: close"; true: adds "Connection: keep-alive" for HTTP/1.0 */
    unsigned char minor;
    time_t now;           /* for the Date header */
    struct slice headers; /* additional headers, each line with its line end; may be empty */
};

void response_append_head(struct buffer *out, const struct response *response,
                          const struct response_transfer *transfer);

/*
 * Returns the reason phrase, such as "Not Found" for 404. Returns "Unknown" for a status that this server
 * never sends.
 */
const char *response_reason(int status);

#endif
