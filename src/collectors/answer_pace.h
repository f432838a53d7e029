/*
 * How long it takes to write what was gathered: encoding, compressing and sending come after the last poll,
 * and a scrape must leave time for them. Learnt from the answers before. Pure.
 */
#ifndef COLLECTORS_ANSWER_PACE_H
#define COLLECTORS_ANSWER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeros are a fit beginning. */
struct answer_pace {
    double
        ns_per_byte[2]; /* of the records of snapshots; [1]: of answers that are compressed. 0: not known */
    double bytes_per_target; /* of the last gather; 0: not known */
};

/* One answer that was large enough to tell. */
struct answer_took {
    bool packed;       /* it was compressed */
    size_t bytes;      /* of the records of the snapshots that it shows */
    uint64_t fill_ns;  /* the time to encode it */
    uint64_t total_ns; /* from the first byte to the last, the client's time to take it included */
};

/* A client that is slow to read cannot make it more than some times what encoding takes. */
void answer_pace_observe(struct answer_pace *pace, const struct answer_took *took);

/* What was gathered: the bytes of the records of so many targets. */
void answer_pace_observe_gather(struct answer_pace *pace, size_t bytes, size_t targets);

/* The time for so many bytes, or the bytes for so much time; from a guess while nothing is known. */
uint64_t answer_pace_ns(const struct answer_pace *pace, bool packed, size_t bytes);
size_t answer_pace_bytes(const struct answer_pace *pace, bool packed, uint64_t ns);

/* The time that the answer for so many targets is likely to take; 0 while nothing is known. */
uint64_t answer_pace_expected_ns(const struct answer_pace *pace, bool packed, size_t targets);

#endif
