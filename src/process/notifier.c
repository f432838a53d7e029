#include "process/notifier.h"

#include "base/container.h"
#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 100

/* --- Environment --- */

/* Returns false if the name is no address that this program can send to. */
static bool parse_socket(const char *name, struct sockaddr_un *address, socklen_t *len)
{
    size_t size = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof(address->sun_path)) return false;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, size);
    if (name[0] == '@') address->sun_path[0] = '\0';
    /* The length of a path includes its NUL; that of an abstract name does not. */
    *len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size + (name[0] == '/'));
    return true;
}

static void open_socket(struct notifier *notifier)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name || !name[0]) return;
    if (!parse_socket(name, &notifier->address, &notifier->address_len)) {
        log_line(LOG_WARN, "cannot notify the service manager, NOTIFY_SOCKET is no unix socket",
                 LOG_FIELD("socket", name));
        return;
    }
    notifier->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (notifier->descriptor < 0)
        log_line(LOG_WARN, "cannot notify the service manager", LOG_FIELD("err", strerror(errno)));
}

/* Returns the time between two WATCHDOG=1, or 0 if nobody waits for them, or for those of another process. */
static uint64_t find_watchdog_ms(void)
{
    const char *time = getenv("WATCHDOG_USEC"), *owner = getenv("WATCHDOG_PID");
    uint64_t usec, pid;
    if (!time || !time[0]) return 0;
    if (owner && owner[0] && number_parse_u64(slice_of(owner), &pid) && pid != (uint64_t) getpid()) return 0;
    if (!number_parse_u64(slice_of(time), &usec)) {
        log_line(LOG_WARN, "the watchdog is not served, WATCHDOG_USEC is no number",
                 LOG_FIELD("value", time));
        return 0;
    }
    return usec >= 3000 ? usec / 3000 : usec > 0;
}

/* --- Messages --- */

/* Returns false if the message has to be sent again, because the socket is full. */
static bool send_text(const struct notifier *notifier, const char *text)
{
    ssize_t sent = sendto(notifier->descriptor, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *) &notifier->address, notifier->address_len);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM && errno != EINTR);
}

static void on_timer(uv_timer_t *timer);

/* Starts the timer for what is next: the message that was not taken, or WATCHDOG=1. */
static void start_timer(struct notifier *notifier)
{
    uint64_t wait_ms = notifier->watchdog_ms;
    if (notifier->unsent && (!wait_ms || wait_ms > RETRY_MS)) wait_ms = RETRY_MS;
    if (wait_ms) uv_timer_start(&notifier->timer, on_timer, wait_ms, 0);
}

/* Sends one datagram with both. A watchdog that is served a little too often is content, too. */
static void on_timer(uv_timer_t *timer)
{
    struct notifier *notifier = container_of(timer, struct notifier, timer);
    char text[NOTIFIER_TEXT_MAX + 16];
    snprintf(text, sizeof(text), "%s%s", notifier->unsent ? notifier->state : "",
             notifier->watchdog_ms ? "WATCHDOG=1\n" : "");
    if (send_text(notifier, text)) notifier->unsent = false;
    start_timer(notifier);
}

/* Sends a state unless it was sent last. It replaces an older one that was not taken. */
__attribute__((format(printf, 2, 3))) static void send_state(struct notifier *notifier, const char *format,
                                                             ...)
{
    char state[NOTIFIER_TEXT_MAX];
    va_list values;
    if (notifier->descriptor < 0 || notifier->stopping) return;
    va_start(values, format);
    vsnprintf(state, sizeof(state), format, values);
    va_end(values);
    if (strcmp(state, notifier->state) == 0) return;
    strcpy(notifier->state, state);
    notifier->unsent = !send_text(notifier, state);
    if (notifier->unsent) start_timer(notifier);
}

void notifier_ready(struct notifier *notifier, size_t targets, bool reloaded)
{
    send_state(notifier, "READY=1\nSTATUS=Serving %zu target%s.%s\n", targets, targets == 1 ? "" : "s",
               reloaded ? ""
                        : " The last reload failed: the log says why, the previous configuration stays.");
}

void notifier_reloading(struct notifier *notifier)
{
    send_state(notifier, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration file again.\n",
               (unsigned long long) (uv_hrtime() / 1000));
}

void notifier_stopping(struct notifier *notifier)
{
    send_state(notifier, "STOPPING=1\nSTATUS=Stopping: scrapes that have begun are answered.\n");
    notifier->stopping = true;
}

/* --- Start and end --- */

void notifier_start(struct notifier *notifier, uv_loop_t *loop, bool wanted)
{
    *notifier = (struct notifier){.descriptor = -1};
    uv_timer_init(loop, &notifier->timer);
    uv_unref((uv_handle_t *) &notifier->timer);
    if (wanted) open_socket(notifier);
    if (notifier->descriptor < 0) return;
    notifier->watchdog_ms = find_watchdog_ms();
    start_timer(notifier);
}

void notifier_close(struct notifier *notifier)
{
    if (notifier->descriptor >= 0) close(notifier->descriptor);
    notifier->descriptor = -1;
    uv_close((uv_handle_t *) &notifier->timer, NULL);
}
