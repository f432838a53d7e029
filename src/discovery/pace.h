/* How long a source waits before it asks again. Pure. */
#ifndef DISCOVERY_PACE_H
#define DISCOVERY_PACE_H

#include <stdint.h>

/*
 * The interval; after `failures` in a row 1 s, 2 s, 4 s, ... but never more than the interval. `random`, any
 * number, spreads this by a tenth to both sides, so that many sources do not ask in the same moment.
 */
uint64_t pace_delay_ms(uint64_t interval_ms, unsigned failures, uint32_t random);

#endif
