#include "memcached/reply.h"

#include <string.h>

/* First words of lines. No word begins with another one. */
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

static const char *word_of(size_t n, enum reply_form form)
{
    return words[n].kind == REPLY_STAT && form == REPLY_PREFIXES ? "PREFIX" : words[n].word;
}

/*
 * Returns true if `tail` may follow the first word of a REPLY_STAT line: a blank, then the key. If the line
 * is not complete, more bytes may follow.
 */
static bool stat_fits(enum reply_form form, struct slice tail, bool whole)
{
    if (tail.len && tail.data[0] != ' ') return false;
    if (form == REPLY_PREFIXES) return tail.len || !whole;
    return tail.len < 2 ? !whole : tail.data[1] != ' ';
}

/* Returns true if `tail` may follow the first word. If the line is not complete, more bytes may follow. */
static bool tail_fits(enum reply_kind kind, enum reply_form form, struct slice tail, bool whole)
{
    /* The last byte may be the first half of the line end. */
    if (!whole && tail.len && tail.data[tail.len - 1] == '\r') tail.len--;
    switch (kind) {
    case REPLY_STAT:
        return stat_fits(form, tail, whole);
    case REPLY_END:
        return tail.len == 0;
    default:
        return tail.len == 0 || tail.data[0] == ' ';
    }
}

/*
 * Returns the kind of a line. An incomplete line is judged too: a peer with another protocol may send its
 * first words and then wait. Nobody should have to wait for its newline.
 */
static enum reply_kind line_kind(struct slice line, enum reply_form form, bool whole)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *word = word_of(i, form);
        size_t len = strlen(word);
        if (memcmp(line.data, word, line.len < len ? line.len : len) != 0) continue;
        if (line.len < len) return whole ? REPLY_MALFORMED : REPLY_MORE;
        if (!tail_fits(words[i].kind, form, slice_from(line, len), whole)) return REPLY_MALFORMED;
        return whole ? words[i].kind : REPLY_MORE;
    }
    return REPLY_MALFORMED;
}

/* Splits at the n-th blank from the right. If there are fewer blanks, all is key. */
static void split_right(struct reply_line *reply, struct slice pair, unsigned n)
{
    reply->key = pair;
    reply->value = (struct slice){pair.data + pair.len, 0};
    for (size_t at = pair.len; at > 0; at--) {
        if (pair.data[at - 1] != ' ' || --n > 0) continue;
        reply->key.len = at - 1;
        reply->value = slice_from(pair, at);
        return;
    }
}

static void split(struct reply_line *reply, enum reply_form form, struct slice line)
{
    switch (form) {
    case REPLY_PAIRS:
        reply->value = slice_from(line, strlen("STAT "));
        reply->key = slice_cut(&reply->value, ' ');
        break;
    case REPLY_NAMES:
        split_right(reply, slice_from(line, strlen("STAT ")), 1);
        break;
    case REPLY_PREFIXES:
        split_right(reply, slice_from(line, strlen("PREFIX ")), 8);
        break;
    }
}

/*
 * Returns true if the value makes the line too long. `line` is the beginning of that line. In REPLY_PREFIXES
 * the key may hold blanks, so one blank after the word is enough.
 */
static bool has_long_value(struct slice line, enum reply_form form)
{
    if (form == REPLY_PREFIXES) return slice_starts(line, "PREFIX ");
    if (!slice_starts(line, "STAT ")) return false;
    return memchr(line.data + strlen("STAT "), ' ', line.len - strlen("STAT ")) != NULL;
}

bool reply_skip(struct slice *input, size_t *left)
{
    (void) left;
    const char *newline = input->len ? memchr(input->data, '\n', input->len) : NULL;
    *input = slice_from(*input, newline ? (size_t) (newline - input->data) + 1 : input->len);
    return newline != NULL;
}

bool reply_take_pair(struct slice *input, struct reply_pair *pair)
{
    const size_t head = strlen("STAT ");
    const char *start = input->data + head;
    if (input->len <= head || memcmp(input->data, "STAT ", head) != 0 || *start == ' ') return false;
    size_t limit = (input->len < REPLY_LINE_MAX ? input->len : REPLY_LINE_MAX) - head;
    const char *newline = memchr(start, '\n', limit);
    if (!newline) return false;
    const char *end = newline > start && newline[-1] == '\r' ? newline - 1 : newline;
    if (end == start) return false;
    const char *blank = memchr(start, ' ', (size_t) (end - start));
    const char *key_end = blank ? blank : end, *value_start = blank ? blank + 1 : end;
    pair->key = (struct slice){start, (size_t) (key_end - start)};
    pair->value = (struct slice){value_start, (size_t) (end - value_start)};
    *input = slice_from(*input, (size_t) (newline - input->data) + 1);
    return true;
}

bool reply_take_value(struct slice *input, size_t head, struct slice *value)
{
    size_t limit = input->len < REPLY_LINE_MAX - head ? input->len : REPLY_LINE_MAX - head;
    const char *newline = memchr(input->data, '\n', limit);
    if (!newline) return false;
    size_t len = (size_t) (newline - input->data);
    *value = (struct slice){input->data, len && newline[-1] == '\r' ? len - 1 : len};
    *input = slice_from(*input, len + 1);
    return true;
}

struct reply_line reply_next(struct slice *input, enum reply_form form)
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

    reply.kind = line_kind(line, form, newline != NULL);
    if (reply.kind == REPLY_MORE && line.len == REPLY_LINE_MAX)
        reply.kind = has_long_value(line, form) ? REPLY_LONG : REPLY_MALFORMED;
    if (reply.kind == REPLY_LONG) {
        struct slice pair = slice_from(line, strlen(word_of(0, form)) + 1);
        reply.key = slice_cut(&pair, ' ');
        return reply;
    }
    if (reply.kind == REPLY_STAT)
        split(&reply, form, line);
    else if (reply.kind == REPLY_REFUSED || reply.kind == REPLY_MALFORMED)
        reply.value = line;
    if (reply.kind == REPLY_REFUSED) reply.refusal = reply_refusal(line);
    if (reply.kind != REPLY_STAT && reply.kind != REPLY_END && reply.kind != REPLY_REFUSED) return reply;
    *input = slice_from(*input, (size_t) (newline - input->data) + 1);
    return reply;
}

enum refusal reply_refusal(struct slice line)
{
    if (slice_starts(line, "ERROR Too many open connections")) return REFUSAL_OVERLOADED;
    if (slice_starts(line, "CLIENT_ERROR unauthenticated")) return REFUSAL_UNAUTHENTICATED;
    return REFUSAL_COMMAND;
}
