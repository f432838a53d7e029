/*
 * Logs that servers are down, or up again. When many change at once, such as when a network fails, the first
 * STATE_LOG_LINES get a line each, and all together one line, with the names of the first few. The others get
 * their own lines at level debug alone.
 */
#ifndef MEMCACHED_STATE_LOG_H
#define MEMCACHED_STATE_LOG_H

#include "memcached/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* "At once" means within this time. */
#define STATE_LOG_MS 1000

/* How many changes of a kind get lines of their own in that time. */
#define STATE_LOG_LINES 10

enum state_change {
    STATE_DOWN,
    STATE_OTHER_REASON, /* still down */
    STATE_UP,
    STATE_CHANGES,
};

/* The changes of one kind since the last line about all of them. */
struct state_burst {
    size_t count;
    size_t states[TARGET_STATE_COUNT]; /* how many of them have come to each state */
    char first[256];                   /* names of the first few, with commas between them */
};

struct state_log;

typedef void (*state_log_close_fn)(struct state_log *log);

/* Embedded in its owner. */
struct state_log {
    uv_timer_t timer; /* runs while there is something to say about many servers */
    struct state_burst bursts[STATE_CHANGES];
    bool flooded[STATE_CHANGES]; /* the last time was over STATE_LOG_LINES; then none gets its own line */
    state_log_close_fn on_close;
};

void state_log_init(struct state_log *log, uv_loop_t *loop);

/* Logs one change of a target. The snapshot has the new state and the error. `log` NULL: logs each alike. */
void state_log_note(struct state_log *log, enum state_change change, const char *target,
                    const struct snapshot *snapshot);

/* Logs what is still to be said, and closes the timer. on_close runs once, from the loop. */
void state_log_close(struct state_log *log, state_log_close_fn on_close);

#endif
