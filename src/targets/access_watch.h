/*
 * Follows the files of certificates and passwords that the modules in force name: looks at them every few
 * seconds on the thread pool, and reads those of a module again when one of them has changed.
 *
 * Files that cannot be read or understood change nothing: the old contents stay in use, and one line of the
 * log says why. They are tried again when a file has changed once more.
 */
#ifndef TARGETS_ACCESS_WATCH_H
#define TARGETS_ACCESS_WATCH_H

#include "targets/manager.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* From one look to the next. */
#define ACCESS_WATCH_MS 2000

typedef void (*access_watch_close_fn)(void *context);

struct access_watch {
    uv_loop_t *loop;
    struct manager *manager;
    uv_timer_t timer;
    uv_work_t work;
    struct look *looks; /* of the last look; owned array */
    size_t count;
    unsigned open; /* the timer, and the work under way */
    bool closing;
    access_watch_close_fn on_close;
    void *context;
};

/* The manager is borrowed, for longer than it lives. */
void access_watch_start(struct access_watch *watch, uv_loop_t *loop, struct manager *manager);

/* on_close runs once, from the loop, when no handle and no thread is left. */
void access_watch_close(struct access_watch *watch, access_watch_close_fn on_close, void *context);

#endif
