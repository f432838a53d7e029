/*
 * Makes a roster from a configuration and from what its sources have found, a few hundred targets at a time.
 *
 * A server that is named twice in a group is taken once, the first time. So is one whose labels are those of
 * another target, since its samples would be the same series. A found label that a metric uses itself refuses
 * the target; those that begin with "__" only serve the group's labels, and a group's own label wins over a
 * found one of the same name.
 */
#ifndef ASSEMBLY_H
#define ASSEMBLY_H

#include "base/set.h"
#include "config/config.h"
#include "discovery/results.h"
#include "memcached/fleet.h"
#include "net/shard.h"
#include "roster.h"

#include <stdbool.h>
#include <stddef.h>

/* What a roster is made of; borrowed until the assembly is released. */
struct assembly_parts {
    struct fleet *fleet;
    const struct config *config;
    const struct results *const *found; /* of the sources of all groups, one group behind the other */
    const char *target_label;
    struct shard shard; /* other targets are left out */
    bool (*label_reserved)(struct slice name);
};

struct assembly {
    struct assembly_parts parts;
    struct roster *roster;               /* owned */
    size_t group, found;                 /* where it is: the group, its current source among all */
    const struct config_source *source;  /* of the group; NULL while its own targets are taken */
    size_t target;                       /* of the group, or of what the source found */
    struct set addresses, labels;        /* of the group; of all */
    struct buffer scratch;               /* of one target's labels */
    size_t duplicates, refused;          /* targets that were left out */
    char example[ADDRESS_HOST_MAX + 16]; /* one of them */
};

/* 0 or UV_ENOMEM; assembly_deinit follows in any case. The roster will have the two as on_unused and owner.
 */
int assembly_init(struct assembly *assembly, const struct assembly_parts *parts,
                  void (*on_unused)(struct roster *roster), void *owner);

/* Takes up to so many targets. 0 while there are more, 1 when the roster is whole, UV_ENOMEM. */
int assembly_step(struct assembly *assembly, size_t count);

/* Whether it is in the midst of what that source has found, which must not change then. */
bool assembly_reads(const struct assembly *assembly, const struct results *found);

/* The roster, which is the caller's from then on. */
struct roster *assembly_take(struct assembly *assembly);

/* Releases what was not taken. */
void assembly_deinit(struct assembly *assembly);

#endif
