/*
 * SIGTERM and SIGINT: the first signal asks the program to stop, the second one ends it at once. If the
 * program has not ended after SIGNALS_PATIENCE_MS, it is ended as by a second signal: a thread may wait for a
 * file system that is gone, and nobody can stop such a thread.
 *
 *     signals_start -> [on_stop] -> signals_close
 *
 * SIGHUP reloads the configuration, see targets/reload. This file only ignores SIGHUP until then.
 */
#ifndef PROCESS_SIGNALS_H
#define PROCESS_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

/* More than running scrapes get, and less than the ten seconds that Docker gives. */
#define SIGNALS_PATIENCE_MS 8000

struct signals {
    uv_signal_t handles[2];
    unsigned count;       /* number of open handles */
    uv_timer_t timer;     /* runs since the first signal; does not keep the loop alive */
    unsigned patience_ms; /* SIGNALS_PATIENCE_MS; tests shorten it */
    bool timed;           /* true if the timer is open */
    int number;           /* the first signal */
    bool received;
    void (*on_stop)(void *context);
    void *context;
};

/*
 * Ignores SIGPIPE and SIGXFSZ, so that a broken pipe and the limit of file sizes become normal errors. Also
 * ignores SIGHUP. Call it before anything else starts.
 */
void signals_ignore(void);

/*
 * From now on, the first SIGTERM or SIGINT is logged and calls on_stop from the loop. Returns 0 or a negative
 * libuv code. Call signals_close in either case.
 */
int signals_start(struct signals *signals, uv_loop_t *loop, void (*on_stop)(void *context), void *context);

/*
 * Closes the handles. The struct must stay valid until the loop has ended. Does nothing if no handle is open.
 */
void signals_close(struct signals *signals);

#endif
