/*
 * From an address to a connected stream: resolves the name, waits at the limiter, tries one address after the
 * other.
 *
 * When every address has failed and the answer of the name server was not new, the name is looked up once
 * more, and the addresses that were not in the first answer are tried.
 *
 * Several addresses are tried as RFC 8305 has it: the families alternate, an address that is refused gives
 * way to the next at once, and one that says nothing gets company after DIALER_PACE_MS, or earlier if else
 * not all would have their turn in time. The first that answers is taken, and is the first to be tried from
 * then on: the counters of two servers behind one name must not be mixed. A dialer keeps no deadline: its
 * owner cancels it.
 *
 * An attempt that is not answered lends its place at the limiter on and goes on without one, so that servers
 * that swallow packets do not keep others out. A unix socket that cannot take a connection now is tried again
 * and again.
 *
 * With a policy, the addresses of a name that it forbids are passed over. What is connected to is what was
 * judged: no name is resolved again in between. A literal or a path is for its owner to judge, once and for
 * all.
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

/* A unix socket whose queue is full is tried again after so long. */
#define DIALER_RETRY_MS 20

enum dialer_phase {
    DIALER_IDLE, /* of who has no dialer */
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

/* What is remembered of a server from one dial to the next; all zero at first. */
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
    struct dial_record *record; /* is changed */
    uint64_t time_ms; /* in which every address should have its turn; UINT64_MAX if it does not matter */
};

/*
 * 0: on_done runs exactly once, from the loop, never inside this call, unless the dial is cancelled before.
 * UV_ENOMEM: never.
 */
int dialer_start(struct dialer **dialer, const struct dial_plan *plan, dialer_fn on_done, void *context);

/*
 * Ends the attempts; on_done will not run. `late`: since their time is over; then the addresses that were
 * being tried have failed, and the next one is the favourite.
 */
void dialer_cancel(struct dialer *dialer, bool late);

/*
 * The connection was lost: where it led may be the wrong place by now, so the next dial asks for the name
 * anew.
 */
void dialer_distrust(struct resolver *resolver, const struct address *address);

/* For a connection that is in use: asks for the name in the background if its answer has expired. */
void dialer_refresh(struct resolver *resolver, const struct address *address);

/* Whether the address of the connection that was made last is no longer among those of the name. */
bool dialer_has_moved(const struct resolver *resolver, const struct address *address,
                      const struct dial_record *record);

/* What it is about; NULL has the phase DIALER_IDLE. */
enum dialer_phase dialer_phase(const struct dialer *dialer);

/* uv_hrtime() when the limiter let the first attempt through; 0 before. */
uint64_t dialer_admitted_ns(const struct dialer *dialer);

#endif
