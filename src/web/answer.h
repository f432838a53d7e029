/* Sends short answers: one line of text, or the contents of a buffer. */
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include "base/buffer.h"
#include "http/server.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* Why a request is refused, as the parts of one line: what "subject": why. */
struct query_refusal {
    int status;           /* HTTP status */
    const char *what;     /* static text */
    struct slice subject; /* text from the client, in `sent`; data NULL if the line has no subject */
    char why[256];        /* reason; "" if the line has no reason */
    char sent[256];       /* copy of the client's text; a longer text is cut */
};

/* Answers with the contents of `body` and releases `body`. A 503 gets a Retry-After header. */
void answer_buffer(struct exchange *exchange, int status, const char *content_type, struct buffer *body);

/* Answers with `line` and a line end. `line` is a static text without a line end. */
void answer_line(struct exchange *exchange, int status, const char *line);

/* Answers with the line of the refusal. The client's text in it is escaped. */
void answer_refusal(struct exchange *exchange, const struct query_refusal *refusal);

#endif
