/*
 * Decides which of several exporters scrapes a server.
 *
 * Rendezvous hashing (Thaler and Ravishankar, 1998): a hash of address and shard gives each shard a number,
 * and the shard with the highest number scrapes the address. So every address belongs to exactly one shard. A
 * new shard takes its part from all others, and no address moves between the old ones. Each exporter computes
 * this alone; they do not need to know of each other.
 *
 * Pure. The hash must never change: a version with another one would move nearly every server to another
 * exporter.
 */
#ifndef NET_SHARD_H
#define NET_SHARD_H

#include "base/slice.h"
#include "net/address.h"

#include <stdbool.h>

#define SHARD_COUNT_MAX 4096

/* A shard of one is everything, and so is one that is all zero. */
struct shard {
    unsigned index; /* from 0, below count */
    unsigned count;
};

/*
 * Reads "I/N". I may be a name that ends in '-' and the number, as the pods of a Kubernetes StatefulSet are
 * called: "exporter-2/4" is "2/4". NULL, or what was expected; `shard` is then untouched.
 */
const char *shard_parse(struct shard *shard, struct slice text);

/* Whether the shard has that address; equal texts are equal addresses, see address_format. */
bool shard_owns(struct shard shard, struct slice address);

/* The same of a parsed address, however it was written. */
bool shard_owns_address(struct shard shard, const struct address *address);

#endif
