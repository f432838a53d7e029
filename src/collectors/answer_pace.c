#include "collectors/answer_pace.h"

/* Smaller answers are ignored, because most of their time is spent on other things than records. */
#define TELLING_BYTES (256 * 1024)

/*
 * First guesses, in ns per byte of a record. A 12-byte record becomes an 80-byte line. A slow machine encodes
 * that line in 240 ns and compresses it in 800 ns.
 */
static const double guesses[2] = {20, 80};

/* The most that compressing and sending may take, as a multiple of the encoding time. */
static const double limits[2] = {3, 10};

static double rate_of(const struct answer_pace *pace, bool packed)
{
    return pace->ns_per_byte[packed] > 0 ? pace->ns_per_byte[packed] : guesses[packed];
}

void answer_pace_observe(struct answer_pace *pace, const struct answer_took *took)
{
    double *rate = &pace->ns_per_byte[took->packed];
    double most = limits[took->packed] * (double) took->fill_ns, total = (double) took->total_ns;
    if (took->bytes < TELLING_BYTES) return;
    double now = (total < most ? total : most) / (double) took->bytes;
    /* A slower answer counts at once, a faster one only gradually. */
    *rate = now > *rate ? now : 0.75 * *rate + 0.25 * now;
}

void answer_pace_observe_gather(struct answer_pace *pace, size_t bytes, size_t targets)
{
    if (targets) pace->bytes_per_target = (double) bytes / (double) targets;
}

uint64_t answer_pace_ns(const struct answer_pace *pace, bool packed, size_t bytes)
{
    return (uint64_t) ((double) bytes * rate_of(pace, packed));
}

size_t answer_pace_bytes(const struct answer_pace *pace, bool packed, uint64_t ns)
{
    return (size_t) ((double) ns / rate_of(pace, packed));
}

uint64_t answer_pace_expected_ns(const struct answer_pace *pace, bool packed, size_t targets)
{
    return answer_pace_ns(pace, packed, (size_t) (pace->bytes_per_target * (double) targets));
}
