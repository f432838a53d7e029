#include "process/signals.h"

#include "base/container.h"
#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A shell reports 128 plus the signal number for a process that a signal has ended. */
#define EXIT_BY_SIGNAL 128

void signals_ignore(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct signals *signals = container_of(timer, struct signals, timer);
    log_write(LOG_WARN, "ending without the rest, probably a thread waits for a file system", NULL, 0);
    quick_exit(EXIT_BY_SIGNAL + signals->number);
}

/*
 * A second signal ends the process without closing anything but the terminal, see outputs/terminal. The
 * signal's default action would not end the first process of a container.
 */
static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;
    if (signals->received) {
        log_line(LOG_WARN, "stopping at once, a second signal came", LOG_FIELD("signal", strsignal(number)));
        quick_exit(EXIT_BY_SIGNAL + number);
    }
    signals->received = true;
    signals->number = number;
    log_line(LOG_INFO, "stopping", LOG_FIELD("signal", strsignal(number)));
    uv_timer_start(&signals->timer, on_patience_over, signals->patience_ms, 0);
    signals->on_stop(signals->context);
}

static int start_one(struct signals *signals, uv_loop_t *loop, int number)
{
    uv_signal_t *handle = &signals->handles[signals->count];
    int result = uv_signal_init(loop, handle);
    if (result < 0) return result;
    signals->count++;
    handle->data = signals;
    return uv_signal_start(handle, on_signal, number);
}

int signals_start(struct signals *signals, uv_loop_t *loop, void (*on_stop)(void *context), void *context)
{
    *signals = (struct signals){.on_stop = on_stop, .context = context, .patience_ms = SIGNALS_PATIENCE_MS};
    uv_timer_init(loop, &signals->timer);
    uv_unref((uv_handle_t *) &signals->timer);
    signals->timed = true;
    int result = start_one(signals, loop, SIGTERM);
    return result < 0 ? result : start_one(signals, loop, SIGINT);
}

void signals_close(struct signals *signals)
{
    if (signals->timed) uv_close((uv_handle_t *) &signals->timer, NULL);
    signals->timed = false;
    while (signals->count) uv_close((uv_handle_t *) &signals->handles[--signals->count], NULL);
}
