/*
 * channel_ask -> on_read* -> take_input -> go_on [-> send_requests -> on_read* ...] -> client_answered
 *
 * On a new connection, if the server requires TLS or a login, these come first:
 *
 * channel_ask [-> on_secure] -> open_session [-> send_login -> on_read -> go_on] -> send_requests
 *
 * Nothing else is sent before the login is answered: otherwise some servers end the connection, or die.
 *
 * The session makes the requests and reads the answers. When its first requests are answered, go_on sends the
 * second ones, if any. When all are answered, a probe may follow, one operation at a time:
 *
 * go_on -> begin_probe -> on_read -> take_probe -> ask_probe -> on_read ... -> end_probe -> client_answered
 */
#include "memcached/channel.h"

#include "memcached/client.h"

#include <stdlib.h>

static uv_buf_t on_lend(struct stream *stream);
static void on_read(struct stream *stream, ssize_t n);
static void on_written(struct stream *stream, int status);

/* --- Times --- */

static void begin_part(struct channel *channel, enum poll_part part)
{
    channel->part = part;
    channel->part_since_ns = uv_hrtime();
}

/* Does nothing if another part is under way. */
static void end_part(struct channel *channel, enum poll_part part)
{
    if (channel->part != part) return;
    channel->snapshot->part_ns[part] = uv_hrtime() - channel->part_since_ns;
    channel->part = POLL_PARTS;
}

/* --- Asking --- */

/*
 * Sends `bytes`, which are borrowed until the write is over. The kernel nearly always takes so few bytes at
 * once. Writing at once also avoids a late callback: libuv calls back only after reading. A fast server's
 * whole answer would then arrive before the channel knows that the write is over.
 */
static int send_bytes(struct channel *channel, char *bytes, size_t len)
{
    ssize_t written = stream_write_now(channel->stream, bytes, len);
    int result = written < 0 ? (int) written : 0;
    if (result == 0 && (size_t) written < len) {
        uv_buf_t rest = uv_buf_init(bytes + written, (unsigned) (len - (size_t) written));
        result = stream_write(channel->stream, &rest, 1, on_written);
    }
    if (result == 0) channel->client->shared->counts.bytes_written += len;
    return result;
}

static int send_requests(struct channel *channel)
{
    if (!channel->session.sent) begin_part(channel, PART_FIRST_BYTE);
    size_t len = session_ask(&channel->session, channel->request);
    struct trace *trace = channel->client->trace;
    if (trace) trace_append_bytes(trace, "sent", ">", (struct slice){channel->request, len});
    return send_bytes(channel, channel->request, len);
}

static int send_login(struct channel *channel)
{
    struct buffer *login = &channel->login;
    access_append_login(channel->client->key.profile->access, channel->session.protocol, login);
    if (login->failed) return UV_ENOMEM;
    session_await_login(&channel->session);
    begin_part(channel, PART_LOGIN);
    trace_note(channel->client->trace, "sent the login, which is not shown");
    int result = send_bytes(channel, login->data, login->len);
    if (!channel->stream->writing) buffer_wipe(&channel->login);
    return result;
}

/* Starts the session on a connection that is ready for it. */
static int open_session(struct channel *channel)
{
    bool is_new = !channel->snapshot->reused;
    stream_share(channel->stream, &channel->client->shared->budget);
    int result = is_new ? stream_read(channel->stream, on_lend, on_read) : 0;
    if (result < 0) return result;
    return is_new && channel->client->key.profile->logs_in ? send_login(channel) : send_requests(channel);
}

static void on_secure(struct stream *stream, int status, const char *why)
{
    struct channel *channel = client_channel(stream->context, stream);
    trace_note(channel->client->trace, "TLS handshake: %s",
               status == 0 ? "done"
               : why       ? why
                           : uv_strerror(status));
    if (status == 0) {
        channel->shakes_hands = false;
        end_part(channel, PART_TLS);
        status = open_session(channel);
    }
    if (status < 0) client_lost(channel->client, channel, status);
}

static int secure(struct channel *channel, struct tls_context *context)
{
    struct stream_security security = {
        .context = context,
        .server_name = profile_server_name(channel->client->key.profile, &channel->client->address),
        .session = resumption_offer(&channel->client->resumption, context),
    };
    trace_note(channel->client->trace, "TLS handshake: begins, for the name %s", security.server_name);
    channel->offered = security.session;
    channel->shakes_hands = true;
    begin_part(channel, PART_TLS);
    return stream_secure(channel->stream, &security, on_secure);
}

int channel_ask(struct channel *channel, const struct protocol *protocol, unsigned commands)
{
    const struct profile *profile = channel->client->key.profile;
    bool is_new = !channel->snapshot->reused;
    struct tls_context *context =
        is_new && profile->access ? access_tls(profile->access, profile->is_anonymous) : NULL;
    session_init(&channel->session, protocol, channel->snapshot, commands & COMMANDS_ALL);
    channel->wants_probe = commands & COLLECTOR_PROBE;
    return context ? secure(channel, context) : open_session(channel);
}

const char *channel_why(const struct channel *channel)
{
    const struct tls *tls = stream_tls(channel->stream);
    return tls ? tls_why(tls) : NULL;
}

/* --- Probing --- */

/* How long a server is not asked again for what it has refused. */
#define REFUSAL_NS (600 * UINT64_C(1000000000))

_Static_assert(PROBE_REQUEST_MAX <= PROTOCOL_REQUESTS_MAX, "a request of a probe fits");

/* Returns the operations that the server may be asked for. */
static unsigned probe_operations(struct channel *channel)
{
    struct client *client = channel->client;
    unsigned operations = PROBE_STORE;
    if (channel->session.protocol != &protocol_text) return 0;
    if (channel->session.has_meta_commands) operations |= PROBE_BIT(PROBE_MN);
    if (uv_hrtime() - client->probe_refused_ns > REFUSAL_NS) client->probe_refused = 0;
    return operations & ~client->probe_refused;
}

/*
 * Ends the poll. Whatever came of the probe, the stats are good. `clean`: no byte may follow the last answer.
 */
static void end_probe(struct channel *channel, bool clean)
{
    struct client *client = channel->client;
    const struct probe *probe = &channel->probe;
    channel->probes = false;
    channel->is_spoilt = !clean;
    channel->snapshot->probe.succeeded = !probe->failed;
    client->probe_refused |= probe->refused;
    if (probe->refused) client->probe_refused_ns = uv_hrtime();
    client_answered(client, channel, true);
}

static void ask_probe(struct channel *channel)
{
    size_t len = probe_ask(&channel->probe, channel->request);
    if (len == 0) {
        end_probe(channel, true);
        return;
    }
    channel->probe_since_ns = uv_hrtime();
    int result = send_bytes(channel, channel->request, len);
    if (result < 0) client_lost(channel->client, channel, result);
}

/*
 * Starts a probe and returns true, if one is wanted. A poll with two connections is not followed by one: each
 * would delete the key of the other.
 */
static bool begin_probe(struct channel *channel)
{
    const struct client *client = channel->client;
    bool alone = !client->dialer && !(client->channels[0] && client->channels[1]);
    unsigned operations = channel->wants_probe && alone ? probe_operations(channel) : 0;
    channel->snapshot->probe.skipped = operations == 0;
    if (operations == 0) return false;
    channel->probes = true;
    probe_init(&channel->probe, client->shared->probe_key, operations);
    ask_probe(channel);
    return true;
}

static void keep_rest(struct channel *channel, struct slice rest)
{
    buffer_clear(&channel->rest);
    buffer_append_slice(&channel->rest, rest);
    if (channel->rest.failed)
        client_failed(channel->client, channel, TARGET_PROTOCOL_ERROR, "no memory for the answer");
}

/* Takes the answer of one operation, and asks the next. The server must say nothing more until then. */
static void take_probe(struct channel *channel, struct slice input)
{
    enum probe_operation operation = probe_next(&channel->probe);
    enum probe_status status = probe_take(&channel->probe, &input);
    if (status == PROBE_WAITS) {
        keep_rest(channel, input);
        return;
    }
    buffer_clear(&channel->rest);
    if (status == PROBE_ANSWERED)
        channel->snapshot->probe.took_ns[operation] = uv_hrtime() - channel->probe_since_ns;
    bool clean = input.len == 0 && !channel->stream->writing;
    if (!clean && status != PROBE_STOPPED) channel->probe.failed = true;
    if (!clean || status == PROBE_STOPPED)
        end_probe(channel, false);
    else
        ask_probe(channel);
}

/* --- Reading --- */

/* Called when all requests so far are answered. The next requests wait until the previous write is over. */
static void go_on(struct channel *channel, bool clean)
{
    bool more = session_has_more(&channel->session);
    if (clean && !more && !channel->stream->writing && begin_probe(channel)) return;
    if (!clean || !more) {
        client_answered(channel->client, channel, clean && !channel->stream->writing);
        return;
    }
    int result = channel->stream->writing ? 0 : send_requests(channel);
    if (result < 0) client_lost(channel->client, channel, result);
}

static void take_input(struct channel *channel, struct slice input)
{
    if (channel->probes) {
        take_probe(channel, input);
        return;
    }
    end_part(channel, PART_FIRST_BYTE);
    enum session_status status = session_take(&channel->session, &input);
    if (!channel->session.awaits_login) end_part(channel, PART_LOGIN);
    if (!snapshot_count_memory(channel->snapshot)) {
        client_failed(channel->client, channel, TARGET_OVERLOADED, "");
        return;
    }
    switch (status) {
    case SESSION_FAILED:
        client_failed(channel->client, channel, channel->session.failure, channel->session.error);
        break;
    case SESSION_PAUSES:
        buffer_clear(&channel->rest);
        go_on(channel, input.len == 0);
        break;
    case SESSION_WAITS:
        if (channel->received > channel->client->shared->max_reply)
            client_failed(channel->client, channel, TARGET_PROTOCOL_ERROR,
                          "the answer is larger than --memcached.max-reply");
        else
            keep_rest(channel, input);
        break;
    }
}

/*
 * Returns memory for a read. All clients share one buffer: libuv reads into it and calls on_read before it
 * asks for memory again.
 */
static uv_buf_t on_lend(struct stream *stream)
{
    struct client *client = stream->context;
    struct channel *channel = client_channel(client, stream);
    char *bytes = client->shared->read_buffer;
    size_t rest = channel ? channel->rest.len : 0;
    if (rest) memcpy(bytes, channel->rest.data, rest);
    return uv_buf_init(bytes + rest, (unsigned) (CLIENT_READ_SIZE - rest));
}

/*
 * Returns true if the bytes must not be shown, because they may repeat the login: they answer it, contain the
 * password, or are a piece of a line that may contain a piece of the password.
 */
static bool may_tell_login(const struct channel *channel, struct slice bytes)
{
    const struct profile *profile = channel->client->key.profile;
    if (!profile->logs_in) return false;
    return channel->session.awaits_login || channel->rest.len > 0 || bytes.data[bytes.len - 1] != '\n' ||
           access_is_told_in(profile->access, bytes);
}

static void trace_read(const struct channel *channel, struct slice bytes)
{
    struct trace *trace = channel->client->trace;
    if (bytes.len == 0) return;
    if (may_tell_login(channel, bytes))
        trace_append(trace, "received %zu bytes, which are not shown: they may repeat the login", bytes.len);
    else
        trace_append_bytes(trace, "received", "<", bytes);
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct client *client = stream->context;
    struct channel *channel = client_channel(client, stream);
    if (!channel) {
        client_unasked(client);
    } else if (n < 0) {
        trace_note(client->trace, "the connection has ended: %s", uv_strerror((int) n));
        client_lost(client, channel, (int) n);
    } else {
        if (channel->received == 0) client_heard(client, channel);
        channel->received += (size_t) n;
        client->shared->counts.bytes_read += (uint64_t) n;
        if (client->trace)
            trace_read(channel, (struct slice){client->shared->read_buffer + channel->rest.len, (size_t) n});
        take_input(channel, (struct slice){client->shared->read_buffer, channel->rest.len + (size_t) n});
    }
}

static void on_written(struct stream *stream, int status)
{
    struct channel *channel = client_channel(stream->context, stream);
    if (!channel) return;
    buffer_wipe(&channel->login);
    if (status < 0)
        client_lost(channel->client, channel, status);
    else if (!channel->probes && session_status(&channel->session) == SESSION_PAUSES)
        go_on(channel, true);
}

/* --- Life --- */

struct channel *channel_new(struct client *client, struct stream *stream, struct snapshot *snapshot)
{
    struct channel *channel = malloc(sizeof(*channel));
    if (!channel) {
        stream_dispose(stream);
        return NULL;
    }
    channel->client = client;
    channel->stream = stream;
    channel->snapshot = snapshot_hold(snapshot);
    channel->received = 0;
    stream->context = client;
    channel->shakes_hands = channel->offered = false;
    channel->part = POLL_PARTS;
    channel->probes = channel->is_spoilt = false;
    buffer_init(&channel->rest, REPLY_LINE_MAX);
    buffer_init(&channel->login, 2 * ACCESS_PASSWORD_MAX);
    link_init(&channel->link);
    return channel;
}

struct stream *channel_keep(struct channel *channel)
{
    struct stream *stream = channel->stream;
    channel->stream = NULL;
    channel_free(channel);
    return stream;
}

void channel_free(struct channel *channel)
{
    if (!channel) return;
    link_remove(&channel->link);
    if (channel->stream) resumption_learn(&channel->client->resumption, channel->stream);
    stream_dispose(channel->stream);
    snapshot_release(channel->snapshot);
    buffer_deinit(&channel->rest);
    buffer_wipe(&channel->login);
    free(channel);
}
