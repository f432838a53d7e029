/*
 * How long the parts of polls took, as histograms by group of targets: the connection, the TLS handshake,
 * the login, the first byte of the answer, and the whole. Everything is measured at polls that are made
 * anyway, so it costs the servers nothing.
 */
#ifndef COLLECTORS_ANSWER_TIMES_H
#define COLLECTORS_ANSWER_TIMES_H

#include "memcached/fleet.h"
#include "metrics/encoder.h"

#include <stdbool.h>

/* The last part is the whole poll. */
#define ANSWER_PARTS (POLL_PARTS + 1)

struct answer_histogram; /* a histogram and its native form */

/* Initialise with zeros. A histogram is made at its first observation. */
struct answer_times {
    struct answer_histogram *of[FLEET_GROUPS_MAX + 1][ANSWER_PARTS]; /* owned */
};

void answer_times_deinit(struct answer_times *times);

/*
 * Adds the times of a finished poll. A part counts if it ended, the whole if the target is up. An observation
 * for which there is no memory is lost.
 */
void answer_times_observe(struct answer_times *times, unsigned group, const struct snapshot *snapshot);

extern const struct family answer_times_family;

/*
 * Writes the first group from `*group` on that has observations, and moves `*group` behind it. Returns false
 * if there is none. `fleet` knows the names of groups; it is NULL only if nothing was observed.
 */
bool answer_times_write(const struct answer_times *times, const struct fleet *fleet, unsigned *group,
                        struct encoder *encoder);

#endif
