/*
 * Whether the next TLS connection to a server goes on with the session of an earlier one, which saves both
 * sides most of the work.
 *
 * Some servers answer a session that they gave out themselves with an alert (memcached with client
 * verification and without a cache of sessions does). Such a server is never offered one again.
 */
#ifndef MEMCACHED_RESUMPTION_H
#define MEMCACHED_RESUMPTION_H

#include "net/stream.h"
#include "net/tls.h"

#include <stdbool.h>

/* Of one server. All zero at first. */
struct resumption {
    struct ssl_session_st *session; /* owned; NULL for none */
    struct tls_context *context;    /* under which it was verified; held */
    bool refused;                   /* the server does not resume */
};

/* What to offer under that context, borrowed; NULL for nothing. */
struct ssl_session_st *resumption_offer(const struct resumption *resumption,
                                        const struct tls_context *context);

/* Keeps the newest session of a stream that is about to be closed. Also for one without TLS. */
void resumption_learn(struct resumption *resumption, const struct stream *stream);

/* A connection on which a session was offered has failed. */
void resumption_refuse(struct resumption *resumption);

void resumption_deinit(struct resumption *resumption);

#endif
