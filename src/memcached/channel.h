/*
 * One connection over which a poll is asked, from the first request to the last reply. On a new connection
 * the handshake of TLS and the login come before, if the server wants them.
 *
 * A client has one channel while it asks, or two: when a kept connection says nothing, a fresh one is asked
 * beside it. Each fills a snapshot of its own. A channel tells its client what becomes of it (client_heard,
 * client_answered, client_lost, client_failed, from the loop); the client frees it then or later.
 */
#ifndef MEMCACHED_CHANNEL_H
#define MEMCACHED_CHANNEL_H

#include "base/buffer.h"
#include "base/list.h"
#include "memcached/session.h"
#include "memcached/snapshot.h"
#include "net/stream.h"

#include <stddef.h>
#include <stdint.h>

struct client;

struct channel {
    struct client *client;
    struct stream *stream;     /* owned */
    struct snapshot *snapshot; /* held */
    struct session session;
    struct buffer rest;  /* the beginning of a line whose end has not arrived */
    size_t received;     /* bytes */
    struct buffer login; /* request of a login, while it is being sent; wiped */
    bool shakes_hands;   /* over TLS */
    bool offered;        /* a session of an earlier connection, to go on with */
    struct link link;    /* while the client waits for the first byte on a kept connection */
    uint64_t silent_until_ms;
    char request[PROTOCOL_REQUESTS_MAX];
};

/*
 * Takes the stream over, in any case: one that has just been connected, or one that was kept. Holds the
 * snapshot, whose `reused` says which. NULL when out of memory.
 */
struct channel *channel_new(struct client *client, struct stream *stream, struct snapshot *snapshot);

/*
 * Begins to ask for a set of commands in a protocol: with the handshake, the login or the first requests. 0,
 * or the negative libuv code of what broke the connection.
 */
int channel_ask(struct channel *channel, const struct protocol *protocol, unsigned commands);

/* What TLS says of a connection that broke; NULL without TLS. */
const char *channel_why(const struct channel *channel);

/* Gives the stream back, which goes on to be read: what comes is told by client_unasked. Frees the rest. */
struct stream *channel_keep(struct channel *channel);

/* Closes the connection and frees the channel. NULL is taken. */
void channel_free(struct channel *channel);

#endif
