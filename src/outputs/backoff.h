/* How long to wait before the next try of something periodic that keeps failing. Pure. */
#ifndef OUTPUTS_BACKOFF_H
#define OUTPUTS_BACKOFF_H

#include <stdint.h>

/*
 * After `failures` in a row (at least 1): the interval, then twice, four times ... as long, at most ten
 * intervals or five minutes, whichever is less, but never less than the interval. `random` spreads this by up
 * to a quarter more, so that many exporters do not come back to a restarted server at the same moment.
 */
uint64_t backoff_delay_ms(uint64_t interval_ms, unsigned failures, uint32_t random);

#endif
