/*
 * Which of several exporters a server belongs to.
 *
 * Rendezvous hashing (Thaler and Ravishankar, 1998): each shard draws a number for an address, and the
 * highest one has it. Every address so belongs to exactly one shard, and a shard that is added takes its part
 * from all others and moves nothing between them. Nobody has to know who else there is: each process decides
 * alone.
 *
 * Pure. The numbers are part of what users see: a version that drew others would move every server at once.
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
