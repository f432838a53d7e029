/* Measures how long each turn of the event loop is busy, for memcached_exporter_event_loop_lag_seconds. */
#ifndef COLLECTORS_LOOP_LAG_H
#define COLLECTORS_LOOP_LAG_H

#include "collectors/telemetry.h"

#include <stdint.h>
#include <uv.h>

struct loop_lag {
    uv_prepare_t handle;         /* does not keep the loop alive */
    uint64_t last_ns, idle_ns;   /* clock and idle time of the loop at the end of the last turn */
    struct telemetry *telemetry; /* borrowed; receives the measurements */
};

/* Starts measuring. Call it before the loop runs for the first time. */
void loop_lag_start(struct loop_lag *turns, uv_loop_t *loop, struct telemetry *telemetry);

/* Stops measuring. The struct must stay valid until the loop has ended. */
void loop_lag_close(struct loop_lag *turns);

#endif
