/*
 * The answer to /scrape with debug=true, a text for people: for each target what was looked up, tried, sent
 * and received, with the time of each step, and the verdict; then the samples. No secret is shown.
 */
#ifndef WEB_DEBUG_H
#define WEB_DEBUG_H

#include "base/producer.h"
#include "gather/gather.h"

/* Most targets of one request. Each has a trace, whose size base/trace.h limits. */
#define DEBUG_TARGETS_MAX 32

/*
 * Makes the text of a finished gather, whose targets have traced profiles. Takes a reference to it. Returns
 * NULL when out of memory.
 */
struct producer *debug_producer(struct gather *gather);

/* Appends the samples. Takes over the producer; call it once, before the first fill. */
void debug_set_samples(struct producer *debug, struct producer *samples);

#endif
