#include "memcached/conversation.h"

#include "base/number.h"
#include "memcached/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void conversation_init(struct conversation *conversation, struct snapshot *snapshot, unsigned wanted)
{
    *conversation = (struct conversation){.snapshot = snapshot, .wanted = wanted, .failure = TARGET_UP};
}

/* --- Asking --- */

/* Nothing is known before the reply to `stats`, and nothing is asked after a refusal of it. */
static bool is_safe(const struct conversation *conversation, enum command command)
{
    switch (command_info(command)->danger) {
    case DANGER_CRASH:
        return conversation->has_storage;
    case DANGER_WALK:
        return conversation->has_size_counts;
    case DANGER_NONE:
        break;
    }
    return true;
}

/* The commands that may be sent now and have not been. */
static unsigned next_batch(const struct conversation *conversation)
{
    unsigned batch = conversation->wanted & ~conversation->sent;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!is_safe(conversation, command)) batch &= ~COMMAND_BIT(command);
    }
    return batch;
}

bool conversation_has_more(const struct conversation *conversation)
{
    return next_batch(conversation) != 0;
}

size_t conversation_ask(struct conversation *conversation, char request[COMMAND_REQUESTS_MAX])
{
    unsigned batch = next_batch(conversation);
    size_t len = 0;
    assert(conversation->sent == conversation->replied);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        struct slice line = command_info(command)->request;
        if (!(batch & COMMAND_BIT(command))) continue;
        assert(len + line.len <= COMMAND_REQUESTS_MAX);
        memcpy(request + len, line.data, line.len);
        len += line.len;
    }
    conversation->sent |= batch;
    conversation->snapshot->asked |= batch;
    return len;
}

/* --- What the server says of itself --- */

static bool read_part(struct slice *rest, unsigned *part)
{
    size_t len = 0;
    uint64_t number;
    while (len < rest->len && rest->data[len] >= '0' && rest->data[len] <= '9') len++;
    if (!number_parse_u64((struct slice){rest->data, len}, &number) || number > 9999) return false;
    *part = (unsigned) number;
    *rest = slice_from(*rest, len);
    return true;
}

/* Whether a version is 1.4.27 or later: "1.6.18", "1.5.4-rc1", "1.6.0 DF". One of another form is not. */
static bool counts_sizes(struct slice version)
{
    unsigned part[3];
    for (unsigned n = 0; n < 3; n++) {
        if (n > 0 && !slice_starts(version, ".")) return false;
        if (n > 0) version = slice_from(version, 1);
        if (!read_part(&version, &part[n])) return false;
    }
    if (version.len && !memchr(" -_", version.data[0], 3)) return false;
    if (part[0] != 1) return part[0] > 1;
    return part[1] > 4 || (part[1] == 4 && part[2] >= 27);
}

static void learn(struct conversation *conversation, struct slice key, struct slice value)
{
    if (key.data[0] == 'e' && slice_is(key, "extstore_limit_maxbytes")) conversation->has_storage = true;
    if (key.data[0] == 'v' && slice_is(key, "version")) conversation->has_size_counts = counts_sizes(value);
}

/* --- Listening --- */

enum conversation_status conversation_status(const struct conversation *conversation)
{
    if (conversation->failure != TARGET_UP) return CONVERSATION_FAILED;
    return conversation->sent == conversation->replied ? CONVERSATION_PAUSES : CONVERSATION_WAITS;
}

static void fail(struct conversation *conversation, enum target_state state, const char *error)
{
    conversation->failure = state;
    snprintf(conversation->error, sizeof(conversation->error), "%s", error);
}

/* Replies come in the order of the requests, which is the order of the commands. */
static enum command current_command(const struct conversation *conversation)
{
    return (enum command) __builtin_ctz(conversation->sent & ~conversation->replied);
}

/* A refusal of one command leaves the others; a refusal of `stats` is one of the whole. */
static void take_refusal(struct conversation *conversation, enum command command, struct slice line)
{
    char error[96];
    snprintf(error, sizeof(error), "the server said: %.*s", (int) (line.len > 64 ? 64 : line.len), line.data);
    switch (reply_refusal(line)) {
    case REFUSAL_OVERLOADED:
        fail(conversation, TARGET_OVERLOADED, error);
        break;
    case REFUSAL_UNAUTHENTICATED:
        fail(conversation, TARGET_AUTH_FAILED, error);
        break;
    case REFUSAL_COMMAND:
        if (command == COMMAND_STATS) fail(conversation, TARGET_PROTOCOL_ERROR, error);
        break;
    }
}

/* False when it cannot be kept, which fails the conversation. */
static bool take_stat(struct conversation *conversation, enum command command, struct slice key,
                      struct slice value)
{
    if (command == COMMAND_STATS) learn(conversation, key, value);
    if (snapshot_add(conversation->snapshot, command, key, value)) return true;
    fail(conversation, TARGET_PROTOCOL_ERROR, "no memory for the answer");
    return false;
}

/* The lines of a reply up to one that needs a closer look. */
static bool take_pairs(struct conversation *conversation, enum command command, struct slice *input)
{
    struct slice key, value;
    if (command_info(command)->form != REPLY_PAIRS) return true;
    while (reply_take_pair(input, &key, &value)) {
        if (!take_stat(conversation, command, key, value)) return false;
    }
    return true;
}

/* Takes some lines off the input; false when there is no whole one, or no more is wanted. */
static bool take_line(struct conversation *conversation, struct slice *input)
{
    enum command command = current_command(conversation);
    if (!take_pairs(conversation, command, input)) return false;
    struct reply_line line = reply_next(input, command_info(command)->form);
    switch (line.kind) {
    case REPLY_MORE:
        return false;
    case REPLY_MALFORMED:
        fail(conversation, TARGET_PROTOCOL_ERROR, "the answer is not in the memcached protocol");
        break;
    case REPLY_STAT:
        take_stat(conversation, command, line.key, line.value);
        break;
    case REPLY_END:
        conversation->snapshot->answered |= COMMAND_BIT(command);
        conversation->replied |= COMMAND_BIT(command);
        break;
    case REPLY_REFUSED:
        take_refusal(conversation, command, line.value);
        conversation->replied |= COMMAND_BIT(command);
        break;
    }
    return true;
}

enum conversation_status conversation_take(struct conversation *conversation, struct slice *input)
{
    while (conversation_status(conversation) == CONVERSATION_WAITS && take_line(conversation, input))
        continue;
    return conversation_status(conversation);
}
