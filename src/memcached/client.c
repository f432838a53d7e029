/*
 * The happy path of a poll, on a new connection and on a kept one:
 *
 *     client_poll -> dial -> on_dialed -> ask -> on_read* -> take_line* -> complete -> report
 *     client_poll ----------------------> ask -> on_read* -> take_line* -> complete -> report
 *
 * What can go wrong: the dialer fails; the connection ends or breaks; the bytes are no stats reply, or too
 * many; everybody gives up. A poll that fails closes its connection first and reports from after_close, so
 * that the next poll, which may be asked for in that very report, finds the stream free. A kept connection
 * that ends before the first byte of an answer was dead all along: the poll dials once more. When the `stats`
 * reply is whole, what fails afterwards costs the commands that are missing, not the target.
 */
#include "memcached/client.h"

#include "base/container.h"
#include "base/log.h"
#include "memcached/reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void on_dialed(struct dialer *dialer, int status, const char *why);
static uv_buf_t on_lend(struct stream *stream);
static void on_read(struct stream *stream, ssize_t n);
static void on_written(struct stream *stream, int status);
static void on_closed(struct stream *stream);

/* --- The end of a poll --- */

static void log_transition(struct client *client, const struct snapshot *snapshot)
{
    bool down = snapshot->state != TARGET_UP;
    if (down == client->reported_down) return;
    client->reported_down = down;
    if (down) {
        log_line(LOG_WARN, "target is down", LOG_FIELD("target", client->name),
                 LOG_FIELD("state", target_state_name(snapshot->state)), LOG_FIELD("err", snapshot->error));
    } else {
        log_line(LOG_INFO, "target is up again", LOG_FIELD("target", client->name));
    }
}

/* A target whose `stats` reply is whole is up; the state and the error are for one that is not. */
static void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error)
{
    if (snapshot->answered & COMMAND_BIT(COMMAND_STATS)) {
        snapshot->state = TARGET_UP;
    } else {
        snapshot->state = state;
        snprintf(snapshot->error, sizeof(snapshot->error), "%s", error);
    }
}

/* Passes the verdict on the poll that is under way; the first one counts. */
static void judge(struct client *client, enum target_state state, const char *error)
{
    if (client->judged) return;
    client->judged = true;
    snapshot_judge(client->snapshot, state, error);
}

/* Takes the poll off the client, then tells those who wait: they may ask again at once. */
static void report(struct client *client)
{
    struct snapshot *snapshot = client->snapshot;
    struct list polls;
    list_init(&polls);
    list_move(&polls, &client->polls);
    client->snapshot = NULL;
    client->judged = false;
    client->used_ns = uv_hrtime();
    buffer_deinit(&client->rest);

    snapshot->duration_ns = client->used_ns - client->started_ns;
    snapshot_drop_unanswered(snapshot);
    snapshot_finish(snapshot);
    log_transition(client, snapshot);
    for (struct link *link; (link = list_pop(&polls));) {
        struct poll *poll = container_of(link, struct poll, link);
        poll->client = NULL;
        poll->on_done(poll, snapshot_hold(snapshot));
    }
    snapshot_release(snapshot);
}

static void close_connection(struct client *client)
{
    client->phase = CLIENT_CLOSING;
    stream_close(&client->stream, on_closed);
}

/* The poll can get no more; it is reported when its connection is closed. */
static void fail(struct client *client, enum target_state state, const char *error)
{
    judge(client, state, error);
    close_connection(client);
}

/* --- The beginning of a poll --- */

static void dial(struct client *client)
{
    client->phase = CLIENT_DIALING;
    client->snapshot->reused = false;
    dialer_start(&client->dialer, on_dialed);
}

/* The connection has ended under a poll. One that was kept and has not answered yet gets a second chance. */
static void lose_connection(struct client *client, int status)
{
    char error[96];
    if (client->snapshot->reused && client->received == 0) {
        close_connection(client);
        return;
    }
    snprintf(error, sizeof(error),
             client->received ? "the connection ended in the middle of the answer: %s"
                              : "the connection ended without an answer: %s",
             uv_strerror(status));
    fail(client, TARGET_PROTOCOL_ERROR, error);
}

/*
 * The kernel takes a request of this size at once, nearly always. That saves more than a callback: libuv
 * would call back only after it has read, and a fast server's whole answer would be there before the write is
 * known to be over.
 */
static int send_request(struct client *client)
{
    const struct buffer *request = &client->shared->request;
    ssize_t written = stream_write_now(&client->stream, request->data, request->len);
    if (written < 0) return (int) written;
    if ((size_t) written == request->len) return 0;
    uv_buf_t rest = uv_buf_init(request->data + written, (unsigned) (request->len - (size_t) written));
    return stream_write(&client->stream, &rest, 1, on_written);
}

static void ask(struct client *client)
{
    int result = 0;
    client->phase = CLIENT_ASKING;
    if (!client->snapshot->reused) result = stream_read(&client->stream, on_lend, on_read);
    if (result == 0) result = send_request(client);
    if (result < 0) lose_connection(client, result);
}

static enum target_state state_of_failure(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
        return TARGET_UNRESOLVED;
    case UV_ECONNREFUSED:
        return TARGET_REFUSED;
    case UV_ETIMEDOUT:
        return TARGET_TIMEOUT;
    default:
        return TARGET_UNREACHABLE;
    }
}

static void on_dialed(struct dialer *dialer, int status, const char *why)
{
    struct client *client = container_of(dialer, struct client, dialer);
    if (status == 0) {
        ask(client);
        return;
    }
    client->phase = CLIENT_IDLE;
    judge(client, state_of_failure(status), why);
    report(client);
}

int client_poll(struct client *client, struct poll *poll, poll_fn on_done)
{
    bool first = !client->snapshot;
    if (first) {
        client->snapshot = snapshot_new(client->shared->commands, client->shared->max_reply);
        if (!client->snapshot) return UV_ENOMEM;
        client->started_ns = uv_hrtime();
        client->received = 0;
        client->replied = 0;
    }
    poll->client = client;
    poll->on_done = on_done;
    list_append(&client->polls, &poll->link);
    if (first && client->phase == CLIENT_IDLE) {
        dial(client);
    } else if (first && client->phase == CLIENT_KEPT) {
        client->snapshot->reused = true;
        ask(client);
    }
    /* In CLIENT_CLOSING the poll begins when the stream is free; otherwise it has joined the one under way.
     */
    return 0;
}

/* --- Reading --- */

static bool all_replied(const struct client *client)
{
    return (client->shared->commands & ~client->replied) == 0;
}

/* Replies come in the order of the request, which is the order of the commands. */
static enum command current_command(const struct client *client)
{
    enum command command = 0;
    unsigned missing = client->shared->commands & ~client->replied;
    while (!(missing & COMMAND_BIT(command))) command++;
    return command;
}

/* A refusal of one command leaves the others; a refusal of `stats` is one of the whole. */
static void take_refusal(struct client *client, enum command command, struct slice line)
{
    char error[96];
    snprintf(error, sizeof(error), "the server said: %.*s", (int) (line.len > 64 ? 64 : line.len), line.data);
    switch (reply_refusal(line)) {
    case REFUSAL_OVERLOADED:
        fail(client, TARGET_OVERLOADED, error);
        break;
    case REFUSAL_UNAUTHENTICATED:
        fail(client, TARGET_AUTH_FAILED, error);
        break;
    case REFUSAL_COMMAND:
        if (command == COMMAND_STATS) fail(client, TARGET_PROTOCOL_ERROR, error);
        break;
    }
}

/* Takes a line off the input if there is a whole one; whether to look for another. */
static bool take_line(struct client *client, struct slice *input)
{
    struct reply_line line = reply_next(input);
    enum command command = current_command(client);
    switch (line.kind) {
    case REPLY_MORE:
        return false;
    case REPLY_MALFORMED:
        fail(client, TARGET_PROTOCOL_ERROR, "the answer is not in the memcached protocol");
        return false;
    case REPLY_STAT:
        if (snapshot_add(client->snapshot, command, line.key, line.value)) return true;
        fail(client, TARGET_PROTOCOL_ERROR, "no memory for the answer");
        return false;
    case REPLY_END:
        client->snapshot->answered |= COMMAND_BIT(command);
        break;
    case REPLY_REFUSED:
        take_refusal(client, command, line.value);
        break;
    }
    client->replied |= COMMAND_BIT(command);
    return client->phase == CLIENT_ASKING && !all_replied(client);
}

/* Every reply is in. A connection with bytes that nobody asked for is not kept: they would answer the next
 * poll. */
static void complete(struct client *client, bool clean)
{
    judge(client, TARGET_PROTOCOL_ERROR, "");
    if (client->shared->keep && clean && !client->stream.writing) {
        client->phase = CLIENT_KEPT;
        report(client);
    } else {
        close_connection(client);
    }
}

static void take_input(struct client *client, struct slice input)
{
    while (take_line(client, &input)) continue;
    if (client->phase != CLIENT_ASKING) return;
    if (all_replied(client)) {
        complete(client, input.len == 0);
    } else if (client->received > client->shared->max_reply) {
        fail(client, TARGET_PROTOCOL_ERROR, "the answer is larger than --memcached.max-reply");
    } else {
        buffer_clear(&client->rest);
        buffer_append_slice(&client->rest, input);
        if (client->rest.failed) fail(client, TARGET_PROTOCOL_ERROR, "no memory for the answer");
    }
}

/* All clients share one memory, since libuv reads into it and calls on_read before it lends again. */
static uv_buf_t on_lend(struct stream *stream)
{
    struct client *client = container_of(stream, struct client, stream);
    char *bytes = client->shared->read_buffer;
    size_t rest = client->rest.len;
    if (rest) memcpy(bytes, client->rest.data, rest);
    return uv_buf_init(bytes + rest, (unsigned) (CLIENT_READ_SIZE - rest));
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct client *client = container_of(stream, struct client, stream);
    if (client->phase == CLIENT_KEPT) {
        /* It ended, or the server speaks unasked: either way it is of no more use. */
        close_connection(client);
    } else if (n < 0) {
        lose_connection(client, (int) n);
    } else {
        client->received += (size_t) n;
        take_input(client, (struct slice){client->shared->read_buffer, client->rest.len + (size_t) n});
    }
}

static void on_written(struct stream *stream, int status)
{
    struct client *client = container_of(stream, struct client, stream);
    if (status < 0 && client->phase == CLIENT_ASKING) lose_connection(client, status);
}

/* --- Closing --- */

void client_free(struct client *client)
{
    free(client->name);
    free(client);
}

static void after_close(struct client *client)
{
    client->phase = CLIENT_IDLE;
    if (client->snapshot && client->judged) {
        report(client);
    } else if (client->snapshot) {
        dial(client);
    } else if (client->on_close) {
        client->on_close(client);
        client_free(client);
    }
}

static void on_closed(struct stream *stream)
{
    after_close(container_of(stream, struct client, stream));
}

static void on_cancelled(struct dialer *dialer)
{
    after_close(container_of(dialer, struct client, dialer));
}

/* Stops the poll that is under way, which nobody waits for any more. */
static void abandon(struct client *client)
{
    report(client);
    if (client->phase == CLIENT_ASKING) {
        close_connection(client);
    } else if (client->phase == CLIENT_DIALING) {
        client->phase = CLIENT_CLOSING;
        dialer_cancel(&client->dialer, on_cancelled);
    }
}

/* What is to be said of a target that was not done in time. */
static enum target_state state_when_late(const struct client *client, const char **error)
{
    if (client->phase == CLIENT_DIALING && client->dialer.phase == DIALER_RESOLVING) {
        *error = "the name was not resolved in time";
        return TARGET_UNRESOLVED;
    }
    if (client->phase == CLIENT_DIALING && client->dialer.phase == DIALER_QUEUED) {
        *error = "too many other connections were being made, see --memcached.max-connecting";
    } else if (client->phase == CLIENT_DIALING) {
        *error = "no connection in time";
    } else {
        *error = "no whole answer in time";
    }
    return TARGET_TIMEOUT;
}

struct snapshot *poll_give_up(struct poll *poll)
{
    struct client *client = poll->client;
    const char *error;
    enum target_state state = state_when_late(client, &error);
    struct snapshot *snapshot;

    link_remove(&poll->link);
    poll->client = NULL;
    if (list_is_empty(&client->polls)) {
        judge(client, state, error);
        snapshot = snapshot_hold(client->snapshot);
        abandon(client);
    } else {
        snapshot = snapshot_copy(client->snapshot);
        if (!snapshot) return NULL;
        if (!client->judged) snapshot_judge(snapshot, state, error);
        snapshot->duration_ns = uv_hrtime() - client->started_ns;
    }
    return snapshot;
}

/* --- Life --- */

struct client *client_new(struct client_shared *shared, const struct address *address)
{
    struct client *client = calloc(1, sizeof(*client));
    struct buffer name;
    if (!client) return NULL;
    buffer_init(&name, 2 * sizeof(address->host));
    address_format(address, &name);
    buffer_append_char(&name, '\0');
    if (name.failed) {
        buffer_deinit(&name);
        free(client);
        return NULL;
    }
    client->shared = shared;
    client->address = *address;
    client->name = name.data;
    buffer_init(&client->rest, REPLY_LINE_MAX);
    stream_init(&client->stream, shared->loop);
    dialer_init(&client->dialer, shared->loop, shared->resolver, &shared->gate, &client->address,
                &client->stream);
    list_init(&client->polls);
    link_init(&client->link);
    return client;
}

void poll_init(struct poll *poll)
{
    *poll = (struct poll){0};
    link_init(&poll->link);
}

bool client_is_idle(const struct client *client)
{
    return client->phase == CLIENT_IDLE;
}

void client_close_unused(struct client *client, uint64_t before_ns)
{
    if (client->phase == CLIENT_KEPT && client->used_ns < before_ns) close_connection(client);
}

void client_close(struct client *client, client_close_fn on_close)
{
    assert(!client->snapshot && !client->on_close);
    client->on_close = on_close;
    /* The close of a stream that is not open calls back all the same. */
    if (client->phase == CLIENT_IDLE) stream_init(&client->stream, client->shared->loop);
    if (client->phase != CLIENT_CLOSING) close_connection(client);
}
