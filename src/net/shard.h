/*
 * Decides which of several exporters scrapes a server.
 *
 * Uses rendezvous hashing (Thaler and Ravishankar, 1998): a hash of address and shard gives each shard a
 * number, and the shard with the highest number scrapes the address. So every address belongs to exactly one
 * shard. A new shard takes over some addresses of every old shard, and no address moves between old shards.
 * Each exporter decides alone and needs no contact with the others.
 *
 * Pure. The hash must never change: a version with another hash would move nearly every server to another
 * exporter.
 */
#ifndef NET_SHARD_H
#define NET_SHARD_H

#include "base/slice.h"
#include "net/address.h"

#include <stdbool.h>

#define SHARD_COUNT_MAX 4096

/* One of `count` shards. With count 1 or 0 (all zero), the shard owns all addresses. */
struct shard {
    unsigned index; /* 0 to count - 1 */
    unsigned count;
};

/*
 * Parses "I/N". I may also be a name that ends in '-' and the number, as pods of a Kubernetes StatefulSet
 * have: "exporter-2/4" is "2/4". On success, returns NULL. On failure, returns what was expected and does not
 * change `shard`.
 */
const char *shard_parse(struct shard *shard, struct slice text);

/*
 * Returns true if the shard owns the address. `address` is a text from address_format, so that equal
 * addresses have equal texts.
 */
bool shard_owns(struct shard shard, struct slice address);

/* Like shard_owns, for a parsed address. */
bool shard_owns_address(struct shard shard, const struct address *address);

#endif
