#include "web/answer.h"

#include "base/utf8.h"

void answer_buffer(struct exchange *exchange, int status, const char *content_type, struct buffer *body)
{
    struct response response = {.status = status, .content_type = content_type};
    response.retry_after = status == 503;
    exchange_respond(exchange, &response, buffer_slice(body));
    buffer_deinit(body);
}

void answer_refusal(struct exchange *exchange, const struct query_refusal *refusal)
{
    struct buffer body;
    buffer_init(&body, 8192);
    buffer_append_string(&body, refusal->what);
    if (refusal->subject.data) {
        buffer_append_string(&body, " \"");
        utf8_append_escaped(&body, refusal->subject);
        buffer_append_char(&body, '"');
    }
    if (refusal->why[0]) buffer_printf(&body, ": %s", refusal->why);
    buffer_append_char(&body, '\n');
    answer_buffer(exchange, refusal->status, TEXT_PLAIN, &body);
}

void answer_line(struct exchange *exchange, int status, const char *line)
{
    struct query_refusal refusal = {.status = status, .what = line};
    answer_refusal(exchange, &refusal);
}
