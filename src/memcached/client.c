/*
 * The happy path of a poll, on a new connection and on a kept one:
 *
 *     poll_start -> dial -> on_dialed -> ask -> on_read* -> take_input -> go_on -> complete -> report
 *     poll_start ----------------------> ask -> on_read* -> take_input -> go_on -> complete -> report
 *
 * What is asked and what the answers say is the session's; when its first requests are answered, go_on
 * sends the second ones, if there are any.
 *
 * What can go wrong: the dialer fails; the connection ends or breaks; the bytes are no stats reply, or too
 * many; everybody gives up. A poll that fails closes its connection first and reports from after_close, so
 * that the next poll, which may be asked for in that very report, finds the stream free. A kept connection
 * that ends before the first byte of an answer was dead all along: the poll dials once more. When the `stats`
 * reply is whole, what fails afterwards costs the commands that are missing, not the target.
 */
#include "memcached/client.h"

#include "base/container.h"
#include "memcached/poll.h"
#include "memcached/target_state.h"

#include <assert.h>
#include <stdlib.h>

/* To sort a line by its name takes as long as to read so many bytes. */
#define SORT_COST 64

static void on_dialed(struct dialer *dialer, int status, const char *why);
static uv_buf_t on_lend(struct stream *stream);
static void on_read(struct stream *stream, ssize_t n);
static void on_written(struct stream *stream, int status);
static void on_closed(struct stream *stream);

/* --- The end of a poll --- */

void client_judge(struct client *client, enum target_state state, const char *error)
{
    if (client->judged) return;
    client->judged = true;
    snapshot_judge(client->snapshot, state, error);
}

/* Takes the poll off the client, finishes its snapshot and passes it to those who wait. */
static void report(struct client *client)
{
    struct snapshot *snapshot = client->snapshot;
    client->snapshot = NULL;
    client->judged = false;
    client->used_ns = uv_hrtime();
    buffer_deinit(&client->rest);

    snapshot->duration_ns = client->used_ns - client->started_ns;
    snapshot_drop_unanswered(snapshot);
    read_budget_charge(&client->shared->budget, SORT_COST * snapshot_finish(snapshot));
    target_state_log(snapshot, client->key.name, &client->reported_down);
    if (client->shared->on_poll) client->shared->on_poll(client->shared->on_poll_context, client, snapshot);
    polls_tell(client, snapshot);
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
    client_judge(client, state, error);
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
    char error[TARGET_ERROR_MAX];
    dialer_distrust(&client->dialer);
    if (client->snapshot->reused && client->received == 0) {
        close_connection(client);
        return;
    }
    fail(client, target_state_of_end(status, client->received, error), error);
}

/*
 * Sends the next requests of the session. The kernel takes so few bytes at once, nearly always. That
 * saves more than a callback: libuv would call back only after it has read, and a fast server's whole answer
 * would be there before the write is known to be over.
 */
static void send_requests(struct client *client)
{
    size_t len = session_ask(&client->session, client->request);
    ssize_t written = stream_write_now(&client->stream, client->request, len);
    int result = written < 0 ? (int) written : 0;
    if (result == 0 && (size_t) written < len) {
        uv_buf_t rest = uv_buf_init(client->request + written, (unsigned) (len - (size_t) written));
        result = stream_write(&client->stream, &rest, 1, on_written);
    }
    if (result < 0)
        lose_connection(client, result);
    else
        client->shared->counts.bytes_written += len;
}

static void ask(struct client *client)
{
    client->phase = CLIENT_ASKING;
    client->asked_ns = uv_hrtime();
    session_init(&client->session, client->snapshot, client->commands);
    stream_share(&client->stream, &client->shared->budget);
    int result = client->snapshot->reused ? 0 : stream_read(&client->stream, on_lend, on_read);
    if (result < 0)
        lose_connection(client, result);
    else
        send_requests(client);
}

static void on_dialed(struct dialer *dialer, int status, const char *why)
{
    struct client *client = container_of(dialer, struct client, dialer);
    if (status == 0) {
        client->shared->counts.opened++;
        client->shared->counts.open++;
        client->connected = true;
        ask(client);
        return;
    }
    client->phase = CLIENT_IDLE;
    client_judge(client, target_state_of_failure(status), why);
    report(client);
}

void client_begin(struct client *client)
{
    client->started_ns = uv_hrtime();
    client->received = 0;
    client->given_up = client->restarted = false;
    if (client->phase == CLIENT_IDLE) {
        dial(client);
    } else if (client->phase == CLIENT_KEPT) {
        client->snapshot->reused = true;
        dialer_refresh(&client->dialer);
        client->shared->counts.reused++;
        ask(client);
    }
}

/* --- Reading --- */

/*
 * Every reply is in. Not kept is a connection with more bytes, since they would answer the next poll, and one to an
 * address that the name has no longer.
 */
static void complete(struct client *client, bool clean)
{
    client_judge(client, TARGET_PROTOCOL_ERROR, "");
    if (client->shared->keep && clean && !client->stream.writing && !dialer_has_moved(&client->dialer)) {
        client->phase = CLIENT_KEPT;
        report(client);
    } else {
        close_connection(client);
    }
}

/* What was asked so far is answered. The requests that may follow wait for the write before them. */
static void go_on(struct client *client, bool clean)
{
    if (!clean || !session_has_more(&client->session))
        complete(client, clean);
    else if (!client->stream.writing)
        send_requests(client);
}

static void keep_rest(struct client *client, struct slice rest)
{
    buffer_clear(&client->rest);
    buffer_append_slice(&client->rest, rest);
    if (client->rest.failed) fail(client, TARGET_PROTOCOL_ERROR, "no memory for the answer");
}

static void take_input(struct client *client, struct slice input)
{
    enum session_status status = session_take(&client->session, &input);
    if (!snapshot_count_memory(client->snapshot)) {
        fail(client, TARGET_OVERLOADED, "");
        return;
    }
    switch (status) {
    case SESSION_FAILED:
        fail(client, client->session.failure, client->session.error);
        break;
    case SESSION_PAUSES:
        buffer_clear(&client->rest);
        go_on(client, input.len == 0);
        break;
    case SESSION_WAITS:
        if (client->received > client->shared->max_reply)
            fail(client, TARGET_PROTOCOL_ERROR, "the answer is larger than --memcached.max-reply");
        else
            keep_rest(client, input);
        break;
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
        dialer_distrust(&client->dialer);
        close_connection(client);
    } else if (n < 0) {
        lose_connection(client, (int) n);
    } else {
        client->received += (size_t) n;
        client->shared->counts.bytes_read += (uint64_t) n;
        take_input(client, (struct slice){client->shared->read_buffer, client->rest.len + (size_t) n});
    }
}

static void on_written(struct stream *stream, int status)
{
    struct client *client = container_of(stream, struct client, stream);
    if (client->phase != CLIENT_ASKING) return;
    if (status < 0)
        lose_connection(client, status);
    else if (session_status(&client->session) == SESSION_PAUSES)
        go_on(client, true);
}

/* --- Closing --- */

void client_free(struct client *client)
{
    profile_release(client->key.profile);
    free(client->key.name);
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
    struct client *client = container_of(stream, struct client, stream);
    if (client->connected) client->shared->counts.open--;
    client->connected = false;
    after_close(client);
}

static void on_cancelled(struct dialer *dialer)
{
    after_close(container_of(dialer, struct client, dialer));
}

void client_disconnect(struct client *client)
{
    if (client->phase == CLIENT_ASKING) {
        close_connection(client);
    } else if (client->phase == CLIENT_DIALING) {
        client->phase = CLIENT_CLOSING;
        dialer_cancel(&client->dialer, on_cancelled);
    }
}

void client_abandon(struct client *client)
{
    report(client);
    client_disconnect(client);
}

/* --- Life --- */

struct client *client_new(struct client_shared *shared, const struct address *address,
                          struct profile *profile)
{
    struct client *client = calloc(1, sizeof(*client));
    char *name = address_text(address);
    if (!client || !name) {
        free(client);
        free(name);
        return NULL;
    }
    client->shared = shared;
    client->address = *address;
    client->key = (struct client_key){name, profile_hold(profile)};
    buffer_init(&client->rest, REPLY_LINE_MAX);
    stream_init(&client->stream, shared->loop);
    dialer_init(&client->dialer, shared->loop, shared->resolver, &shared->limiter, &client->address,
                &client->stream);
    client->dialer.policy = profile->policy;
    list_init(&client->polls);
    list_init(&client->next_polls);
    link_init(&client->link);
    return client;
}

bool client_is_idle(const struct client *client)
{
    return client->phase == CLIENT_IDLE;
}

bool client_close_unused(struct client *client, uint64_t before_ns)
{
    bool unused = client->phase == CLIENT_KEPT && client->used_ns < before_ns;
    if (unused) close_connection(client);
    return unused;
}

void client_close(struct client *client, client_close_fn on_close)
{
    assert(!client->snapshot && !client->on_close);
    client->on_close = on_close;
    /* The close of a stream that is not open calls back all the same. */
    if (client->phase == CLIENT_IDLE) stream_init(&client->stream, client->shared->loop);
    if (client->phase != CLIENT_CLOSING) close_connection(client);
}
