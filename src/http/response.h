/* One HTTP/1.1 answer head as bytes. Pure. */
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
    int status;               /* 200 ... 505; its reason phrase is known to response_append_head */
    const char *content_type; /* NUL-terminated */
    const char *allow;        /* value of Allow, or NULL */
    const char *authenticate; /* value of WWW-Authenticate, or NULL */
    bool retry_after;         /* Retry-After: 1 */
    bool varies;              /* Vary: Accept, Accept-Encoding */
};

/* How this answer travels; the server knows, the handler does not. */
struct response_transfer {
    enum response_framing framing;
    uint64_t length;    /* for FRAMING_LENGTH */
    const char *coding; /* Content-Encoding, or NULL for none */
    bool keep_alive;    /* else Connection: close; a client of HTTP/1.0 is told keep-alive */
    unsigned char minor;
    time_t now;           /* for Date */
    struct slice headers; /* more of them, each line with its end; maybe empty */
};

void response_append_head(struct buffer *out, const struct response *response,
                          const struct response_transfer *transfer);

/* "Not Found" for 404; "Unknown" for one that this server never sends. */
const char *response_reason(int status);

#endif
