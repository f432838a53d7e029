/*
 * All families of the memcached servers, in the order of the exposition: the exporter's own metrics of a
 * target, the rows of the stats table, families made of counts, unknown stats, and the number of stats left
 * out.
 */
#ifndef COLLECTORS_FLEET_TABLE_H
#define COLLECTORS_FLEET_TABLE_H

#include "collectors/counts.h"
#include "collectors/outcome.h"
#include "memcached/stats.h"
#include "metrics/collector.h"

#include <stddef.h>
#include <stdint.h>

/* More than the label names of any row need. */
#define LABEL_NAMES_MAX 48

/*
 * A family, made of consecutive rows of the stats table. Some stats moved from one command to another and
 * have a row for each. The official exporter gives these two rows different metric types. If no server has a
 * row from `turn` on, the family `early` is used. In all other families, `turn` equals `first`.
 */
struct table_family {
    struct family family, early;
    uint16_t first, turn, end; /* row numbers; `end` is not included */
    char labels[LABEL_NAMES_MAX];
};

/*
 * The labels that all samples of a row share, measured once. The labels of a sample are `before`, the
 * number's label and `after`, in the order of label names.
 */
struct row_shape {
    unsigned shown_by;   /* the row is shown if one of these commands is shown; may have BY_CLASS bits */
    struct slice before; /* constant labels; all of them if there is no number */
    struct slice number; /* name of the number's label; empty if there is none */
    struct slice after;  /* constant labels */
};

/* What is needed to write a record of a row, packed closely: an exposition has hundreds for each target. */
struct fleet_row {
    struct series series; /* has no text if a text of the server is among the labels */
    unsigned shown_by;    /* as in row_shape; 0 without a series */
};

#define FAMILIES_MAX (OUTCOME_FAMILIES + STAT_ROWS_MAX + COUNTS_FAMILIES + 3)

/* Made once. Lives as long as the program. */
struct fleet_table {
    struct table_family families[STAT_ROWS_MAX];
    struct row_shape shapes[STAT_ROWS_MAX];
    size_t count;
    struct collector collector;
    const struct family *pointers[FAMILIES_MAX];
    struct family_head heads[FAMILIES_MAX];
    struct buffer head_texts;
    struct fleet_row *rows[SERIES_FORMS]; /* made when a format first needs them; else NULL; owned arrays */
};

extern struct fleet_table fleet_table;

/* Returns the collector. The first call makes the table. */
const struct collector *fleet_collector(void);

/*
 * Returns one entry for each row of the stats table, with series in that form. Returns NULL if out of memory.
 */
const struct fleet_row *fleet_rows(enum series_form form);

#endif
