/*
 * The requests of the text protocol, and its login (option -Y, doc/protocol.txt "Authentication"), which is
 * sent as a `set`. reply.c reads the answers.
 *
 * A server that requires no login stores the item. The item's expiry is in the past, so that nobody can read
 * it back.
 */
#include "memcached/protocol.h"

#include "base/container.h"

#include <string.h>

bool protocol_choice_parse(struct slice word, enum protocol_choice *choice)
{
    static const char *const words[] = {
        [PROTOCOL_AUTO] = "auto", [PROTOCOL_TEXT] = "text", [PROTOCOL_BINARY] = "binary"};
    for (size_t n = 0; n < ARRAY_LEN(words); n++) {
        if (!slice_is(word, words[n])) continue;
        *choice = (enum protocol_choice) n;
        return true;
    }
    return false;
}

static size_t text_request(enum command command, char *request)
{
    struct slice line = command_info(command)->request;
    memcpy(request, line.data, line.len);
    return line.len;
}

static void append_text_login(struct buffer *request, const char *username, const char *password)
{
    size_t len = strlen(username) + 1 + strlen(password);
    buffer_reserve(request, len + 64);
    buffer_printf(request, "set auth 0 -1 %zu\r\n%s ", len, username);
    buffer_append_string(request, password);
    buffer_append_string(request, "\r\n");
}

/* Returns true if the server requires no login: it has stored the item, or failed to store it. */
static bool is_indifferent(struct slice line)
{
    return slice_is(line, "STORED") || slice_is(line, "NOT_STORED") || slice_starts(line, "SERVER_ERROR");
}

static enum login_answer judge_line(struct slice line)
{
    if (is_indifferent(line)) return LOGIN_DONE;
    if (reply_refusal(line) == REFUSAL_OVERLOADED) return LOGIN_OVERLOADED;
    return slice_starts(line, "CLIENT_ERROR") ? LOGIN_REFUSED : LOGIN_UNKNOWN;
}

/* Returns true if a line begins like an answer to a `set`, or may do so once more bytes arrive. */
static bool is_answer(struct slice line, bool whole)
{
    static const char *const words[] = {"STORED", "NOT_STORED", "CLIENT_ERROR", "SERVER_ERROR", "ERROR"};
    for (size_t n = 0; n < ARRAY_LEN(words); n++) {
        size_t len = strlen(words[n]);
        if (line.len < len && whole) continue;
        if (memcmp(line.data, words[n], line.len < len ? line.len : len) == 0) return true;
    }
    return false;
}

static enum login_answer take_text_login(struct slice *input, struct slice *said)
{
    const char *newline = input->len ? memchr(input->data, '\n', input->len) : NULL;
    struct slice line = {input->data, newline ? (size_t) (newline - input->data) : input->len};
    if (input->len == 0) return LOGIN_MORE;
    if (newline && line.len && newline[-1] == '\r') line.len--;
    *said = line;
    if (!is_answer(line, newline != NULL) || line.len > REPLY_LINE_MAX) return LOGIN_NONSENSE;
    if (!newline) return LOGIN_MORE;
    *input = slice_from(*input, (size_t) (newline - input->data) + 1);
    return judge_line(line);
}

const struct protocol protocol_text = {
    .commands = COMMAND_BIT(COMMAND_COUNT) - 1,
    .request = text_request,
    .append_login = append_text_login,
    .take_login = take_text_login,
    .is_planned = true,
    .take_pair = reply_take_pair,
    .next = reply_next,
    .skip = reply_skip,
};
