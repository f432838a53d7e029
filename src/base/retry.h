/* Computes the delay before the next attempt of an operation that keeps failing. Pure. */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include <stdint.h>

/*
 * After so many failures in a row (at least 1): `first_ms`, then twice, four times ... that, at most
 * `longest_ms`.
 */
uint64_t retry_delay_ms(uint64_t first_ms, uint64_t longest_ms, unsigned failures);

/*
 * Spreads a delay, so that many exporters do not ask a server at the same moment: `random`, any number,
 * takes off up to `less` per cent or adds up to `more` per cent.
 */
uint64_t retry_spread_ms(uint64_t delay_ms, unsigned less, unsigned more, uint32_t random);

#endif
