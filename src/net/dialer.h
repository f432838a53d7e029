/*
 * From an address to a connected stream: resolves the name, waits at the limiter, tries one address after the
 * other.
 *
 * If every address fails and the addresses came from the cache, the name is looked up once more, and
 * addresses that the cache did not have are tried too.
 *
 * Several addresses are tried as RFC 8305 describes. IPv6 and IPv4 alternate. After a refused connection the
 * next address is tried at once. Beside a connection that is neither accepted nor refused, the next one is
 * tried after DIALER_PACE_MS, or earlier if there would otherwise be no time for all. The first connection
 * that is accepted wins, and later dials try its address first, so that the counters of two servers behind
 * one name are not mixed. A dialer keeps no deadline: its owner cancels it.
 *
 * An attempt that stays unanswered gives its place at the limiter back and continues without one, so that
 * servers that swallow packets do not keep others waiting. A unix socket whose backlog is full is retried
 * until the dial is cancelled.
 *
 * A policy is applied to the resolved addresses: forbidden ones are skipped, and the dialer connects to
 * exactly the addresses that were checked, without resolving the name again. IP addresses and socket paths
 * are not checked here; the owner checks them once, when it reads them.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "net/address.h"
#include "net/limiter.h"
#include "net/policy.h"
#include "net/resolver.h"
#include "net/stream.h"

/* How long an address is tried alone (RFC 8305 section 8), and the least where there are many. */
#define DIALER_PACE_MS     250
#define DIALER_PACE_MIN_MS 10

/* Delay before a unix socket whose backlog is full is tried again. */
#define DIALER_RETRY_MS 20

enum dialer_phase {
    DIALER_IDLE, /* without a dialer */
    DIALER_RESOLVING,
    DIALER_QUEUED, /* at the limiter */
    DIALER_CONNECTING,
    DIALER_FULL, /* the server listens, and its queue of connections is full */
};

struct dialer;

/* The policy forbids every address of the name. No failure to connect has this code. */
#define DIALER_FORBIDDEN UV_EAI_FAIL

/*
 * status 0: the stream is connected, and the caller's to end with stream_dispose. UV_EAI_NONAME: no address,
 * `why` says more. DIALER_FORBIDDEN: `why` names the rule. Another negative code: the last failure of an
 * address. `why` is borrowed for the call; the dialer is gone.
 */
typedef void (*dialer_fn)(void *context, struct stream *stream, int status, const char *why);

/* What the dialer remembers of a server between two dials. All zero at first. */
struct dial_record {
    struct endpoint_host favourite; /* the address to be tried first */
    bool failed;                    /* the last dial got no connection */
};

/* What a dial needs; all but the loop is borrowed until it is over. */
struct dial_plan {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter *limiter;
    const struct address *address;
    struct policy *policy;      /* NULL: everything is allowed */
    uint64_t *refusals;         /* counts by policy_ground, of dials that the policy ended; or NULL */
    struct dial_record *record; /* is changed */
    uint64_t time_ms;           /* time in which every address should be tried; UINT64_MAX for no limit */
};

/*
 * 0: on_done runs exactly once, from the loop, never inside this call, unless the dial is cancelled before.
 * UV_ENOMEM: never.
 */
int dialer_start(struct dialer **dialer, const struct dial_plan *plan, dialer_fn on_done, void *context);

/*
 * Ends the attempts; on_done will not run. `late` means that the time was over: the addresses that were being
 * tried count as failed, and the next dial begins with another one.
 */
void dialer_cancel(struct dialer *dialer, bool late);

/*
 * To be called when a connection was lost. The server may have moved, so the next dial resolves the name
 * again.
 */
void dialer_distrust(struct resolver *resolver, const struct address *address);

/* For a connection in use: resolves the name in the background if its cached answer has expired. */
void dialer_refresh(struct resolver *resolver, const struct address *address);

/* Whether the address of the connection that was made last is no longer among those of the name. */
bool dialer_has_moved(const struct resolver *resolver, const struct address *address,
                      const struct dial_record *record);

/* What it is about; NULL has the phase DIALER_IDLE. */
enum dialer_phase dialer_phase(const struct dialer *dialer);

/* uv_hrtime() when the limiter let the first attempt through; 0 before. */
uint64_t dialer_admitted_ns(const struct dialer *dialer);

#endif
