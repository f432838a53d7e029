/*
 * A connection over which a poll is asked, from the first request to the last reply. On a new connection, the
 * TLS handshake and the login come first, if the server requires them.
 *
 * A client that asks has one channel or two. If a kept connection is silent, the client also asks on a new
 * connection. Each channel fills its own snapshot. A channel reports to its client from the loop
 * (client_heard, client_answered, client_lost, client_failed). The client frees the channel then or later.
 */
#ifndef MEMCACHED_CHANNEL_H
#define MEMCACHED_CHANNEL_H

#include "base/buffer.h"
#include "base/list.h"
#include "memcached/probe.h"
#include "memcached/session.h"
#include "memcached/snapshot.h"
#include "net/stream.h"

#include <stddef.h>
#include <stdint.h>

struct client;

struct channel {
    struct client *client;
    struct stream *stream;     /* owned */
    struct snapshot *snapshot; /* holds a reference */
    struct session session;
    struct buffer rest;  /* start of a line that is not complete yet */
    size_t received;     /* bytes of the answer so far */
    struct buffer login; /* request of a login until it is sent; then wiped */
    bool shakes_hands;   /* the TLS handshake is not over */
    bool offered;        /* an earlier TLS session was offered */
    enum poll_part part; /* part of the poll under way; POLL_PARTS for none */
    uint64_t part_since_ns;
    struct link link; /* linked while the kept connection is watched for silence, see stall.h */
    uint64_t silent_until_ms;
    bool wants_probe, probes; /* a probe follows the commands; it is under way */
    bool is_spoilt;           /* more bytes may follow the last answer, so the connection cannot be kept */
    struct probe probe;
    uint64_t probe_since_ns;             /* when the operation under way was asked */
    char request[PROTOCOL_REQUESTS_MAX]; /* of commands or of a probe */
};

/*
 * Creates a channel and takes ownership of the stream, even if it fails. The stream is newly connected or was
 * kept; `reused` of the snapshot tells which. Takes a reference to the snapshot. Returns NULL if out of
 * memory.
 */
struct channel *channel_new(struct client *client, struct stream *stream, struct snapshot *snapshot);

/*
 * Starts to ask for a set of commands: with the handshake, the login or the first requests. Returns 0, or the
 * negative libuv code of a broken connection.
 */
int channel_ask(struct channel *channel, const struct protocol *protocol, unsigned commands);

/* Returns why TLS broke the connection; NULL without TLS. */
const char *channel_why(const struct channel *channel);

/*
 * Frees the channel and returns its stream, which remains open for reading. client_unasked then reports what
 * arrives.
 */
struct stream *channel_keep(struct channel *channel);

/* Closes the connection and frees the channel. NULL is allowed. */
void channel_free(struct channel *channel);

#endif
