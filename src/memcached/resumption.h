/*
 * Decides whether the next TLS connection to a server resumes the session of an earlier connection. Resuming
 * saves both sides most of the work.
 *
 * Some servers answer a session that they issued themselves with an alert. memcached does so with client
 * verification and without a session cache. Such a server is never offered a session again.
 */
#ifndef MEMCACHED_RESUMPTION_H
#define MEMCACHED_RESUMPTION_H

#include "net/stream.h"
#include "net/tls.h"

#include <stdbool.h>

/* State for one server. All zero at first. */
struct resumption {
    struct ssl_session_st *session; /* owned; NULL for none */
    struct tls_context *context;    /* context under which the session was verified; holds a reference */
    bool refused;                   /* the server does not resume sessions */
};

/* Returns the session to offer under that context, borrowed, or NULL for none. */
struct ssl_session_st *resumption_offer(const struct resumption *resumption,
                                        const struct tls_context *context);

/* Keeps the newest session of a stream that is about to be closed. Does nothing for a stream without TLS. */
void resumption_learn(struct resumption *resumption, const struct stream *stream);

/*
 * Call this after a connection has failed on which a session was offered. Stops offering sessions to this
 * server.
 */
void resumption_refuse(struct resumption *resumption);

void resumption_deinit(struct resumption *resumption);

#endif
