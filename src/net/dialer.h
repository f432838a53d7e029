/*
 * From an address to a connected stream: resolves the name, waits at the limiter, tries one endpoint after the
 * other.
 *
 * A name with several addresses sticks to the one that answered last, until it fails: the counters of two
 * servers behind one name must not be mixed. A dialer keeps no deadline: its owner cancels it.
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

enum dialer_phase { DIALER_IDLE, DIALER_RESOLVING, DIALER_QUEUED, DIALER_CONNECTING };

struct dialer;

/* The policy forbids every address of the name. No failure to connect has this code. */
#define DIALER_FORBIDDEN UV_EAI_FAIL

/*
 * status 0: the stream is connected and the caller's to close. UV_EAI_NONAME: no address, `why` says more.
 * DIALER_FORBIDDEN: `why` names the rule. Another negative code: the last endpoint's failure. After a failure
 * the stream is closed. `why` is borrowed for the call.
 */
typedef void (*dialer_fn)(struct dialer *dialer, int status, const char *why);

typedef void (*dialer_cancel_fn)(struct dialer *dialer);

struct dialer {
    uv_loop_t *loop;
    struct resolver *resolver;     /* borrowed */
    struct limiter *limiter;       /* borrowed */
    const struct address *address; /* borrowed */
    struct stream *stream;         /* borrowed; must not be open at the start */
    struct policy *policy;         /* borrowed; NULL, as dialer_init leaves it: everything is allowed */
    enum dialer_phase phase;
    struct lookup lookup;
    struct limiter_ticket ticket;
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX];
    size_t count;             /* endpoints of this attempt */
    size_t current;           /* the one that is tried */
    size_t tried;             /* how many have failed */
    union endpoint favourite; /* the first to try, if it is still among the endpoints */
    uint64_t admitted_ns;     /* uv_hrtime() when the limiter let the attempt through */
    int status;               /* of the endpoint that was tried last */
    bool again;               /* the name was looked up a second time in this attempt */
    bool cancelled;
    dialer_fn on_done;
    dialer_cancel_fn on_cancelled;
};

void dialer_init(struct dialer *dialer, uv_loop_t *loop, struct resolver *resolver, struct limiter *limiter,
                 const struct address *address, struct stream *stream);

/* Calls on_done exactly once, from the loop, unless cancelled. Cannot fail at once. */
void dialer_start(struct dialer *dialer, dialer_fn on_done);

/*
 * Ends the attempt that is under way; on_cancelled runs once, from the loop, when the stream is closed. An
 * endpoint that was being tried loses its first place: it may be the one that swallows packets.
 */
void dialer_cancel(struct dialer *dialer, dialer_cancel_fn on_cancelled);

/* The connection was lost: where it led may be the wrong place by now, so the next attempt asks for the name anew. */
void dialer_distrust(struct dialer *dialer);

/* For a connection that is in use: asks for the name in the background if its answer has expired. */
void dialer_refresh(struct dialer *dialer);

/* Whether the address of the connection that was made last is no longer among those of the name. */
bool dialer_has_moved(const struct dialer *dialer);

#endif
