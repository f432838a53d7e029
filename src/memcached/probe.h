/*
 * A probe: what a client of the server would see. After a poll, on its connection, four operations are asked
 * one after the other and timed: `mn`, then `set`, `get` and `delete` of one key that belongs to this
 * exporter. Pure; for the text protocol.
 *
 * The key bears a random number of this process and lives for 60 s if it cannot be deleted, so that a server
 * holds at most one key of each exporter. A server that refuses an operation (one that is read-only, or a
 * proxy without a route for it) has not failed: what it refuses is not asked again for a while. Source:
 * memcached's doc/protocol.txt, "Meta No-Op" and "Storage commands". `mn` exists from 1.6.0 on; older
 * servers are not asked.
 */
#ifndef MEMCACHED_PROBE_H
#define MEMCACHED_PROBE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which they are asked. */
enum probe_operation { PROBE_MN, PROBE_SET, PROBE_GET, PROBE_DELETE, PROBE_OPERATIONS };

#define PROBE_BIT(operation) (1u << (operation))
#define PROBE_STORE          (PROBE_BIT(PROBE_SET) | PROBE_BIT(PROBE_GET) | PROBE_BIT(PROBE_DELETE))

/* Returns "mn", "set" and so on. */
const char *probe_operation_name(enum probe_operation operation);

/* What came of a probe. Zeros: none was made, or it did not end. */
struct probe_result {
    bool skipped;   /* nothing could be asked: another protocol, or the server has refused all of it before */
    bool succeeded; /* every operation that the server took was answered right */
    uint64_t took_ns[PROBE_OPERATIONS]; /* 0: not asked, refused, or answered wrong */
};

#define PROBE_KEY_MAX     64
#define PROBE_REQUEST_MAX 192

struct probe {
    const char *key;  /* borrowed */
    unsigned left;    /* set of operations that are still to be asked, the one under way included */
    unsigned refused; /* set of operations that the server has refused */
    bool failed;      /* an answer was wrong */
};

/* Writes the key of this process, NUL-terminated. `number` is random. */
void probe_write_key(char key[PROBE_KEY_MAX], uint64_t number);

/* Starts a probe of a set of operations. */
void probe_init(struct probe *probe, const char *key, unsigned operations);

/* Returns the operation under way, or to be asked next; PROBE_OPERATIONS if the probe has ended. */
enum probe_operation probe_next(const struct probe *probe);

/* Writes the request of the next operation. Returns its length; 0 if the probe has ended. */
size_t probe_ask(const struct probe *probe, char request[PROBE_REQUEST_MAX]);

enum probe_status {
    PROBE_WAITS,    /* the answer is not complete */
    PROBE_ANSWERED, /* the operation has succeeded, and the next one may be asked */
    /*
     * The server refuses the operation, or has answered wrong. The probe has ended. More bytes may follow, so
     * the connection cannot be kept.
     */
    PROBE_STOPPED,
    PROBE_PASSED_OVER, /* the server refuses `mn`; the next operation may be asked */
};

/* Takes the answer of the operation under way off `input`, if it is complete. */
enum probe_status probe_take(struct probe *probe, struct slice *input);

#endif
