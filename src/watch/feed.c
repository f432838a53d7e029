/*
 * feed_start -> on_dialed [-> on_secure] -> begin [-> take_login] -> on_open
 * feed_send -> on_read -> take_lines -> on_line*
 *
 * An owner that frees the feed inside a callback only marks it while `busy`; the feed is freed when the
 * callback has returned.
 */
#include "watch/feed.h"

#include "net/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define FEED_READ_SIZE (64 * 1024)

struct feed {
    struct feed_plan plan;
    const struct feed_events *events;
    void *context;
    struct dialer *dialer; /* owned; NULL unless it is dialling */
    struct stream *stream; /* owned; NULL before it is connected */
    struct buffer login;   /* request of a login until it is sent; then wiped */
    bool awaits_login;
    bool skips; /* the rest of a line that is too long is skipped */
    bool busy, freed;
    size_t rest; /* length of the incomplete line at the start of `bytes` */
    char command[FEED_COMMAND_MAX];
    char bytes[FEED_READ_SIZE];
};

static void destroy(struct feed *feed)
{
    if (feed->dialer) dialer_cancel(feed->dialer, false);
    stream_dispose(feed->stream);
    buffer_wipe(&feed->login);
    free(feed);
}

void feed_free(struct feed *feed)
{
    if (!feed) return;
    if (feed->busy)
        feed->freed = true;
    else
        destroy(feed);
}

/* Ends a callback from the loop. */
static void leave_callback(struct feed *feed)
{
    feed->busy = false;
    if (feed->freed) destroy(feed);
}

/* Drops the connection and reports why. Only inside a callback from the loop. */
static void end_feed(struct feed *feed, const char *why)
{
    stream_dispose(feed->stream);
    feed->stream = NULL;
    if (!feed->freed) feed->events->on_end(feed->context, why);
}

static void end_with_status(struct feed *feed, int status)
{
    struct tls *tls = stream_tls(feed->stream);
    const char *reason = tls && status == UV_EPROTO ? tls_why(tls) : NULL;
    char why[256];
    if (status == UV_EOF) reason = "the server ended the connection";
    snprintf(why, sizeof(why), "%s", reason ? reason : uv_strerror(status));
    end_feed(feed, why);
}

/* --- Reading --- */

static void take_login(struct feed *feed, struct slice *input)
{
    struct slice said = {0};
    char why[256];
    switch (protocol_text.take_login(input, &said)) {
    case LOGIN_MORE:
        break;
    case LOGIN_DONE:
        feed->awaits_login = false;
        feed->events->on_open(feed->context);
        break;
    default:
        snprintf(why, sizeof(why), "the login failed, the server said: %.*s",
                 said.len > 100 ? 100 : (int) said.len, said.data ? said.data : "");
        end_feed(feed, why);
    }
}

static bool goes_on(const struct feed *feed)
{
    return !feed->freed && feed->stream;
}

/* Passes on all complete lines and keeps the rest. */
static void take_lines(struct feed *feed, struct slice input)
{
    const char *end;
    while (goes_on(feed) && input.len && (end = memchr(input.data, '\n', input.len))) {
        struct slice line = {input.data, (size_t) (end - input.data)};
        input = slice_from(input, line.len + 1);
        if (feed->skips) {
            feed->skips = false;
            continue;
        }
        if (line.len >= FEED_LINE_MAX) line.len = 0;
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        feed->events->on_line(feed->context, line);
    }
    if (!goes_on(feed)) return;
    if (!feed->skips && input.len >= FEED_LINE_MAX) {
        feed->skips = true;
        feed->events->on_line(feed->context, SLICE(""));
    }
    if (!goes_on(feed)) return;
    feed->rest = feed->skips ? 0 : input.len;
    if (feed->rest) memmove(feed->bytes, input.data, feed->rest);
}

static uv_buf_t on_lend(struct stream *stream)
{
    struct feed *feed = stream->context;
    return uv_buf_init(feed->bytes + feed->rest, (unsigned) (FEED_READ_SIZE - feed->rest));
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct feed *feed = stream->context;
    feed->busy = true;
    if (n < 0) {
        end_with_status(feed, (int) n);
    } else {
        struct slice input = {feed->bytes, feed->rest + (size_t) n};
        feed->rest = 0;
        if (feed->awaits_login) take_login(feed, &input);
        if (feed->awaits_login && goes_on(feed) && input.len >= FEED_LINE_MAX)
            end_feed(feed, "the answer to the login is too long");
        else if (feed->awaits_login && goes_on(feed))
            feed->rest = input.len;
        else if (goes_on(feed))
            take_lines(feed, input);
    }
    leave_callback(feed);
}

/* --- Asking --- */

static void on_written(struct stream *stream, int status)
{
    struct feed *feed = stream->context;
    buffer_wipe(&feed->login);
    feed->busy = true;
    if (status < 0) end_with_status(feed, status);
    leave_callback(feed);
}

/*
 * Sends `bytes`, which must stay unchanged until they are sent. The kernel nearly always takes so few at
 * once. Otherwise the answer may arrive before on_written.
 */
static int send_bytes(struct feed *feed, char *bytes, size_t len)
{
    if (feed->stream->writing) return UV_EBUSY;
    ssize_t written = stream_write_now(feed->stream, bytes, len);
    if (written < 0) return (int) written;
    if ((size_t) written == len) return 0;
    uv_buf_t rest = uv_buf_init(bytes + written, (unsigned) (len - (size_t) written));
    return stream_write(feed->stream, &rest, 1, on_written);
}

int feed_send(struct feed *feed, const char *command)
{
    int len = snprintf(feed->command, sizeof(feed->command), "%s", command);
    if (!feed->stream || len < 0 || (size_t) len >= sizeof(feed->command)) return UV_EINVAL;
    return send_bytes(feed, feed->command, (size_t) len);
}

/* Starts to read, and logs in if the server requires that. */
static void begin(struct feed *feed)
{
    const struct profile *profile = feed->plan.profile;
    stream_share(feed->stream, feed->plan.budget);
    int result = stream_read(feed->stream, on_lend, on_read);
    feed->awaits_login = result == 0 && profile->logs_in;
    if (feed->awaits_login) {
        access_append_login(profile->access, &protocol_text, &feed->login);
        result = feed->login.failed ? UV_ENOMEM : send_bytes(feed, feed->login.data, feed->login.len);
        if (!feed->stream->writing) buffer_wipe(&feed->login);
    }
    if (result < 0)
        end_with_status(feed, result);
    else if (!feed->awaits_login)
        feed->events->on_open(feed->context);
}

static void on_secure(struct stream *stream, int status, const char *why)
{
    struct feed *feed = stream->context;
    feed->busy = true;
    if (status == 0)
        begin(feed);
    else
        end_feed(feed, why && *why ? why : uv_strerror(status));
    leave_callback(feed);
}

static int secure_feed(struct feed *feed, struct tls_context *tls)
{
    struct stream_security security = {
        .context = tls, .server_name = profile_server_name(feed->plan.profile, feed->plan.address)};
    return stream_secure(feed->stream, &security, on_secure);
}

static void on_dialed(void *context, struct stream *stream, int status, const char *why)
{
    struct feed *feed = context;
    const struct profile *profile = feed->plan.profile;
    struct tls_context *tls = profile->access ? access_tls(profile->access, profile->is_anonymous) : NULL;
    feed->dialer = NULL;
    feed->busy = true;
    if (status == 0) {
        feed->stream = stream;
        stream->context = feed;
        if (tls) status = secure_feed(feed, tls);
        why = NULL;
    }
    if (status < 0)
        end_feed(feed, why && *why ? why : uv_strerror(status));
    else if (!tls)
        begin(feed);
    leave_callback(feed);
}

int feed_start(struct feed **result, const struct feed_plan *plan, const struct feed_events *events,
               void *context)
{
    struct feed *feed = malloc(sizeof(*feed));
    if (!feed) return UV_ENOMEM;
    feed->plan = *plan;
    feed->events = events;
    feed->context = context;
    feed->dialer = NULL;
    feed->stream = NULL;
    feed->awaits_login = feed->skips = feed->busy = feed->freed = false;
    feed->rest = 0;
    buffer_init(&feed->login, 2 * ACCESS_PASSWORD_MAX);
    struct dial_plan dial = {
        .loop = plan->loop,
        .resolver = plan->resolver,
        .limiter = plan->limiter,
        .address = plan->address,
        .policy = plan->profile->policy,
        .record = plan->record,
        .time_ms = plan->profile->timeout_ms,
    };
    int status = dialer_start(&feed->dialer, &dial, on_dialed, feed);
    if (status < 0)
        free(feed);
    else
        *result = feed;
    return status;
}
