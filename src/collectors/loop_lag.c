#include "collectors/loop_lag.h"

#include "base/container.h"

/*
 * Runs once in each turn of the loop, before the loop waits. The time since the last call, minus the time
 * that libuv spent waiting, is how long this turn made everything else wait.
 */
static void on_turn(uv_prepare_t *handle)
{
    struct loop_lag *turns = container_of(handle, struct loop_lag, handle);
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(handle->loop);
    uint64_t passed_ns = now_ns - turns->last_ns, waited_ns = idle_ns - turns->idle_ns;
    if (turns->last_ns && passed_ns > waited_ns)
        telemetry_observe_turn(turns->telemetry, passed_ns - waited_ns);
    turns->last_ns = now_ns;
    turns->idle_ns = idle_ns;
}

void loop_lag_start(struct loop_lag *turns, uv_loop_t *loop, struct telemetry *telemetry)
{
    *turns = (struct loop_lag){.telemetry = telemetry};
    telemetry->loop = loop;
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &turns->handle);
    uv_prepare_start(&turns->handle, on_turn);
    uv_unref((uv_handle_t *) &turns->handle);
}

void loop_lag_close(struct loop_lag *turns)
{
    turns->telemetry->loop = NULL;
    uv_close((uv_handle_t *) &turns->handle, NULL);
}
