/*
 * Tells the service manager how the exporter is, by the protocol of sd_notify(3): a datagram of lines like
 * READY=1 to the unix socket that $NOTIFY_SOCKET names. The name is a path, or begins with @ for an abstract
 * socket. Without the variable, nothing is sent.
 *
 *     notifier_start -> notifier_ready -> [notifier_reloading -> notifier_ready] -> notifier_stopping
 *         -> notifier_close
 *
 * If $WATCHDOG_USEC is set, WATCHDOG=1 is sent three times in that time, by a timer of the loop. So it stops
 * when the loop stops, and the service manager restarts the exporter.
 *
 * Sending never blocks. If the socket is full, the newest state is sent again until the socket takes it.
 */
#ifndef PROCESS_NOTIFIER_H
#define PROCESS_NOTIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>
#include <uv.h>

#define NOTIFIER_TEXT_MAX 256

struct notifier {
    uv_timer_t timer; /* does not keep the loop alive */
    int descriptor;   /* owned; -1 if nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t watchdog_ms;          /* time between two WATCHDOG=1; 0 for none */
    bool stopping;                 /* READY=1 must not follow STOPPING=1 */
    char state[NOTIFIER_TEXT_MAX]; /* newest message, which is not repeated */
    bool unsent;                   /* true if the socket did not take the newest message yet */
};

/*
 * Reads the environment and opens the socket, if anything is to be sent at all. Call it before the sandbox is
 * entered, and notifier_close in any case. A variable that makes no sense is logged and ignored.
 */
void notifier_start(struct notifier *notifier, uv_loop_t *loop, bool wanted);

/*
 * The exporter serves. Call it again when the number of targets changes, and at the end of a reload.
 * `reloaded` is false if the last reload failed.
 */
void notifier_ready(struct notifier *notifier, size_t targets, bool reloaded);

/* A reload begins. The message has the time, by which systemd knows that it is the reload it asked for. */
void notifier_reloading(struct notifier *notifier);

void notifier_stopping(struct notifier *notifier);

/* Closes socket and timer. The struct must stay valid until the loop has ended. */
void notifier_close(struct notifier *notifier);

#endif
