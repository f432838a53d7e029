/*
 * A kernel that lives in this process: descriptors, connections, waiting and time, for the program that is
 * linked with the wraps of calls.c. Nothing leaves the process, and time passes only as the world wants it.
 *
 * A peer is whoever sits at the other end of a connection: a scripted server or a scraper. The program calls
 * epoll_wait; kernel_wait lets the peers act that are due, reports what is ready, and otherwise jumps to the
 * next moment at which something happens.
 */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include "base/slice.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Descriptors of this kernel; smaller ones are those of the real kernel. */
#define KERNEL_FIRST 200
#define KERNEL_END   900

#define MS_NS UINT64_C(1000000)
#define NEVER UINT64_MAX

struct peer;

struct peer_kind {
    void (*on_bytes)(struct peer *peer, struct slice bytes); /* the program wrote */
    void (*on_read)(struct peer *peer, uint64_t total);      /* the program has read so many bytes so far */
    void (*on_end)(struct peer *peer);                       /* the program shut down or closed its end */
    void (*on_due)(struct peer *peer);                       /* due_ns has come; it is NEVER again */
    void (*free)(struct peer *peer);                         /* the scenario is over */
};

struct peer {
    const struct peer_kind *kind;
    struct peer *next; /* list of all peers, kept by the kernel */
    int descriptor;    /* the program's end, or -1: not connected, or closed by the program */
    uint64_t due_ns;
    uint64_t sent; /* bytes sent to the program so far */
    bool ended;    /* on_end was called */
};

/* What happens outside the program. */
struct outside {
    /*
     * The program connects a stream. Returns 0, EINPROGRESS, or another errno. After EINPROGRESS, the peer
     * calls kernel_establish.
     */
    int (*on_connect)(int descriptor, const struct sockaddr *name);
    void (*on_datagram)(int descriptor, struct slice bytes); /* the program sent one */
    void (*on_wait)(void);                                   /* the program is about to wait */
    void (*on_idle)(void);                                   /* nothing is ready and nobody is due */
};

/* Begins and ends a scenario. kernel_end faults if the program has left a descriptor open. */
void kernel_begin(const struct outside *outside);
void kernel_end(void);

/* Returns true between the two. The calls of a fuzzer, which come before and after, are real. */
bool kernel_runs(void);

/* With FUZZ_TRACE in the environment, shows what happens, and when. */
void kernel_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- Time --- */

/* The clock in nanoseconds, and a count of all calls of the program: a clock that never stands still. */
uint64_t kernel_now(void);
uint64_t kernel_tick(void);

/* Lets time pass for work: a slow machine has a large factor. */
void kernel_work(uint64_t ns);
void kernel_slow_down(unsigned factor);

/* Lets time pass in which the program does not run. A slow machine makes no difference. */
void kernel_stand_still(uint64_t ns);

/* Returns how long the program has not run by then, in all. */
uint64_t kernel_stood_still(void);

/* --- Peers --- */

void kernel_add(struct peer *peer, const struct peer_kind *kind);

/* Joins a peer and the program's descriptor. */
void kernel_join(struct peer *peer, int descriptor);

/* Ends a connect that was EINPROGRESS: with 0 or an errno. */
void kernel_establish(struct peer *peer, int error);

/* Connects to the program's listener. Returns false if there is none. */
bool kernel_knock(struct peer *peer, const struct sockaddr_storage *from);

void kernel_send(struct peer *peer, struct slice bytes);
void kernel_finish(struct peer *peer);
void kernel_reset(struct peer *peer);

/* As long as a peer does not read, the program cannot write. */
void kernel_stop_reading(struct peer *peer, bool stop);

/* Sends a datagram to a descriptor, unless it is closed. */
void kernel_send_datagram(int descriptor, uint64_t generation, struct slice bytes);
uint64_t kernel_generation(int descriptor);

/* Calls the program's handler of a signal. */
void kernel_signal(int number);

/* Tells the program's watches that a file has changed. */
void kernel_touch(const char *name);

/* From now on, descriptors may run out. */
void kernel_make_scarce(void);
bool kernel_is_scarce(void);

#endif
