/*
 * The command "top": asks all configured servers again and again, and shows what they said as a table. On a
 * terminal the table fills the screen and takes keys; otherwise each table is written below the one before.
 *
 *     top_start -> on_tick -> gather -> on_gathered -> draw -> ... -> on_end -> top_close -> [on_close]
 */
#ifndef GATHER_TOP_H
#define GATHER_TOP_H

#include "gather/gather.h"
#include "gather/top_hot_keys.h"
#include "gather/top_table.h"
#include "outputs/terminal.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <uv.h>

struct top;

struct top_config {
    uv_loop_t *loop;
    struct target_set *(*target_set)(void *context); /* returns the active target set */
    struct fleet *fleet;
    struct telemetry *telemetry;
    const struct watch
        *watch; /* its hottest keys are shown, and no server is asked; NULL: servers are shown */
    uint64_t interval_ms;
    bool color;
    /* Called once: somebody has quit (code 0), or nothing can be shown any more. The owner then closes. */
    void (*on_end)(void *context, int code);
    void *context;
};

typedef void (*top_close_fn)(struct top *top);

/* Embedded in its owner. Only top.c uses the fields. */
struct top {
    struct top_config config;
    struct terminal terminal;
    struct top_view view;
    struct gather *gather; /* the gather that is running, or NULL */
    uv_timer_t timer;
    bool ended;    /* on_end was called */
    unsigned open; /* parts that are still open: terminal, timer */
    top_close_fn on_close;
};

/* Takes the terminal and starts to ask. If that fails, on_end runs from the loop. */
void top_start(struct top *top, const struct top_config *config);

/* Gives the terminal back. on_close runs once, from the loop. */
void top_close(struct top *top, top_close_fn on_close);

#endif
