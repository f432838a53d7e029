/*
 * Counts how many connections, places and unread answers each client address holds. Pure: no loop, no clock.
 *
 * A peer is an address, or a group of addresses. Each IPv4 address is a peer, also as an IPv4-mapped IPv6
 * address. All IPv6 addresses with the same first 64 bits are one peer, because a host can choose the other
 * bits. Each virtual machine is a peer. All clients of unix sockets are one peer.
 *
 * A peer is remembered while it has connections. A few regular peers are remembered longer: those that read
 * whole bodies repeatedly, probably Prometheus servers. A regular peer stays regular while it keeps reading.
 * So a later crowd of clients cannot make the server forget it.
 */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include "base/list.h"
#include "net/address.h"

#include <stdbool.h>
#include <stdint.h>

/* Most peers that can be regular at a time. */
#define PEERS_REGULAR_MAX 8

/* After this time without reading a body, another peer may replace a regular peer. */
#define PEERS_REGULAR_MS 300000

#define PEERS_BUCKETS 256

struct peer {
    struct link link;    /* in a bucket of peers->buckets */
    struct link regular; /* in peers->regulars if the peer is regular */
    uint64_t read_ms;    /* time of the last body that the peer read; regular peers only */
    unsigned char key[9];
    unsigned open;    /* number of open connections */
    unsigned working; /* number of requests that hold a place, see exchange_take_place */
    unsigned unread;  /* number of answers that the peer is not reading */
};

struct peers {
    struct list buckets[PEERS_BUCKETS];
    struct list regulars; /* sorted by read_ms: the peer that has not read for longest is first */
    unsigned regular_count;
};

/* Allocates nothing. */
void peers_init(struct peers *peers);

/* Frees the regular peers. No peer may have connections any more (asserted). */
void peers_deinit(struct peers *peers);

/*
 * Counts one more connection from `endpoint` and returns its peer. Returns NULL if the peer is new and there
 * is no memory for it.
 */
struct peer *peers_enter(struct peers *peers, const union endpoint *endpoint);

/* Counts one connection less. May free the peer. */
void peers_leave(struct peers *peers, struct peer *peer);

/*
 * Notes that the peer has read a whole body. The peer becomes regular if there are fewer than
 * PEERS_REGULAR_MAX regular peers. It also becomes regular if one of them has read nothing for
 * PEERS_REGULAR_MS; that peer is replaced.
 */
void peers_note_reader(struct peers *peers, struct peer *peer, uint64_t now_ms);

bool peer_is_regular(const struct peer *peer);

#endif
