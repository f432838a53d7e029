/* Measures how long each turn of the event loop takes, for memcached_exporter_event_loop_lag_seconds. */
#ifndef COLLECTORS_LOOP_LAG_H
#define COLLECTORS_LOOP_LAG_H

#include "collectors/telemetry.h"

#include <stdint.h>
#include <uv.h>

struct loop_lag {
    uv_prepare_t handle;         /* does not keep the loop alive */
    uint64_t last_ns, idle_ns;   /* the clock, and the loop's idle time, at the end of the last turn */
    struct telemetry *telemetry; /* borrowed; receives the measurements */
};

/* Before the loop runs for the first time. */
void loop_lag_start(struct loop_lag *turns, uv_loop_t *loop, struct telemetry *telemetry);

/* The memory must stay until the loop has ended. */
void loop_lag_close(struct loop_lag *turns);

#endif
