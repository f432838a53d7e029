#include "gather/top.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#include <stdlib.h>

/* Width of the table where there is no screen. No column is left out, and names of usual length fit. */
#define PLAIN_COLUMNS 160

/* Largest frame: a line has some bytes for colours, and characters of up to four bytes. */
#define FRAME_MAX ((size_t) 64 * 1024 * 1024)

static void end(struct top *top, int code)
{
    if (top->ended) return;
    top->ended = true;
    uv_timer_stop(&top->timer);
    top->config.on_end(top->config.context, code);
}

/* --- Showing --- */

/* Draws what is known. A reader of the plain table that has gone, as `head` does, is a good end. */
static void draw(struct top *top)
{
    const struct target_set *target_set = top->config.target_set(top->config.context);
    struct buffer frame;
    if (top->ended) return;
    if (top->terminal.has_screen) terminal_size(&top->view.columns, &top->view.rows);
    buffer_init(&frame, FRAME_MAX);
    if (top->config.watch)
        top_hot_keys_write(&top->view, top->config.watch, unix_now(), &frame);
    else
        top_table_write(&top->view, &target_set->targets, unix_now(), &frame);
    if (!top->terminal.has_screen) buffer_append_char(&frame, '\n');
    int result = frame.failed ? UV_ENOMEM : terminal_show(&top->terminal, buffer_slice(&frame));
    buffer_deinit(&frame);
    if (result == 0 || result == UV_EINTR) return;
    if (result != UV_EPIPE)
        log_line(LOG_ERROR, "the table cannot be shown, stopping", LOG_FIELD("err", uv_strerror(result)));
    end(top, result == UV_EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* --- Asking --- */

static void on_gathered(void *context)
{
    struct top *top = context;
    gather_release(top->gather);
    top->gather = NULL;
    draw(top);
}

/*
 * Asks for what the table shows, and nothing else. A round that takes longer than the interval is waited for.
 */
static void on_tick(uv_timer_t *timer)
{
    struct top *top = container_of(timer, struct top, timer);
    const struct top_config *config = &top->config;
    if (top->gather || top->ended) return;
    if (config->watch) {
        draw(top);
        return;
    }
    struct scrape_request *request = scrape_request_new();
    int result = UV_ENOMEM;
    if (request) {
        request->target_set = target_set_hold(config->target_set(config->context));
        request->commands = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS);
        request->timeout_ms = SCRAPE_NO_TIMEOUT;
        result = gather_start(&top->gather, request, config->fleet, config->telemetry, on_gathered, top);
    }
    scrape_request_release(request);
    if (result < 0)
        log_line(LOG_WARN, "the servers cannot be asked, trying again",
                 LOG_FIELD("err", uv_strerror(result)));
}

/* --- Keys --- */

#define CTRL_D 4

static void on_key(struct terminal *terminal, int key)
{
    struct top *top = container_of(terminal, struct top, terminal);
    if (key == 'q' || key == 'Q' || key == CTRL_D)
        end(top, EXIT_SUCCESS);
    else if (key == ' ' || key == '\n')
        on_tick(&top->timer);
    else if (top_view_key(&top->view, key))
        draw(top);
}

static void on_resize(struct terminal *terminal)
{
    draw(container_of(terminal, struct top, terminal));
}

static void on_gone(struct terminal *terminal)
{
    end(container_of(terminal, struct top, terminal), EXIT_SUCCESS);
}

/* --- Start and end --- */

static void on_first_tick(uv_timer_t *timer)
{
    struct top *top = container_of(timer, struct top, timer);
    if (top->terminal.has_screen) draw(top);
    if (top->ended) return;
    uv_timer_start(timer, on_tick, top->config.interval_ms, top->config.interval_ms);
    on_tick(timer);
}

static void on_failed_start(uv_timer_t *timer)
{
    end(container_of(timer, struct top, timer), EXIT_FAILURE);
}

void top_start(struct top *top, const struct top_config *config)
{
    static const struct terminal_events events = {on_key, on_resize, on_gone};
    *top = (struct top){.config = *config, .view = {.columns = PLAIN_COLUMNS}};
    uv_timer_init(config->loop, &top->timer);
    int result = terminal_start(&top->terminal, config->loop, &events);
    if (result < 0)
        log_line(LOG_ERROR, "the terminal cannot be used, stopping", LOG_FIELD("err", uv_strerror(result)));
    top->view.color = config->color && top->terminal.has_screen;
    uv_timer_start(&top->timer, result < 0 ? on_failed_start : on_first_tick, 0, 0);
}

static void finish_top(struct top *top)
{
    if (--top->open == 0) top->on_close(top);
}

static void on_terminal_closed(struct terminal *terminal)
{
    finish_top(container_of(terminal, struct top, terminal));
}

static void on_timer_closed(uv_handle_t *handle)
{
    finish_top(container_of((uv_timer_t *) handle, struct top, timer));
}

void top_close(struct top *top, top_close_fn on_close)
{
    top->on_close = on_close;
    top->open = 2;
    top->ended = true;
    gather_release(top->gather);
    top->gather = NULL;
    terminal_close(&top->terminal, on_terminal_closed);
    uv_close((uv_handle_t *) &top->timer, on_timer_closed);
}
