/*
 * What the command "top" shows with --keys: the hottest keys of each server that is watched. Pure: it makes
 * text from the reports of the last windows.
 */
#ifndef GATHER_TOP_HOT_KEYS_H
#define GATHER_TOP_HOT_KEYS_H

#include "gather/top_table.h"
#include "watch/watch.h"

/* Appends the frame, as top_table_write does. `now_s` is Unix time. */
void top_hot_keys_write(const struct top_view *view, const struct watch *watch, double now_s,
                        struct buffer *out);

#endif
