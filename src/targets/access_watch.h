/*
 * Watches the certificate and password files that the active modules name. Checks the files every few seconds
 * on the thread pool. When a file has changed, reads all files of its module again.
 *
 * If the files cannot be read or are not valid, the old contents stay in use. The log then gets one line with
 * the reason. The files are read again after their next change.
 */
#ifndef TARGETS_ACCESS_WATCH_H
#define TARGETS_ACCESS_WATCH_H

#include "targets/manager.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Time between two checks. */
#define ACCESS_WATCH_MS 2000

typedef void (*access_watch_close_fn)(void *context);

struct access_watch {
    uv_loop_t *loop;
    struct manager *manager;
    uv_timer_t timer;
    uv_work_t work;
    struct look *looks; /* files of the last check; owned array */
    size_t count;
    unsigned open; /* number of open parts: the timer, and the work if it is running */
    bool closing;
    access_watch_close_fn on_close;
    void *context;
};

/* Starts watching. `manager` is borrowed and must outlive `watch`. */
void access_watch_start(struct access_watch *watch, uv_loop_t *loop, struct manager *manager);

/* Stops watching. on_close runs once, from the loop, after the timer is closed and the work has ended. */
void access_watch_close(struct access_watch *watch, access_watch_close_fn on_close, void *context);

#endif
