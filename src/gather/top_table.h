/*
 * What the command "top" shows: a line with sums, a table of servers, a line with keys. Pure: it makes text
 * from the histories of the targets.
 */
#ifndef GATHER_TOP_TABLE_H
#define GATHER_TOP_TABLE_H

#include "base/buffer.h"
#include "targets/target_list.h"

#include <stdbool.h>
#include <stddef.h>

/* What a person has chosen. Starts zeroed, except for the size. */
struct top_view {
    unsigned columns, rows; /* size of the screen; rows 0: all servers, and no line with keys */
    bool color;
    unsigned sort; /* index of the column by which the servers are sorted */
    bool reverse;  /* against the order that the column has by itself */
    bool hides_up; /* only servers that are not up are shown */
    size_t first;  /* first server on the screen; top_table_write corrects it */
};

/*
 * Changes the view as the key says: a letter from the line with keys, or an enum key of outputs/terminal.h.
 * Returns false if the key means nothing.
 */
bool top_view_key(struct top_view *view, int key);

/* Appends one line with its end, cut to the width of the screen. `color` is an escape sequence, or "". */
void top_append_line(struct buffer *out, const struct top_view *view, const char *color, struct slice text);

/* Appends the frame: lines with their ends, on a screen without the last end. `now_s` is Unix time. */
void top_table_write(struct top_view *view, const struct target_list *targets, double now_s,
                     struct buffer *out);

#endif
