/* The table of descriptors; for kernel.c and calls.c alone. */
#ifndef FUZZ_DESCRIPTOR_H
#define FUZZ_DESCRIPTOR_H

#include "kernel.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/un.h>

enum kind {
    KIND_FREE,
    KIND_EPOLL,
    KIND_EVENT,
    KIND_PIPE, /* `other` is the other end */
    KIND_SOCKET,
    KIND_LISTENER,
    KIND_CONNECTING,
    KIND_STREAM,
    KIND_DATAGRAM,
    KIND_WATCHES, /* of inotify */
};

#define DATAGRAMS 64
#define BACKLOG   64

struct descriptor {
    enum kind kind;
    uint64_t generation; /* tells a descriptor from an earlier one of the same number */
    struct peer *peer;
    int family, other;
    char *in; /* bytes that the program has not read */
    size_t in_at, in_len, in_size;
    uint64_t read;        /* bytes that the program has read */
    bool finished, reset; /* by the peer */
    bool shut, blocked;   /* the program shut down; the program cannot write */
    int error;            /* for SO_ERROR */
    uint64_t count;       /* of an eventfd */
    int backlog[BACKLOG]; /* of a listener: descriptors to be accepted */
    unsigned waiting;     /* number of them */
    struct slice datagrams[DATAGRAMS];
    unsigned datagram_count;
    struct sockaddr_storage name, peer_name;
    bool watched, lasting; /* in the epoll; survives the scenario */
    struct epoll_event wish;
};

/* Returns the descriptor of a number, or NULL if it is one of the real kernel. Faults if it is not open. */
struct descriptor *descriptor_of(int number);

int descriptor_number(const struct descriptor *descriptor);

/* Opens the lowest free number. Returns it, or -1 with errno EMFILE. */
int descriptor_open(enum kind kind);
void descriptor_close(int number);

void descriptor_append(struct descriptor *descriptor, const char *bytes, size_t len);

/* Copies a name as getsockname does. Returns 0. */
int descriptor_copy_name(const struct sockaddr_storage *name, struct sockaddr *out, socklen_t *len);

/* epoll_wait. */
int kernel_wait(struct epoll_event *events, int most, int timeout_ms);

/* sigaction. */
void kernel_handle_signal(int number, const struct sigaction *action, struct sigaction *old);

const struct outside *kernel_outside(void);

#endif
