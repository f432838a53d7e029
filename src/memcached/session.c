#include "memcached/session.h"

#include "memcached/reply.h"
#include "memcached/server_version.h"
#include "memcached/target_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void session_init(struct session *session, const struct protocol *protocol, struct snapshot *snapshot,
                  unsigned wanted)
{
    *session = (struct session){.protocol = protocol,
                                .snapshot = snapshot,
                                .wanted = wanted & protocol->commands,
                                .failure = TARGET_UP};
}

void session_await_login(struct session *session)
{
    session->awaits_login = true;
}

/* --- Asking --- */

/*
 * Returns true if the command can be sent without harm. Before the reply to `stats`, nothing is known about
 * the server. After a refusal of `stats`, no dangerous command is sent.
 */
static bool is_safe(const struct session *session, enum command command)
{
    switch (command_info(command)->danger) {
    case DANGER_CRASH:
        return session->has_storage;
    case DANGER_WALK:
        return session->has_size_counts;
    case DANGER_NONE:
        break;
    }
    return true;
}

/* Returns the set of commands that may be sent now and were not sent yet. */
static unsigned next_batch(const struct session *session)
{
    unsigned batch = session->wanted & ~session->sent;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!is_safe(session, command)) batch &= ~COMMAND_BIT(command);
    }
    return batch;
}

bool session_has_more(const struct session *session)
{
    return next_batch(session) != 0;
}

size_t session_ask(struct session *session, char request[PROTOCOL_REQUESTS_MAX])
{
    unsigned batch = next_batch(session);
    size_t len = 0;
    assert(session_status(session) == SESSION_PAUSES);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!(batch & COMMAND_BIT(command))) continue;
        assert(len + PROTOCOL_REQUEST_MAX <= PROTOCOL_REQUESTS_MAX);
        len += session->protocol->request(command, request + len);
    }
    session->sent |= batch;
    session->snapshot->asked |= batch;
    return len;
}

/* --- What the server says of itself --- */

static void learn_version(struct session *session, struct slice version)
{
    session->has_size_counts = server_version_reaches(version, 1, 4, 27);
    session->has_meta_commands = server_version_reaches(version, 1, 6, 0);
}

static void learn(struct session *session, struct slice key, struct slice value)
{
    if (key.data[0] == 'e' && slice_is(key, "extstore_limit_maxbytes")) session->has_storage = true;
    if (key.data[0] == 'v' && slice_is(key, "version"))
        learn_version(session, value);
    else
        session->has_stats = true;
}

/* --- Listening --- */

enum session_status session_status(const struct session *session)
{
    if (session->failure != TARGET_UP) return SESSION_FAILED;
    return session->sent == session->replied && !session->awaits_login ? SESSION_PAUSES : SESSION_WAITS;
}

static void fail(struct session *session, enum target_state state, const char *error)
{
    session->failure = state;
    snprintf(session->error, sizeof(session->error), "%s", error);
}

/*
 * Returns the command of the current reply. Replies come in the order of the requests, which is the order of
 * the commands.
 */
static enum command current_command(const struct session *session)
{
    return (enum command) __builtin_ctz(session->sent & ~session->replied);
}

/* Fails with `what`, followed by the first bytes of what the server said. */
static void fail_with(struct session *session, enum target_state state, const char *what, struct slice said)
{
    char error[TARGET_ERROR_MAX];
    snprintf(error, sizeof(error), "%s%.*s", what, (int) (said.len > 64 ? 64 : said.len), said.data);
    fail(session, state, error);
}

/*
 * Handles a refusal. The session fails if the server is overloaded or requires a login, or if it refuses
 * `stats`. A refusal of another command only costs that command.
 */
static void take_refusal(struct session *session, enum command command, const struct reply_line *line)
{
    static const char said[] = "the server said: ";
    switch (line->refusal) {
    case REFUSAL_OVERLOADED:
        fail_with(session, TARGET_OVERLOADED, said, line->value);
        break;
    case REFUSAL_UNAUTHENTICATED:
        fail_with(session, TARGET_AUTH_FAILED,
                  "the server wants a login, see auth of the module and --memcached.username; it said: ",
                  line->value);
        break;
    case REFUSAL_COMMAND:
        if (command == COMMAND_STATS) fail_with(session, TARGET_PROTOCOL_ERROR, said, line->value);
        break;
    }
}

/* Keeps a stat. Returns false, and fails the session, if out of memory. */
static bool take_stat(struct session *session, enum command command, struct slice key, struct slice value)
{
    if (command == COMMAND_STATS) learn(session, key, value);
    if (snapshot_add(session->snapshot, command, key, value)) return true;
    fail(session, TARGET_PROTOCOL_ERROR, "no memory for the answer");
    return false;
}

/* Takes the lines that the plan knows. Returns false, and fails the session, if out of memory. */
static bool take_planned(struct session *session, enum command command, struct slice *input)
{
    size_t len = input->len;
    if (!session->protocol->is_planned || !reply_plan_knows(command)) return true;
    bool kept = reply_plan_take(&session->place, command, &session->snapshot->builder, input);
    if (command == COMMAND_STATS && input->len < len) session->has_stats = true;
    if (!kept) fail(session, TARGET_PROTOCOL_ERROR, "no memory for the answer");
    return kept;
}

/*
 * Reads the lines of a reply and stops at the first line that is not a pair. Returns false if out of memory.
 */
static bool take_pairs(struct session *session, enum command command, struct slice *input)
{
    struct reply_pair pair;
    if (command_info(command)->form != REPLY_PAIRS) return true;
    while (take_planned(session, command, input)) {
        if (!session->protocol->take_pair(input, &pair)) return true;
        if (!take_stat(session, command, pair.key, pair.value)) return false;
        if (session->place) reply_plan_note(&session->place, &session->snapshot->builder, pair.key);
    }
    return false;
}

/*
 * Fails on bytes that no memcached sends. The first bytes of a connection tell what kind of server sent them.
 */
static void take_nonsense(struct session *session, struct slice bytes)
{
    const char *error = "the answer is not in the memcached protocol";
    enum target_state state = TARGET_PROTOCOL_ERROR;
    if (!session->has_lines) state = target_state_of_stranger(bytes, &error);
    fail(session, state, error);
}

/* Handles the end of a reply. A server that gives no stats besides its version does not count as up. */
static void take_end(struct session *session, enum command command)
{
    session->replied |= COMMAND_BIT(command);
    session->place = NULL;
    if (command == COMMAND_STATS && !session->has_stats)
        fail(session, TARGET_PROTOCOL_ERROR, "the answer to stats is empty, or holds a version alone");
    else
        session->snapshot->answered |= COMMAND_BIT(command);
}

/* Takes lines off the input. Returns false if no complete line is left, or if out of memory. */
static bool take_line(struct session *session, struct slice *input)
{
    enum command command = current_command(session);
    if (session->skips) {
        session->skips = !session->protocol->skip(input, &session->skip_left);
        return !session->skips;
    }
    size_t len = input->len;
    if (!take_pairs(session, command, input)) return false;
    session->has_lines |= input->len < len;
    struct reply_line line = session->protocol->next(input, command_info(command)->form);
    switch (line.kind) {
    case REPLY_MORE:
        return false;
    case REPLY_MALFORMED:
        take_nonsense(session, line.value);
        return true;
    case REPLY_STAT:
        take_stat(session, command, line.key, line.value);
        break;
    case REPLY_LONG:
        session->skips = true;
        session->skip_left = line.len;
        snapshot_builder_reject(&session->snapshot->builder, command, line.key);
        if (command == COMMAND_STATS) session->has_stats = true;
        break;
    case REPLY_END:
        take_end(session, command);
        break;
    case REPLY_REFUSED:
        take_refusal(session, command, &line);
        session->replied |= COMMAND_BIT(command);
        session->place = NULL;
        break;
    }
    session->has_lines = true;
    return true;
}

/* Takes the answer to the login off the input. Returns false if the answer is not complete. */
static bool take_login(struct session *session, struct slice *input)
{
    struct slice said = {0};
    switch (session->protocol->take_login(input, &said)) {
    case LOGIN_MORE:
        return false;
    case LOGIN_DONE:
        session->awaits_login = false;
        break;
    case LOGIN_REFUSED:
        fail_with(session, TARGET_AUTH_FAILED,
                  "the server refuses the login, check user name and password; it said: ", said);
        break;
    case LOGIN_UNKNOWN:
        fail_with(session, TARGET_AUTH_FAILED, "the server does not take the login, it said: ", said);
        break;
    case LOGIN_OVERLOADED:
        fail_with(session, TARGET_OVERLOADED, "the server said: ", said);
        break;
    case LOGIN_NONSENSE:
        take_nonsense(session, said);
        break;
    }
    return true;
}

enum session_status session_take(struct session *session, struct slice *input)
{
    if (session->awaits_login && !take_login(session, input)) return SESSION_WAITS;
    while (session_status(session) == SESSION_WAITS && take_line(session, input)) continue;
    return session_status(session);
}
