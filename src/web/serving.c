#include "web/serving.h"

#include "settings/descriptors.h"
#include "web/listen.h"

int serving_prepare(struct serving *serving, uv_loop_t *loop, const struct options *options,
                    struct handlers *handlers, struct buffer *error)
{
    *serving = (struct serving){.loop = loop, .handlers = handlers};
    if (!options->web_config_file[0]) return 0;
    return guard_new(&serving->guard, loop, options->web_config_file, handlers_handle, handlers, error);
}

int serving_start(struct serving *serving, const struct options *options, struct buffer *error)
{
    struct telemetry *telemetry = serving->handlers->telemetry;
    struct server_limits limits = {
        .max_connections = descriptors_for_clients(options, telemetry->targets),
        .max_unread = options->max_requests,
        .head_timeout_ms = 8000,
        .idle_timeout_ms = 60000,
        .answer_timeout_ms = 120000,
    };
    server_handler_fn handler = serving->guard ? guard_handle : handlers_handle;
    void *context = serving->guard ? (void *) serving->guard : serving->handlers;
    int result = server_new(&serving->server, serving->loop, &limits, handler, context);
    if (result < 0) {
        buffer_printf(error, "cannot start the server: %s", uv_strerror(result));
        return result;
    }
    if (serving->guard) guard_secure(serving->guard, serving->server);
    server_observe(serving->server, telemetry_observe_answer, telemetry);
    telemetry->server = serving->server;
    return listen_all(serving->server, options, error);
}

void serving_limit(struct serving *serving, const struct options *options)
{
    if (!serving->server) return;
    server_limit_connections(serving->server,
                             descriptors_for_clients(options, serving->handlers->telemetry->targets));
}

void serving_log(const struct serving *serving)
{
    if (serving->server) listen_log(serving->server, serving->guard);
    guard_log(serving->guard);
}

/* --- The end: closes the server, then the guard that requests pass through --- */

static void on_guard_closed(void *context)
{
    struct serving *serving = context;
    serving->guard = NULL;
    serving->on_close(serving->on_close_context);
}

static void on_server_closed(void *context)
{
    struct serving *serving = context;
    if (serving->server) serving->handlers->telemetry->server = NULL;
    serving->server = NULL;
    if (serving->guard)
        guard_close(serving->guard, on_guard_closed, serving);
    else
        on_guard_closed(serving);
}

void serving_close(struct serving *serving, unsigned grace_ms, serving_close_fn on_close, void *context)
{
    serving->on_close = on_close;
    serving->on_close_context = context;
    if (serving->server)
        server_close(serving->server, grace_ms, on_server_closed, serving);
    else
        on_server_closed(serving);
}
