/*
 * How long servers take, as histograms by group of targets: for the parts of polls (the connection, the TLS
 * handshake, the login, the first byte of the answer, the whole) and for the operations of probes. Polls are
 * made anyway, so that their times cost the servers nothing.
 */
#ifndef COLLECTORS_ANSWER_TIMES_H
#define COLLECTORS_ANSWER_TIMES_H

#include "memcached/fleet.h"
#include "metrics/encoder.h"

#include <stdbool.h>

/* First the parts of a poll, then the whole poll, then the operations of a probe. */
#define ANSWER_WHOLE POLL_PARTS
#define ANSWER_PROBE (ANSWER_WHOLE + 1)
#define ANSWER_TIMES (ANSWER_PROBE + PROBE_OPERATIONS)

struct answer_histogram; /* a histogram and its native form */

/* Initialise with zeros. A histogram is made at its first observation. */
struct answer_times {
    struct answer_histogram *of[FLEET_GROUPS_MAX + 1][ANSWER_TIMES]; /* owned */
};

void answer_times_deinit(struct answer_times *times);

/*
 * Adds the times of a finished poll. A part or an operation counts if it ended, the whole if the target is
 * up. An observation for which there is no memory is lost.
 */
void answer_times_observe(struct answer_times *times, unsigned group, const struct snapshot *snapshot);

#define ANSWER_FAMILIES 2
extern const struct family answer_times_families[ANSWER_FAMILIES];

/* Place in the exposition; initialise with zeros. */
struct answer_times_place {
    unsigned family, group;
};

/*
 * Writes one family of the next group that has observations. Returns false if there is none. `fleet` knows
 * the names of groups; it is NULL only if nothing was observed.
 */
bool answer_times_write(const struct answer_times *times, const struct fleet *fleet,
                        struct answer_times_place *place, struct encoder *encoder);

#endif
