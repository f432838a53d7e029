/*
 * SIGTERM and SIGINT: the first one asks the program to stop, the second one ends it at once.
 *
 *     signals_start -> [on_stop] -> signals_close
 *
 * SIGHUP belongs to the reload of the configuration; here it is only kept from ending the process before.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>
#include <uv.h>

struct signals {
    uv_signal_t handles[2];
    unsigned count; /* of the handles, how many are open */
    bool received;
    void (*on_stop)(void *context);
    void *context;
};

/*
 * Ignores SIGPIPE and SIGXFSZ, so that a broken pipe and a limit of file sizes are errors like any other, and
 * SIGHUP. To be called before anything else starts.
 */
void signals_ignore(void);

/*
 * From now on the first SIGTERM or SIGINT is logged and calls on_stop from the loop. 0 or a negative libuv
 * code. After either, signals_close is the way out.
 */
int signals_start(struct signals *signals, uv_loop_t *loop, void (*on_stop)(void *context), void *context);

/* The memory must stay until the loop has ended. Harmless when nothing is open. */
void signals_close(struct signals *signals);

#endif
