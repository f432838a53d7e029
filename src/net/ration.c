#include "net/ration.h"

#include "base/container.h"

/* Runs in each turn before the loop looks at what is ready. */
static void on_turn(uv_prepare_t *turn)
{
    container_of(turn, struct ration, turn)->used = 0;
}

void ration_init(struct ration *ration, uv_loop_t *loop, size_t size)
{
    *ration = (struct ration){.size = size};
    uv_prepare_init(loop, &ration->turn);
    uv_prepare_start(&ration->turn, on_turn);
}

static void on_closed(uv_handle_t *handle)
{
    struct ration *ration = container_of(handle, struct ration, turn);
    ration->on_close(ration);
}

void ration_close(struct ration *ration, ration_close_fn on_close)
{
    ration->on_close = on_close;
    uv_close((uv_handle_t *) &ration->turn, on_closed);
}
