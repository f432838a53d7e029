/*
 * The addresses that clients come from, and how much of the server each of them holds. Pure: no loop, no
 * clock.
 *
 * An IPv4 address is a peer of its own, also when it comes in IPv6's form. Of IPv6 the first 64 bits are: a
 * host may choose the others as it likes. A virtual machine is a peer. All clients of unix sockets are one.
 *
 * A peer is remembered while it has connections. A few regular peers are remembered longer: those that read
 * whole bodies again and again, which are probably the Prometheus servers. Who was regular first stays so
 * while it keeps coming, so that a crowd that comes later cannot make the server forget it.
 */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include "base/list.h"
#include "net/address.h"

#include <stdbool.h>
#include <stdint.h>

/* So many peers can be regular at a time. */
#define PEERS_REGULAR_MAX 8

/* A regular peer that has read nothing for this long gives way to another one. */
#define PEERS_REGULAR_MS 300000

#define PEERS_BUCKETS 256

struct peer {
    struct link link;    /* in its bucket */
    struct link regular; /* in peers->regulars, if it is */
    uint64_t read_ms;    /* when it last read a body; of a regular peer */
    unsigned char key[9];
    unsigned open;    /* connections */
    unsigned working; /* requests that hold a place, see exchange_take_place */
    unsigned unread;  /* answers that it does not read */
};

struct peers {
    struct list buckets[PEERS_BUCKETS];
    struct list regulars; /* the one that has read nothing for longest is the first */
    unsigned regular_count;
};

/* Allocates nothing. */
void peers_init(struct peers *peers);

/* Frees those that are remembered; no peer has connections any more (asserted). */
void peers_deinit(struct peers *peers);

/* Counts one more connection from there. NULL when there is no memory for a peer that is new. */
struct peer *peers_enter(struct peers *peers, const union endpoint *endpoint);

/* Counts one connection less; the peer may be gone then. */
void peers_leave(struct peers *peers, struct peer *peer);

/*
 * The peer has read a whole body by now, as what it did next shows. It is regular from now on, if there are
 * not enough of them yet or one has not come for long.
 */
void peers_note_reader(struct peers *peers, struct peer *peer, uint64_t now_ms);

bool peer_is_regular(const struct peer *peer);

#endif
