/*
 * Which line comes next: the lines that servers send, in the order in which they send them.
 *
 * The servers of a fleet say the same stats in the same order, poll after poll. So every line that the stats
 * table knows is remembered once for all servers, with the two lines that came after it last:
 *
 *     "STAT pid " -> "STAT uptime " -> "STAT time " -> "STAT version "
 *                                                  \-> "STAT pointer_size "    (another version)
 *
 * A line that begins as expected is taken without a search for its key; one that is known and comes at
 * another place is found by its text. Any other is read as if there were no plan, by reply_next and
 * snapshot_builder_add, and is known from then on. What a builder holds in the end is the same in any case.
 *
 * For one thread only: the plan is shared by all sessions. It holds a bounded number of lines, and begins
 * anew when there are more.
 */
#ifndef MEMCACHED_REPLY_PLAN_H
#define MEMCACHED_REPLY_PLAN_H

#include "base/slice.h"
#include "memcached/snapshot_builder.h"
#include "memcached/stats.h"

#include <stdbool.h>

/* A longer line, up to its value, is not remembered. */
#define PLAN_TEXT_MAX 48

/* The slab classes of a fleet of all versions, each with all its stats, are about so many. */
#define PLAN_LINES_MAX 4096

struct plan_line;

/* Whether the lines of a command can be planned: those that a builder keeps, and that are pairs. */
bool reply_plan_knows(enum command command);

/*
 * Takes lines off `input` into the builder as long as each is known, and remembers what comes after what:
 * `place` is the line that was taken last. NULL is the place before the first line. False when out of memory.
 */
bool reply_plan_take(struct plan_line **place, enum command command, struct snapshot_builder *builder,
                     struct slice *input);

/* Remembers the line of this key, which the builder took last otherwise, and moves the place there. */
void reply_plan_note(struct plan_line **place, const struct snapshot_builder *builder, struct slice key);

#endif
