#include "memcached/target_state.h"

#include "base/container.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum target_state target_state_of_failure(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
        return TARGET_UNRESOLVED;
    case DIALER_FORBIDDEN:
        return TARGET_FORBIDDEN;
    case UV_ECONNREFUSED:
        return TARGET_REFUSED;
    case UV_ETIMEDOUT:
        return TARGET_TIMEOUT;
    default:
        return TARGET_UNREACHABLE;
    }
}

/* A memcached without TLS waits for the end of a line, which a handshake does not contain. */
static const char silent_handshake[] = "no answer to the TLS handshake in time; the server may speak no TLS, "
                                       "then leave out tls of the module and "
                                       "--memcached.tls.enable";

enum target_state target_state_when_late(const struct poll_reach *reach, const char **error)
{
    switch (reach->phase) {
    case DIALER_RESOLVING:
        *error = "the name was not resolved in time";
        return TARGET_UNRESOLVED;
    case DIALER_QUEUED:
        *error = "too many other connections were being made, see --memcached.max-connecting";
        break;
    case DIALER_CONNECTING:
        *error = "no connection in time";
        break;
    case DIALER_FULL:
        *error = "the queue of connections to the server was full";
        return TARGET_OVERLOADED;
    case DIALER_IDLE:
        if (reach->shakes_hands) {
            *error = silent_handshake;
            return TARGET_TLS_ERROR;
        }
        *error = reach->received
                     ? "no whole answer in time"
                     : "no answer in time; a server is silent when it speaks the binary protocol "
                       "alone (memcached -S), see protocol of the module and --memcached.protocol";
        if (reach->logs_in)
            *error = "no answer to the login in time; the server may speak another protocol of "
                     "memcached, see protocol of the module and --memcached.protocol";
        break;
    }
    return TARGET_TIMEOUT;
}

static const char other_protocol[] =
    "the server answers in the text protocol: see protocol of the module and --memcached.protocol";

/* First bytes of servers that are no memcached, or speak another protocol. */
static const struct {
    const char *bytes;
    enum target_state state;
    const char *error;
} strangers[] = {
    {"\x15\x03", TARGET_TLS_ERROR,
     "the server wants TLS, it answered with a TLS alert: see tls of the module and --memcached.tls.enable"},
    {"\x16\x03", TARGET_TLS_ERROR, "the server speaks TLS: see tls of the module and --memcached.tls.enable"},
    {"\x81", TARGET_PROTOCOL_ERROR,
     "the server speaks the binary protocol of memcached alone: see protocol of the module and "
     "--memcached.protocol"},
    {"ERROR", TARGET_PROTOCOL_ERROR, other_protocol},
    {"CLIENT_ERROR", TARGET_PROTOCOL_ERROR, other_protocol},
    {"HTTP/", TARGET_PROTOCOL_ERROR, "the server speaks HTTP, it is no memcached"},
    {"<", TARGET_PROTOCOL_ERROR, "the server sends HTML or XML, it is no memcached"},
    {"-NOAUTH", TARGET_PROTOCOL_ERROR, "the server speaks the protocol of Redis and wants a login"},
    {"-", TARGET_PROTOCOL_ERROR, "the server speaks the protocol of Redis, it is no memcached"},
    {"SSH-", TARGET_PROTOCOL_ERROR, "the server speaks SSH, it is no memcached"},
    {"220", TARGET_PROTOCOL_ERROR, "the server speaks SMTP or FTP, it is no memcached"},
    {"AMQP", TARGET_PROTOCOL_ERROR, "the server speaks AMQP, it is no memcached"},
};

enum target_state target_state_of_stranger(struct slice bytes, const char **error)
{
    for (size_t n = 0; n < ARRAY_LEN(strangers); n++) {
        if (!slice_starts(bytes, strangers[n].bytes)) continue;
        *error = strangers[n].error;
        return strangers[n].state;
    }
    *error = "the answer is not in the memcached protocol";
    return TARGET_PROTOCOL_ERROR;
}

static const char see_tls[] = "see tls of the module and --memcached.tls.enable";

/* A server without TLS may be the cause if TLS itself reports no error. */
enum target_state target_state_of_handshake(int status, const char *why, char error[TARGET_ERROR_MAX])
{
    if (status == UV_EPROTO)
        snprintf(error, TARGET_ERROR_MAX, "%s", why);
    else
        snprintf(error, TARGET_ERROR_MAX,
                 "the connection ended during the TLS handshake; the server may speak no TLS: %s",
                 uv_strerror(status));
    return TARGET_TLS_ERROR;
}

/*
 * A memcached that expects TLS resets the connection. A memcached that speaks only the binary protocol closes
 * the connection when it gets text. So does twemproxy, which does not understand the request. In TLS 1.3, a
 * server rejects our certificate only after the handshake is over for us. Its alert may be lost with the
 * connection.
 */
enum target_state target_state_of_end(int status, const char *why, size_t received,
                                      char error[TARGET_ERROR_MAX])
{
    bool reset = status == UV_ECONNRESET || status == UV_EPIPE;
    if (why && status == UV_EPROTO) {
        snprintf(error, TARGET_ERROR_MAX, "%s", why);
        return TARGET_TLS_ERROR;
    }
    if (received) {
        snprintf(error, TARGET_ERROR_MAX, "the connection ended in the middle of the answer: %s",
                 uv_strerror(status));
        return TARGET_PROTOCOL_ERROR;
    }
    if (why) {
        snprintf(error, TARGET_ERROR_MAX,
                 "the connection ended after the TLS handshake without an answer; the server may want a "
                 "certificate "
                 "of ours, see cert_file of the module and --memcached.tls.cert-file: %s",
                 uv_strerror(status));
        return TARGET_TLS_ERROR;
    }
    const char *like =
        reset ? "a server that wants TLS"
              : "a proxy without stats, or a server that wants TLS or speaks the binary protocol alone";
    snprintf(error, TARGET_ERROR_MAX, "the connection ended without an answer, as on %s (%s%s): %s", like,
             see_tls, reset ? "" : ", or protocol and --memcached.protocol", uv_strerror(status));
    return reset ? TARGET_TLS_ERROR : TARGET_PROTOCOL_ERROR;
}

/* Returns a bit for the state, and a bit above all states for a hash of the error message. */
static uint64_t reason_bits(const struct snapshot *snapshot)
{
    uint64_t words = hash_fnv1a(slice_of(snapshot->error)) % (64 - TARGET_STATE_COUNT);
    return UINT64_C(1) << snapshot->state | UINT64_C(1) << (TARGET_STATE_COUNT + words);
}

void target_state_log(const struct snapshot *snapshot, const char *target, uint64_t *reasons,
                      struct state_log *log)
{
    uint64_t bits = snapshot->state == TARGET_UP ? 0 : reason_bits(snapshot);
    bool was_down = *reasons != 0;
    if (bits ? (bits & ~*reasons) == 0 : !was_down) return;
    *reasons = bits ? *reasons | bits : 0;
    enum state_change down = was_down ? STATE_OTHER_REASON : STATE_DOWN;
    state_log_note(log, bits ? down : STATE_UP, target, snapshot);
}

void target_remark_log(const struct snapshot *snapshot, const char *target, struct snapshot_remark *said)
{
    const struct snapshot_remark *remark = &snapshot->remark;
    if (snapshot->state != TARGET_UP || remark->kind == REMARK_NONE ||
        memcmp(remark, said, sizeof(*said)) == 0)
        return;
    *said = *remark;
    log_line(LOG_WARN,
             remark->kind == REMARK_UNREADABLE
                 ? "the target gave a value that cannot be read, its sample is left out"
                 : "the target gave a stat twice, the first one counts",
             LOG_FIELD("target", target),
             LOG_FIELD("command", command_info((enum command) remark->command)->name),
             LOG_FIELD("stat", remark->key));
}
