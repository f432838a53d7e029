#include "answers.h"

#include "base/buffer.h"
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

static struct buffer joined; /* the body of the last answer in chunks */

/* Takes a line off `text`, without its end. Returns false if there is no whole line. */
static bool take_line(struct slice *text, struct slice *line)
{
    const char *end = text->len ? memmem(text->data, text->len, "\r\n", 2) : NULL;
    if (!end) return false;
    *line = (struct slice){text->data, (size_t) (end - text->data)};
    *text = slice_from(*text, line->len + 2);
    return true;
}

static bool has_name(struct slice line, const char *name, struct slice *value)
{
    size_t len = strlen(name);
    if (line.len < len + 2 || strncasecmp(line.data, name, len) != 0 || line.data[len] != ':') return false;
    *value = slice_from(line, len + 2);
    return true;
}

static enum answer_outcome take_chunks(struct slice *text, struct slice *body)
{
    struct slice line;
    buffer_clear(&joined);
    for (;;) {
        if (!take_line(text, &line)) return text->len > 20 ? ANSWER_MALFORMED : ANSWER_PART;
        char digits[16] = "", *end;
        if (line.len == 0 || line.len >= sizeof(digits)) return ANSWER_MALFORMED;
        memcpy(digits, line.data, line.len);
        unsigned long len = strtoul(digits, &end, 16);
        if (*end) return ANSWER_MALFORMED;
        if (text->len < len + 2) return ANSWER_PART;
        buffer_append_slice(&joined, (struct slice){text->data, len});
        *text = slice_from(*text, len);
        if (memcmp(text->data, "\r\n", 2) != 0) return ANSWER_MALFORMED;
        *text = slice_from(*text, 2);
        if (len == 0) break;
    }
    *body = buffer_slice(&joined);
    return ANSWER_WHOLE;
}

enum answer_outcome answer_next(struct slice *bytes, bool headless, bool ended, struct answer_read *answer)
{
    struct slice text = *bytes, line, value;
    uint64_t length = 0;
    bool has_length = false, chunked = false;
    if (joined.cap == 0) buffer_init(&joined, SIZE_MAX / 2);
    *answer = (struct answer_read){.plain = true};
    if (!take_line(&text, &line)) return ANSWER_PART;
    if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0) return ANSWER_MALFORMED;
    answer->status = atoi(line.data + 9);
    if (answer->status < 200 || answer->status > 599) return ANSWER_MALFORMED;
    for (;;) {
        if (!take_line(&text, &line)) return ANSWER_PART;
        if (line.len == 0) break;
        if (has_name(line, "content-length", &value)) {
            if (has_length || !number_parse_u64(value, &length)) return ANSWER_MALFORMED;
            has_length = true;
        }
        if (has_name(line, "transfer-encoding", &value)) chunked = slice_is(value, "chunked");
        if (has_name(line, "connection", &value)) answer->closes |= slice_is(value, "close");
        if (has_name(line, "content-encoding", &value)) answer->plain = false;
        if (has_name(line, "content-type", &value) && slice_starts(value, "application/vnd"))
            answer->plain = false;
    }
    if (has_length && chunked) return ANSWER_MALFORMED;
    if (headless) {
        answer->body = SLICE("");
    } else if (chunked) {
        enum answer_outcome outcome = take_chunks(&text, &answer->body);
        if (outcome != ANSWER_WHOLE) return outcome;
    } else if (has_length) {
        if (text.len < length) return ANSWER_PART;
        answer->body = (struct slice){text.data, length};
        text = slice_from(text, length);
    } else {
        if (!ended) return ANSWER_PART;
        answer->body = text;
        answer->closes = true;
        text = (struct slice){text.data + text.len, 0};
    }
    *bytes = text;
    return ANSWER_WHOLE;
}
