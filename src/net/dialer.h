/*
 * Connects a stream to a server: resolves the name, waits for a place at the limiter, and tries the addresses
 * one after the other.
 *
 * If every address fails and the addresses came from the cache, the dialer resolves the name once more. It
 * then tries the addresses that are new.
 *
 * Several addresses are tried as RFC 8305 describes. IPv6 and IPv4 alternate. After a refused connection, the
 * next address is tried at once. If a connection is neither accepted nor refused within DIALER_PACE_MS, the
 * next address is tried in parallel. The wait is shorter if there is not enough time for all addresses. The
 * first accepted connection wins. Later dials try the address of that connection first, so that the counters
 * of two servers behind one name are not mixed. A dialer has no deadline of its own: its owner cancels it.
 *
 * An attempt without an answer gives back its place at the limiter and continues without a place. So servers
 * that drop packets do not delay other servers. A connection to a unix socket with a full backlog is retried
 * until the dial is cancelled.
 *
 * A policy is applied to the resolved addresses. Forbidden addresses are skipped. The dialer connects to
 * exactly the addresses that were checked and does not resolve the name again. IP addresses and socket paths
 * are not checked here; the owner checks them when it reads them.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "base/trace.h"
#include "net/address.h"
#include "net/limiter.h"
#include "net/policy.h"
#include "net/resolver.h"
#include "net/stream.h"

/*
 * Time for which one address is tried alone (RFC 8305 section 8), and the minimum when there are many
 * addresses.
 */
#define DIALER_PACE_MS     250
#define DIALER_PACE_MIN_MS 10

/* Delay before a unix socket with a full backlog is tried again. */
#define DIALER_RETRY_MS 20

enum dialer_phase {
    DIALER_IDLE, /* there is no dialer */
    DIALER_RESOLVING,
    DIALER_QUEUED, /* waits at the limiter */
    DIALER_CONNECTING,
    DIALER_FULL, /* the backlog of the server is full */
};

struct dialer;

/*
 * The status of a dial whose policy forbids every address of the name. Failures to connect never have this
 * code.
 */
#define DIALER_FORBIDDEN UV_EAI_FAIL

/*
 * Runs when the dial ends. `status` is 0: the stream is connected, and the receiver ends it with
 * stream_dispose. UV_EAI_NONAME: the name has no address, and `why` gives the reason. DIALER_FORBIDDEN: `why`
 * names the rule. Any other negative code: all addresses failed, and the code is the last failure. `why` is
 * valid only during the call. The dialer frees itself.
 */
typedef void (*dialer_fn)(void *context, struct stream *stream, int status, const char *why);

/* What is remembered about a server between two dials. All zero at first. */
struct dial_record {
    struct endpoint_host favourite; /* address to try first */
    bool failed;                    /* the last dial got no connection */
};

/* Parameters of a dial. All pointers must stay valid until the dial ends. */
struct dial_plan {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter *limiter;
    const struct address *address;
    struct policy *policy; /* NULL: everything is allowed */
    /* Array with one counter for each policy_ground. Counts the dials that the policy ended. May be NULL. */
    uint64_t *refusals;
    struct dial_record *record; /* updated by the dial */
    struct trace *trace;        /* told of look-ups and connections; may be NULL */
    uint64_t time_ms;           /* time in which to try all addresses; UINT64_MAX: no limit */
};

/*
 * Starts a dial. Returns 0 or UV_ENOMEM. After 0, on_done runs exactly once, from the loop and never inside
 * this call, unless the dial is cancelled first. After UV_ENOMEM, on_done does not run.
 */
int dialer_start(struct dialer **dialer, const struct dial_plan *plan, dialer_fn on_done, void *context);

/*
 * Cancels the dial; on_done will not run. `late` means that the deadline has passed: the addresses being
 * tried count as failed, and the next dial begins with the first address that was not tried.
 */
void dialer_cancel(struct dialer *dialer, bool late);

/*
 * Call this when a connection was lost. The server may have moved, so the next dial resolves the name again.
 */
void dialer_distrust(struct resolver *resolver, const struct address *address);

/* Resolves the name in the background if its cached answer has expired. For connections in use. */
void dialer_refresh(struct resolver *resolver, const struct address *address);

/* Returns true if the name no longer has the address to which the last dial connected. */
bool dialer_has_moved(const struct resolver *resolver, const struct address *address,
                      const struct dial_record *record);

/* Returns the phase of the dialer, or DIALER_IDLE for NULL. */
enum dialer_phase dialer_phase(const struct dialer *dialer);

/* Returns the uv_hrtime() at which the limiter admitted the first attempt, or 0 if it has admitted none. */
uint64_t dialer_admitted_ns(const struct dialer *dialer);

#endif
