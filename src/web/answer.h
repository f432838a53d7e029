/* Short answers: one line for people, or a page. */
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include "base/buffer.h"
#include "http/server.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* Why a request is refused. Makes a line of the form: what "subject": why. */
struct query_refusal {
    int status;           /* 400, 403, 503 */
    const char *what;     /* static */
    struct slice subject; /* what the client sent, or no data; points to `sent` */
    char why[256];        /* "" for none */
    char sent[256];       /* the rest of a longer subject is left out */
};

/* Answers with the whole of `body`, and releases it. */
void answer_buffer(struct exchange *exchange, int status, const char *content_type, struct buffer *body);

/* Answers with one line; a static text. */
void answer_line(struct exchange *exchange, int status, const char *line);

/* Answers with the line of the refusal, in which what the client sent is escaped. */
void answer_refusal(struct exchange *exchange, const struct query_refusal *refusal);

#endif
