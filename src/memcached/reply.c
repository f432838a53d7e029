#include "memcached/reply.h"

#include <string.h>

/* The word that each line begins with. None is the beginning of another. */
static const struct {
    const char *word;
    enum reply_kind kind;
} words[] = {
    {"STAT", REPLY_STAT},
    {"END", REPLY_END},
    {"ERROR", REPLY_REFUSED},
    {"CLIENT_ERROR", REPLY_REFUSED},
    {"SERVER_ERROR", REPLY_REFUSED},
};

/* Whether what follows the word can stand there; if the line is not whole, whether more bytes can mend it. */
static bool tail_fits(enum reply_kind kind, struct slice tail, bool whole)
{
    /* The last byte of a piece may be half of the line's end. */
    if (!whole && tail.len && tail.data[tail.len - 1] == '\r') tail.len--;
    switch (kind) {
    case REPLY_STAT:
        if (whole && tail.len < 2) return false;
        return (tail.len < 1 || tail.data[0] == ' ') && (tail.len < 2 || tail.data[1] != ' ');
    case REPLY_END:
        return tail.len == 0;
    default:
        return tail.len == 0 || tail.data[0] == ' ';
    }
}

/*
 * What a line is. One that is not whole is judged too: a peer that speaks another protocol may say its first
 * words and then wait for ours, and nobody should have to wait for its newline.
 */
static enum reply_kind line_kind(struct slice line, bool whole)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i].word);
        if (memcmp(line.data, words[i].word, line.len < len ? line.len : len) != 0) continue;
        if (line.len < len) return whole ? REPLY_MALFORMED : REPLY_MORE;
        if (!tail_fits(words[i].kind, slice_from(line, len), whole)) return REPLY_MALFORMED;
        return whole ? words[i].kind : REPLY_MORE;
    }
    return REPLY_MALFORMED;
}

struct reply_line reply_next(struct slice *input)
{
    struct reply_line reply = {.kind = REPLY_MORE};
    if (input->len == 0) return reply;

    struct slice line = *input;
    if (line.len > REPLY_LINE_MAX) line.len = REPLY_LINE_MAX;
    const char *newline = memchr(line.data, '\n', line.len);
    if (newline) {
        line.len = (size_t) (newline - line.data);
        if (line.len && newline[-1] == '\r') line.len--;
    }

    reply.kind = line_kind(line, newline != NULL);
    if (reply.kind == REPLY_MORE && line.len == REPLY_LINE_MAX) reply.kind = REPLY_MALFORMED;
    if (reply.kind == REPLY_STAT) {
        reply.value = slice_from(line, strlen("STAT "));
        reply.key = slice_cut(&reply.value, ' ');
    } else if (reply.kind == REPLY_REFUSED || reply.kind == REPLY_MALFORMED) {
        reply.value = line;
    }
    if (reply.kind == REPLY_MORE || reply.kind == REPLY_MALFORMED) return reply;
    *input = slice_from(*input, (size_t) (newline - input->data) + 1);
    return reply;
}

enum refusal reply_refusal(struct slice line)
{
    if (slice_starts(line, "ERROR Too many open connections")) return REFUSAL_OVERLOADED;
    if (slice_starts(line, "CLIENT_ERROR unauthenticated")) return REFUSAL_UNAUTHENTICATED;
    return REFUSAL_COMMAND;
}
