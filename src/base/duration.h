/* Durations in Go's notation, which users of Prometheus tools expect. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Parses "0", or one or more of `<decimal><unit>` with the units ns, us, ms, s, m, h ("250ms", "1m30s",
 * "1.5s"). Returns false for anything else, for a sign and for more than a hundred years; `nanoseconds` is
 * then unchanged.
 */
bool duration_parse(struct slice text, uint64_t *nanoseconds);

/* Converts to milliseconds. Rounds up, so a duration above 0 stays above 0. */
static inline uint64_t duration_to_ms(uint64_t nanoseconds)
{
    return (nanoseconds + 999999) / 1000000;
}

#endif
