/*
 * Estimates how long it takes to encode, compress and send an answer. These steps come after the last poll,
 * and a scrape must leave time for them. The estimate is learnt from previous answers. Pure.
 */
#ifndef COLLECTORS_ANSWER_PACE_H
#define COLLECTORS_ANSWER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Initialise with zeros. */
struct answer_pace {
    double ns_per_byte[2];   /* time per byte of snapshot records. [0]: plain answers; [1]: compressed
                                answers. 0: not known */
    double bytes_per_target; /* record bytes per target in the last gather; 0: not known */
};

/* Measurements of one answer. */
struct answer_took {
    bool packed;       /* true if the answer was compressed */
    size_t bytes;      /* bytes of the snapshot records in the answer */
    uint64_t fill_ns;  /* time to encode the answer */
    uint64_t total_ns; /* time from the first byte of the answer to the last, including the time that the
                          client takes to read it */
};

/*
 * Learns from an answer; ignores small answers. The total time counts only up to a multiple of the encoding
 * time. So a slow client cannot inflate the estimate.
 */
void answer_pace_observe(struct answer_pace *pace, const struct answer_took *took);

/* Learns how many record bytes a target has. `bytes` is the total of `targets` targets. */
void answer_pace_observe_gather(struct answer_pace *pace, size_t bytes, size_t targets);

/*
 * Convert between bytes of records and time: the time that `bytes` take, and the bytes that fit into `ns`.
 * Until something is learnt, both use a guess.
 */
uint64_t answer_pace_ns(const struct answer_pace *pace, bool packed, size_t bytes);
size_t answer_pace_bytes(const struct answer_pace *pace, bool packed, uint64_t ns);

/* Returns the expected time for an answer with `targets` targets; 0 while nothing is known. */
uint64_t answer_pace_expected_ns(const struct answer_pace *pace, bool packed, size_t targets);

#endif
