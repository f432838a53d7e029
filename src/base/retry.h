/* Computes the delay before the next attempt of an operation that keeps failing. Pure. */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include <stdint.h>

/*
 * Returns the delay after `failures` failures in a row (at least 1): `first_ms`, doubled with each further
 * failure, at most `longest_ms`.
 */
uint64_t retry_delay_ms(uint64_t first_ms, uint64_t longest_ms, unsigned failures);

/*
 * Varies a delay, so that many exporters do not ask a server at the same moment. `random`, any number,
 * decides how much: from `less` per cent shorter to `more` per cent longer.
 */
uint64_t retry_spread_ms(uint64_t delay_ms, unsigned less, unsigned more, uint32_t random);

#endif
