/*
 * The usual course of a poll, on a new connection and on a kept connection:
 *
 *     poll_start -> client_begin -> dial -> on_dialed -> ask -> (the channel) -> client_answered -> report
 *     poll_start -> client_begin ----------------------> ask -> (the channel) -> client_answered -> report
 *
 * What can go wrong: the dialer fails; the connection ends or breaks; the bytes are not a stats reply, or are
 * too many; all callers give up. If a kept connection ends before the first byte of an answer, it was dead
 * before: the poll dials a new connection. If a kept connection is silent for a while, it may be dead too
 * (on_stall). Then a new connection is asked as well, and the first complete answer wins. If a kept
 * connection brings more bytes than the answer, some may be an old answer: the poll asks again on a new
 * connection. Once the `stats` reply is complete, a failure only costs the missing commands, not the target.
 *
 * A useless connection closes in the background, so that the client is free for the next poll at once.
 */
#include "memcached/client.h"

#include "base/container.h"
#include "memcached/poll.h"
#include "memcached/target_state.h"

#include <assert.h>
#include <stdlib.h>

/* Cost of sorting one line by comparing, in bytes of the read budget. */
#define SORT_COST 64

/* --- Channels --- */

struct channel *client_channel(const struct client *client, const struct stream *stream)
{
    for (size_t n = 0; n < ARRAY_LEN(client->channels); n++) {
        struct channel *channel = client->channels[n];
        if (channel && channel->stream == stream) return channel;
    }
    return NULL;
}

static struct channel *other_channel(const struct client *client, const struct channel *channel)
{
    return client->channels[client->channels[0] == channel];
}

static void take_off(struct client *client, const struct channel *channel)
{
    client->channels[client->channels[0] != channel] = NULL;
}

static void drop_channel(struct client *client, struct channel *channel)
{
    if (!channel) return;
    take_off(client, channel);
    client->shared->counts.open--;
    channel_free(channel);
}

static void drop_kept(struct client *client)
{
    if (!client->kept) return;
    client->shared->counts.open--;
    resumption_learn(&client->resumption, client->kept);
    stream_dispose(client->kept);
    client->kept = NULL;
}

/* Cancels the dialer. `late`: a deadline passed before there was a connection. */
static void drop_dialer(struct client *client, bool late)
{
    if (client->dialer) dialer_cancel(client->dialer, late);
    client->dialer = NULL;
}

/* Makes the channel's snapshot the snapshot of the poll. */
static void use_snapshot(struct client *client, const struct channel *channel)
{
    if (client->snapshot == channel->snapshot) return;
    snapshot_release(client->snapshot);
    client->snapshot = snapshot_hold(channel->snapshot);
}

/* --- The end of a poll --- */

void client_judge(struct client *client, enum target_state state, const char *error)
{
    if (client->judged) return;
    client->judged = true;
    snapshot_judge(client->snapshot, state, error);
}

/*
 * Ends the current poll: frees its channels and dialer, finishes its snapshot and passes the snapshot to all
 * callers that wait.
 */
static void report(struct client *client, bool late)
{
    struct snapshot *snapshot = client->snapshot;
    drop_channel(client, client->channels[0]);
    drop_channel(client, client->channels[1]);
    drop_dialer(client, late);
    client->snapshot = NULL;
    client->judged = false;
    client->used_ns = uv_hrtime();

    if (snapshot->state != TARGET_UP && !client->kept)
        client->protocol = profile_protocol(client->key.profile);
    snapshot->duration_ns = client->used_ns - client->started_ns;
    snapshot_drop_unanswered(snapshot);
    read_budget_charge(&client->shared->budget, SORT_COST * snapshot_finish(snapshot));
    target_state_log(snapshot, client->key.name, &client->reported, client->shared->state_log);
    target_remark_log(snapshot, client->key.name, &client->remark);
    history_observe(&client->history, snapshot, client->used_ns / 1000000);
    if (snapshot->state == TARGET_UP) snapshot->counters_since = history_counters_since(&client->history);
    if (client->shared->on_poll) client->shared->on_poll(client->shared->on_poll_context, client, snapshot);
    polls_tell(client, snapshot);
    snapshot_release(snapshot);
}

static void fail(struct client *client, enum target_state state, const char *error)
{
    client_judge(client, state, error);
    report(client, false);
}

/* --- The beginning of a poll --- */

struct snapshot *client_new_snapshot(const struct client *client, unsigned commands)
{
    const struct client_shared *shared = client->shared;
    struct snapshot *snapshot =
        snapshot_new(commands & commands_harmless(), shared->max_reply, shared->max_prefixes);
    if (snapshot) snapshot_join(snapshot, shared->memory);
    return snapshot;
}

/*
 * Asks over a new channel, which takes ownership of the stream. Returns 0 or a negative libuv code. After an
 * error, the stream is closed.
 */
static int ask(struct client *client, struct stream *stream, struct snapshot *snapshot)
{
    struct channel *channel = channel_new(client, stream, snapshot);
    if (!channel) {
        client->shared->counts.open--;
        return UV_ENOMEM;
    }
    if (!client->channels[0]) client->asked_ns = uv_hrtime();
    client->channels[client->channels[0] != NULL] = channel;
    int result = channel_ask(channel, client->protocol, client->commands);
    if (result < 0) drop_channel(client, channel);
    return result;
}

static void fail_to_ask(struct client *client, int status)
{
    char error[TARGET_ERROR_MAX];
    fail(client, target_state_of_end(status, NULL, 0, error), error);
}

/* Notes when the limiter admitted the first dial: the server's time starts then. */
static void note_admission(struct client *client)
{
    if (!client->admitted_ns) client->admitted_ns = dialer_admitted_ns(client->dialer);
}

/*
 * Called when the dialer ends. The poll has no connection, or a silent one. A silent connection then gets a
 * second channel beside it.
 */
static void on_dialed(void *context, struct stream *stream, int status, const char *why)
{
    struct client *client = context;
    bool alone = !client->channels[0];
    uint64_t connect_ns = uv_hrtime() - dialer_admitted_ns(client->dialer);
    if (alone) note_admission(client);
    client->dialer = NULL;
    if (status < 0) {
        if (alone) fail(client, target_state_of_failure(status), why);
        return;
    }
    client->shared->counts.opened++;
    client->shared->counts.open++;
    if (client->shared->keep) stream_keep_alive(stream);
    struct snapshot *snapshot =
        alone ? snapshot_hold(client->snapshot) : client_new_snapshot(client, client->commands);
    status = UV_ENOMEM;
    if (snapshot) {
        snapshot->part_ns[PART_CONNECT] = connect_ns;
        status = ask(client, stream, snapshot);
    } else {
        client->shared->counts.open--;
        stream_dispose(stream);
    }
    snapshot_release(snapshot);
    if (status < 0 && alone) fail_to_ask(client, status);
}

static int dial(struct client *client)
{
    struct client_shared *shared = client->shared;
    struct dial_plan plan = {
        .loop = shared->loop,
        .resolver = shared->resolver,
        .limiter = &shared->limiter,
        .address = &client->address,
        .policy = client->key.profile->policy,
        .refusals = shared->counts.refused,
        .record = &client->record,
        .trace = client->trace,
        .time_ms = client->key.profile->timeout_ms,
    };
    return dialer_start(&client->dialer, &plan, on_dialed, client);
}

/* Starts the current poll again on a new connection. */
static void begin_anew(struct client *client)
{
    client->snapshot->reused = false;
    int result = dial(client);
    if (result < 0) fail(client, TARGET_UNREACHABLE, uv_strerror(result));
}

/*
 * Asks on the kept connection and returns true, if there is one. If bytes are waiting on it, no request
 * belongs to them, so it is closed.
 */
static bool ask_kept(struct client *client)
{
    struct stream *stream = client->kept;
    if (stream && !stream_is_quiet(stream)) drop_kept(client);
    if (!client->kept) return false;
    client->kept = NULL;
    client->snapshot->reused = true;
    client->shared->counts.reused++;
    dialer_refresh(client->shared->resolver, &client->address);
    if (ask(client, stream, client->snapshot) < 0) return false;
    stall_watch(&client->shared->stall, client->channels[0],
                stall_patience_ms(&client->patience, client->key.profile->timeout_ms));
    return true;
}

int client_begin(struct client *client)
{
    client->started_ns = uv_hrtime();
    client->admitted_ns = 0;
    client->given_up = client->restarted = client->patience.doubted = false;
    if (ask_kept(client)) return 0;
    client->snapshot->reused = false;
    return dial(client);
}

/* --- What becomes of channels --- */

/*
 * Dials a second connection. Unread bytes are an answer, so no second one is needed then. If out of memory,
 * the poll stays with the silent connection.
 */
static void on_stall(struct channel *channel)
{
    struct client *client = channel->client;
    if (!stream_is_quiet(channel->stream) || dial(client) < 0) return;
    client->shared->counts.stalled++;
    client->patience.doubted = true;
}

void client_heard(struct client *client, struct channel *channel)
{
    const struct channel *other = other_channel(client, channel);
    link_remove(&channel->link);
    drop_dialer(client, false);
    if (!other || other->received == 0) use_snapshot(client, channel);
}

/* Drops the channel and returns true, if the poll has another channel or is dialling. */
static bool leave_to_other(struct client *client, struct channel *channel)
{
    struct channel *other = other_channel(client, channel);
    if (!other && !client->dialer) return false;
    if (other) use_snapshot(client, other);
    drop_channel(client, channel);
    return true;
}

/*
 * Asks again on a new connection. A kept connection brought more bytes than the answer, so the answer may
 * belong to no request of this poll.
 */
static void ask_elsewhere(struct client *client, struct channel *channel)
{
    dialer_distrust(client->shared->resolver, &client->address);
    if (leave_to_other(client, channel)) return;
    struct snapshot *snapshot = client_new_snapshot(client, client->commands);
    drop_channel(client, channel);
    if (!snapshot) {
        fail_to_ask(client, UV_ENOMEM);
        return;
    }
    snapshot_release(client->snapshot);
    client->snapshot = snapshot;
    begin_anew(client);
}

void client_answered(struct client *client, struct channel *channel, bool clean)
{
    if (!clean && channel->snapshot->reused) {
        ask_elsewhere(client, channel);
        return;
    }
    stall_learn(&client->patience, channel->snapshot->reused, client->asked_ns);
    use_snapshot(client, channel);
    client_judge(client, TARGET_PROTOCOL_ERROR, "");
    bool moved = dialer_has_moved(client->shared->resolver, &client->address, &client->record);
    if (client->shared->keep && clean && !moved && !channel->is_spoilt) {
        take_off(client, channel);
        client->kept = channel_keep(channel);
    }
    report(client, false);
}

/*
 * Starts the poll again with a full handshake and returns true, if the server may have refused an earlier TLS
 * session. A server may do so in the handshake or after it.
 */
static bool begin_without_session(struct client *client, struct channel *channel)
{
    if (!channel->offered || channel->received) return false;
    drop_channel(client, channel);
    resumption_refuse(&client->resumption);
    trace_note(client->trace, "asking again with a full handshake");
    begin_anew(client);
    return true;
}

/*
 * Starts the poll again in the binary protocol and returns true, if the server may speak only that. Such a
 * server ends the connection when it gets a login in the text protocol. The binary protocol remains in use as
 * long as the server answers.
 */
static bool begin_in_binary(struct client *client, struct channel *channel, int status)
{
    bool may_change =
        access_protocol(client->key.profile->access) == PROTOCOL_AUTO && client->protocol == &protocol_text;
    if (status != UV_EOF || !may_change || !channel->session.awaits_login || channel->received) return false;
    drop_channel(client, channel);
    client->protocol = &protocol_binary;
    trace_note(client->trace, "asking again in the binary protocol");
    begin_anew(client);
    return true;
}

void client_lost(struct client *client, struct channel *channel, int status)
{
    char error[TARGET_ERROR_MAX];
    dialer_distrust(client->shared->resolver, &client->address);
    if (leave_to_other(client, channel) || begin_without_session(client, channel)) return;
    if (begin_in_binary(client, channel, status)) return;
    if (channel->snapshot->reused && channel->received == 0) {
        drop_channel(client, channel);
        begin_anew(client);
        return;
    }
    enum target_state state =
        channel->shakes_hands ? target_state_of_handshake(status, channel_why(channel), error)
                              : target_state_of_end(status, channel_why(channel), channel->received, error);
    fail(client, state, error);
}

void client_failed(struct client *client, struct channel *channel, enum target_state state, const char *error)
{
    if (!leave_to_other(client, channel)) fail(client, state, error);
}

void client_unasked(struct client *client)
{
    dialer_distrust(client->shared->resolver, &client->address);
    drop_kept(client);
}

/* --- For polls --- */

enum client_phase client_phase(const struct client *client)
{
    if (client->channels[0] || client->channels[1]) return CLIENT_ASKING;
    if (client->dialer) return CLIENT_DIALING;
    return client->kept ? CLIENT_KEPT : CLIENT_IDLE;
}

void client_restart(struct client *client)
{
    if (client_phase(client) == CLIENT_DIALING) note_admission(client);
    drop_channel(client, client->channels[0]);
    drop_channel(client, client->channels[1]);
    drop_dialer(client, true);
    begin_anew(client);
}

void client_abandon(struct client *client)
{
    report(client, true);
}

/* --- Life --- */

void client_shared_init(struct client_shared *shared, uv_loop_t *loop)
{
    shared->loop = loop;
    stall_init(&shared->stall, loop, on_stall);
}

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
    client->protocol = profile_protocol(profile);
    if (profile->traced) client->trace = trace_new();
    list_init(&client->polls);
    list_init(&client->next_polls);
    link_init(&client->link);
    return client;
}

bool client_close_unused(struct client *client, uint64_t before_ns)
{
    bool unused = client->kept && client->used_ns < before_ns;
    if (unused) drop_kept(client);
    return unused;
}

void client_free(struct client *client)
{
    assert(!client->snapshot);
    drop_kept(client);
    resumption_deinit(&client->resumption);
    profile_release(client->key.profile);
    trace_free(client->trace);
    history_deinit(&client->history);
    free(client->key.name);
    free(client);
}
