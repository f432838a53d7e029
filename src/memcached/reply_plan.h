/*
 * Predicts the next line of a reply from the order in which servers send their lines.
 *
 * The servers of a fleet send the same stats in the same order, poll after poll. The plan remembers each line
 * of the stats table once for all servers. For each line it also remembers the last two different lines that
 * came after it:
 *
 *     "STAT pid " -> "STAT uptime " -> "STAT time " -> "STAT version "
 *                                                  \-> "STAT pointer_size "    (another version)
 *
 * An expected line is taken without looking up its key. A known line at another place is found by its text.
 * Any other line is read as if there were no plan, by reply_next and snapshot_builder_add, and is known from
 * then on. The builder holds the same in the end, with or without a plan.
 *
 * For one thread only: all sessions share the plan. The plan holds a limited number of lines. If there are
 * more, it forgets all and starts again.
 */
#ifndef MEMCACHED_REPLY_PLAN_H
#define MEMCACHED_REPLY_PLAN_H

#include "base/slice.h"
#include "memcached/snapshot_builder.h"
#include "memcached/stats.h"

#include <stdbool.h>

/* Longest line that is remembered, up to its value, in bytes. */
#define PLAN_TEXT_MAX 48

/*
 * Most lines that are remembered. The slab classes of a fleet of all versions, each with all its stats, have
 * about this many.
 */
#define PLAN_LINES_MAX 4096

struct plan_line;

/* Returns true if the lines of a command can be planned: they are pairs, and a builder keeps them. */
bool reply_plan_knows(enum command command);

/*
 * Takes lines off `input` into the builder as long as they are known, and remembers their order. `place` is
 * the line that was taken last, or NULL before the first line. Returns false if out of memory.
 */
bool reply_plan_take(struct plan_line **place, enum command command, struct snapshot_builder *builder,
                     struct slice *input);

/*
 * Remembers the line with this key, which the builder has just taken without the plan. Moves `place` there.
 */
void reply_plan_note(struct plan_line **place, const struct snapshot_builder *builder, struct slice key);

#endif
