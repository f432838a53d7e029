/*
 * The families of the memcached servers, from the tables that know them, in the order of the exposition: what
 * the exporter itself knows of a target, the rows of the stats table, what is made of counts, what no table
 * knows, and what was left out.
 */
#ifndef COLLECTORS_FLEET_TABLE_H
#define COLLECTORS_FLEET_TABLE_H

#include "collectors/counts.h"
#include "collectors/outcome.h"
#include "memcached/stats.h"
#include "metrics/collector.h"

#include <stddef.h>
#include <stdint.h>

/* Longer than the names of all labels of any row. */
#define LABEL_NAMES_MAX 48

/*
 * A stat that moved from one command to another has two rows, and the official exporter gives it another
 * type in each. Where no server has a row from `turn` on, the family is `early`. For all other families
 * `turn` is `first`.
 */
struct table_family {
    struct family family, early;
    uint16_t first, turn, end; /* rows */
    char labels[LABEL_NAMES_MAX];
};

/*
 * What the samples of a row have in common, measured once: when they are written, constant labels, and among
 * them, in the order of the names, the label of the number.
 */
struct row_shape {
    unsigned shown_by;   /* its samples are written if one of these is shown: commands, or BY_CLASS of them */
    struct slice before; /* constant labels: all of them where there is no number */
    struct slice number; /* the name of its number's label; empty for none */
    struct slice after;  /* constant labels */
};

/* Of a set of commands: what they say of each slab class. */
#define BY_CLASS(commands) ((commands) << 16)
_Static_assert(COMMAND_COUNT < 16, "both fit into one set");

#define FAMILIES_MAX (OUTCOME_FAMILIES + STAT_ROWS_MAX + COUNTS_FAMILIES + 3)

/* Made once, from rows that live as long as the program. */
struct fleet_table {
    struct table_family families[STAT_ROWS_MAX];
    struct row_shape shapes[STAT_ROWS_MAX];
    size_t count;
    struct collector collector;
    const struct family *pointers[FAMILIES_MAX];
    struct family_head heads[FAMILIES_MAX];
    struct buffer head_texts;
};

extern struct fleet_table fleet_table;

/* Makes the table at the first call. */
const struct collector *fleet_collector(void);

#endif
