#include "kernel.h"

#include "descriptor.h"
#include "script.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

/* A turn of the loop, and a call, take some time. */
#define START_NS (1000000 * MS_NS)
#define TURN_NS  20000
#define CALL_NS  200

/* A scenario with more turns, or more turns in a row without anything to do, is a loop that spins. */
#define TURNS_MAX      400000
#define IDLE_TURNS_MAX 20000

static struct {
    const struct outside *outside;
    struct descriptor table[KERNEL_END - KERNEL_FIRST];
    int used; /* numbers below have been in use */
    uint64_t generation;
    struct peer *peers;
    uint64_t now_ns, stood_ns, tick;
    unsigned slowness, turns, idle_turns;
    bool runs, scarce;
    struct sigaction actions[32];
} kernel;

void kernel_trace(const char *format, ...)
{
    static int wanted = -1;
    va_list arguments;
    if (wanted < 0) wanted = getenv("FUZZ_TRACE") != NULL;
    if (!wanted) return;
    printf("%10.3f ms: ", (double) (kernel.now_ns - START_NS) / (double) MS_NS);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

/* --- Time --- */

uint64_t kernel_now(void)
{
    return kernel.now_ns;
}

uint64_t kernel_tick(void)
{
    return kernel.tick;
}

void kernel_work(uint64_t ns)
{
    kernel.tick++;
    kernel.now_ns += ns * kernel.slowness;
}

void kernel_stand_still(uint64_t ns)
{
    kernel.tick++;
    kernel.now_ns += ns;
    kernel.stood_ns += ns;
}

uint64_t kernel_stood_still(void)
{
    return kernel.stood_ns;
}

void kernel_slow_down(unsigned factor)
{
    kernel.slowness = factor;
}

/* --- The table --- */

struct descriptor *descriptor_of(int number)
{
    if (number < KERNEL_FIRST || number >= KERNEL_END) return NULL;
    struct descriptor *descriptor = &kernel.table[number - KERNEL_FIRST];
    if (descriptor->kind == KIND_FREE) fault("descriptor %d is used although it is not open", number);
    kernel_work(CALL_NS);
    return descriptor;
}

int descriptor_number(const struct descriptor *descriptor)
{
    return KERNEL_FIRST + (int) (descriptor - kernel.table);
}

int descriptor_open(enum kind kind)
{
    int n = 0;
    if (kernel.scarce && script_below(8) == 7) {
        errno = EMFILE;
        return -1;
    }
    while (n < KERNEL_END - KERNEL_FIRST && kernel.table[n].kind != KIND_FREE) n++;
    if (n == KERNEL_END - KERNEL_FIRST) {
        errno = EMFILE;
        return -1;
    }
    kernel.table[n] = (struct descriptor){.kind = kind, .generation = ++kernel.generation, .other = -1};
    if (n >= kernel.used) kernel.used = n + 1;
    return KERNEL_FIRST + n;
}

static void tell_end(struct descriptor *descriptor)
{
    struct peer *peer = descriptor->peer;
    if (!peer || peer->ended) return;
    peer->ended = true;
    if (peer->kind->on_end) peer->kind->on_end(peer);
}

void descriptor_close(int number)
{
    struct descriptor *descriptor = descriptor_of(number);
    while (descriptor->waiting) descriptor_close(descriptor->backlog[--descriptor->waiting]);
    while (descriptor->datagram_count)
        free((void *) (uintptr_t) descriptor->datagrams[--descriptor->datagram_count].data);
    if (descriptor->peer) descriptor->peer->descriptor = -1;
    tell_end(descriptor);
    free(descriptor->in);
    descriptor->in = NULL;
    descriptor->kind = KIND_FREE;
}

void descriptor_append(struct descriptor *descriptor, const char *bytes, size_t len)
{
    if (descriptor->in_at == descriptor->in_len) descriptor->in_at = descriptor->in_len = 0;
    if (descriptor->in_len + len > descriptor->in_size) {
        descriptor->in_size = 2 * (descriptor->in_len + len);
        descriptor->in = realloc(descriptor->in, descriptor->in_size);
        if (!descriptor->in) fault("the fuzzer is out of memory");
    }
    if (len) memcpy(descriptor->in + descriptor->in_len, bytes, len);
    descriptor->in_len += len;
}

int descriptor_copy_name(const struct sockaddr_storage *name, struct sockaddr *out, socklen_t *len)
{
    socklen_t size = name->ss_family == AF_INET    ? sizeof(struct sockaddr_in)
                     : name->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(sa_family_t);
    if (!out) return 0;
    memcpy(out, name, *len < size ? *len : size);
    *len = size;
    return 0;
}

/* --- Scenarios --- */

void kernel_begin(const struct outside *outside)
{
    kernel.outside = outside;
    kernel.runs = true;
    kernel.now_ns = START_NS;
    kernel.tick = kernel.stood_ns = 0;
    kernel.turns = kernel.idle_turns = 0;
    kernel.slowness = 1;
    kernel.scarce = false;
}

bool kernel_runs(void)
{
    return kernel.runs;
}

void kernel_end(void)
{
    kernel.runs = kernel.scarce = false;
    for (int n = 0; n < kernel.used; n++) {
        const struct descriptor *descriptor = &kernel.table[n];
        if (descriptor->kind != KIND_FREE && !descriptor->lasting)
            fault("descriptor %d of kind %d is still open", KERNEL_FIRST + n, (int) descriptor->kind);
    }
    while (kernel.peers) {
        struct peer *peer = kernel.peers;
        kernel.peers = peer->next;
        peer->kind->free(peer);
    }
}

const struct outside *kernel_outside(void)
{
    return kernel.outside;
}

void kernel_make_scarce(void)
{
    kernel.scarce = true;
}

bool kernel_is_scarce(void)
{
    return kernel.scarce;
}

/* --- Peers --- */

void kernel_add(struct peer *peer, const struct peer_kind *kind)
{
    *peer = (struct peer){.kind = kind, .next = kernel.peers, .descriptor = -1, .due_ns = NEVER};
    kernel.peers = peer;
}

void kernel_join(struct peer *peer, int descriptor)
{
    peer->descriptor = descriptor;
    descriptor_of(descriptor)->peer = peer;
}

void kernel_establish(struct peer *peer, int error)
{
    if (peer->descriptor < 0) return;
    struct descriptor *descriptor = descriptor_of(peer->descriptor);
    descriptor->kind = KIND_STREAM;
    descriptor->error = error;
    descriptor->reset = error != 0;
}

bool kernel_knock(struct peer *peer, const struct sockaddr_storage *from)
{
    struct descriptor *listener = NULL;
    for (int n = 0; n < kernel.used; n++) {
        if (kernel.table[n].kind == KIND_LISTENER && kernel.table[n].waiting < BACKLOG)
            listener = &kernel.table[n];
    }
    if (!listener) return false;
    bool scarce = kernel.scarce;
    kernel.scarce = false;
    int number = descriptor_open(KIND_STREAM);
    kernel.scarce = scarce;
    if (number < 0) return false;
    struct descriptor *descriptor = descriptor_of(number);
    descriptor->family = listener->family;
    descriptor->name = listener->name;
    descriptor->peer_name = *from;
    kernel_join(peer, number);
    listener->backlog[listener->waiting++] = number;
    return true;
}

void kernel_send(struct peer *peer, struct slice bytes)
{
    if (peer->descriptor < 0) return;
    struct descriptor *descriptor = descriptor_of(peer->descriptor);
    if (descriptor->finished || descriptor->reset) return;
    descriptor_append(descriptor, bytes.data, bytes.len);
    peer->sent += bytes.len;
}

void kernel_finish(struct peer *peer)
{
    if (peer->descriptor >= 0) descriptor_of(peer->descriptor)->finished = true;
}

void kernel_reset(struct peer *peer)
{
    if (peer->descriptor < 0) return;
    struct descriptor *descriptor = descriptor_of(peer->descriptor);
    descriptor->reset = true;
    descriptor->error = ECONNRESET;
    descriptor->in_at = descriptor->in_len = 0;
}

void kernel_stop_reading(struct peer *peer, bool stop)
{
    if (peer->descriptor >= 0) descriptor_of(peer->descriptor)->blocked = stop;
}

uint64_t kernel_generation(int descriptor)
{
    return descriptor_of(descriptor)->generation;
}

void kernel_send_datagram(int number, uint64_t generation, struct slice bytes)
{
    struct descriptor *descriptor = &kernel.table[number - KERNEL_FIRST];
    bool gone = descriptor->kind != KIND_DATAGRAM || descriptor->generation != generation;
    if (gone || descriptor->datagram_count == DATAGRAMS) return;
    char *copy = malloc(bytes.len + 1);
    if (!copy) return;
    memcpy(copy, bytes.data, bytes.len);
    descriptor->datagrams[descriptor->datagram_count++] = (struct slice){copy, bytes.len};
}

/* --- Signals and watches of files --- */

void kernel_handle_signal(int number, const struct sigaction *action, struct sigaction *old)
{
    if (old) *old = kernel.actions[number];
    if (action) kernel.actions[number] = *action;
}

void kernel_signal(int number)
{
    void (*handler)(int) = kernel.actions[number].sa_handler;
    if (handler != SIG_DFL && handler != SIG_IGN) handler(number);
}

void kernel_touch(const char *name)
{
    char padded[32] = "";
    struct inotify_event event = {.mask = IN_MODIFY, .len = sizeof(padded)};
    snprintf(padded, sizeof(padded), "%s", name);
    for (int n = 0; n < kernel.used; n++) {
        if (kernel.table[n].kind != KIND_WATCHES) continue;
        for (event.wd = 1; (uint64_t) event.wd <= kernel.table[n].count; event.wd++) {
            descriptor_append(&kernel.table[n], (const char *) &event, sizeof(event));
            descriptor_append(&kernel.table[n], padded, sizeof(padded));
        }
    }
}

/* --- Waiting --- */

static uint32_t events_of(const struct descriptor *descriptor)
{
    bool unread = descriptor->in_at < descriptor->in_len;
    switch (descriptor->kind) {
    case KIND_EVENT:
        return (descriptor->count ? EPOLLIN : 0u) | EPOLLOUT;
    case KIND_PIPE:
        return (unread ? EPOLLIN : 0u) | EPOLLOUT;
    case KIND_WATCHES:
        return unread ? EPOLLIN : 0;
    case KIND_LISTENER:
        return descriptor->waiting ? EPOLLIN : 0;
    case KIND_DATAGRAM:
        return (descriptor->datagram_count ? EPOLLIN : 0u) | EPOLLOUT;
    case KIND_SOCKET:
        return EPOLLOUT | EPOLLHUP;
    case KIND_STREAM:
        if (descriptor->reset) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP;
        return (unread || descriptor->finished ? EPOLLIN : 0u) | (descriptor->blocked ? 0u : EPOLLOUT) |
               (descriptor->finished ? EPOLLRDHUP : 0u) |
               (descriptor->finished && descriptor->shut ? EPOLLHUP : 0u);
    default:
        return 0;
    }
}

/* The script may turn the order around and hold events back for the next turn. */
static int collect(struct epoll_event *events, int most)
{
    int found = 0, start = kernel.used ? (int) script_below((unsigned) kernel.used) : 0;
    for (int n = 0; n < kernel.used && found < most; n++) {
        const struct descriptor *descriptor = &kernel.table[(start + n) % kernel.used];
        if (descriptor->kind == KIND_FREE || !descriptor->watched) continue;
        uint32_t ready = events_of(descriptor) & (descriptor->wish.events | EPOLLERR | EPOLLHUP);
        if (ready) events[found++] = (struct epoll_event){.events = ready, .data = descriptor->wish.data};
    }
    return found > 1 ? found - (int) script_below((unsigned) found) : found;
}

/* Lets all peers act that are due. Returns when the next one is due. */
static uint64_t let_act(void)
{
    uint64_t next_ns = NEVER;
    for (struct peer *peer = kernel.peers; peer; peer = peer->next) {
        if (peer->due_ns <= kernel.now_ns) {
            peer->due_ns = NEVER;
            peer->kind->on_due(peer);
        }
        if (peer->due_ns < next_ns) next_ns = peer->due_ns;
    }
    return next_ns;
}

static void count_turn(int timeout_ms, int found)
{
    kernel.idle_turns = timeout_ms == 0 && found == 0 ? kernel.idle_turns + 1 : 0;
    if (++kernel.turns > TURNS_MAX || kernel.idle_turns > IDLE_TURNS_MAX)
        fault("the loop spins: %u turns, %u of them idle", kernel.turns, kernel.idle_turns);
}

int kernel_wait(struct epoll_event *events, int most, int timeout_ms)
{
    kernel_trace("the program waits for %d ms", timeout_ms);
    uint64_t end_ns = timeout_ms < 0 ? NEVER : kernel.now_ns + (uint64_t) timeout_ms * MS_NS;
    kernel_work(TURN_NS);
    kernel.outside->on_wait();
    for (;;) {
        uint64_t next_ns = let_act();
        int found = collect(events, most);
        if (found || timeout_ms == 0) {
            count_turn(timeout_ms, found);
            return found;
        }
        if (next_ns == NEVER || next_ns > end_ns) kernel.outside->on_idle();
        next_ns = let_act();
        found = collect(events, most);
        if (found) return found;
        if (next_ns == NEVER && end_ns == NEVER) fault("the program waits for what never comes");
        kernel.now_ns = next_ns < end_ns ? next_ns : end_ns;
        if (kernel.now_ns == end_ns) {
            count_turn(timeout_ms, 1);
            return 0;
        }
    }
}
