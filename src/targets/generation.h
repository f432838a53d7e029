/* One configuration with all that belongs to it while it is in force, or on its way to that: its terms, and
 * the sources that it uses. */
#ifndef TARGETS_GENERATION_H
#define TARGETS_GENERATION_H

#include "config/config.h"
#include "settings/terms.h"
#include "targets/providers.h"

#include <stdbool.h>
#include <stddef.h>

struct generation {
    struct terms *terms;                /* held; with a configuration */
    struct provider **providers;        /* in use; of all groups, one behind the other; owned array */
    const struct config_group **owners; /* the group of each; owned array */
    size_t provider_count;
    const struct results **found; /* what each of them has found, see generation_found; owned array */
};

/*
 * Takes the configuration over in any case. 0, or a negative libuv code, maybe with a line in `error`;
 * then there is nothing to free. The flags are borrowed.
 */
int generation_new(struct generation **generation, struct config *config, const struct options *flags,
                   struct providers *providers, struct buffer *error);

/* NULL is taken. */
void generation_free(struct generation *generation);

/* Whether every source has answered once. */
bool generation_is_answered(const struct generation *generation);

/* What the sources have found by now; good until one of them changes. */
const struct results *const *generation_found(const struct generation *generation);

/*
 * Whether its samples carry the labels of their targets, of which there are so many. One address that stands
 * alone needs none, as long as no other can come.
 */
bool generation_needs_labels(const struct generation *generation, size_t targets);

/* Whether there is a source that has never answered well. */
bool generation_is_blind(const struct generation *generation);

/* The group of a source. */
const struct config_group *generation_group(const struct generation *generation, size_t provider);

#endif
