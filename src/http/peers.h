/*
 * The addresses that clients come from, and how many connections each of them has. Pure: no loop, no clock.
 *
 * An IPv4 address is a peer of its own, also when it comes in IPv6's form. Of IPv6 the first 64 bits are: a
 * host may choose the others as it likes. A virtual machine is a peer. All clients of unix sockets are one.
 *
 * A peer is remembered while it has connections. The last few that received a whole scrape are remembered
 * longer, since these are probably the Prometheus servers.
 */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include "base/list.h"
#include "net/address.h"

#include <stdbool.h>
#include <stdint.h>

/* So many peers are remembered for a scrape. */
#define PEERS_TRUSTED_MAX 8

#define PEERS_BUCKETS 256

struct peer {
    struct link link;    /* in its bucket */
    struct link trusted; /* in peers->trusted, if it was given a scrape */
    unsigned char key[9];
    unsigned open; /* connections */
};

struct peers {
    struct list buckets[PEERS_BUCKETS];
    struct list trusted; /* the one that was trusted longest ago is the first */
    unsigned trusted_count;
};

/* Allocates nothing. */
void peers_init(struct peers *peers);

/* Frees those that are remembered; no peer has connections any more (asserted). */
void peers_deinit(struct peers *peers);

/* Counts one more connection from there. NULL when there is no memory for a peer that is new. */
struct peer *peers_enter(struct peers *peers, const union endpoint *endpoint);

/* Counts one connection less; the peer may be gone then. */
void peers_leave(struct peers *peers, struct peer *peer);

/* It was given a scrape. Takes the place of the one that was trusted longest ago. */
void peers_trust(struct peers *peers, struct peer *peer);

bool peer_is_trusted(const struct peer *peer);

#endif
