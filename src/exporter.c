/*
 * Start: file limit, telemetry, loop, signals, resolver, fleet, targets, server, delivery. A step that fails
 * leaves the rest unstarted.
 *
 * Stop, from a signal, from --once or from a start that failed: the server and the delivery end at the same
 * time (running scrapes have GRACE_MS); when both are closed, on_user_closed releases the targets and ends
 * the fleet, on_fleet_closed ends the resolver, on_resolver_closed the signals. Nothing is left on the loop
 * then, and uv_run returns by itself. Each part may be missing, since the start may have failed before it.
 */
#include "exporter.h"

#include "base/container.h"
#include "base/utf8.h"
#include "base/version.h"
#include "collectors/fleet.h"
#include "delivery.h"
#include "handlers.h"
#include "http/server.h"
#include "memcached/fleet.h"
#include "metrics/registry.h"
#include "net/resolver.h"
#include "targets.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long running scrapes may take after a signal. */
#define GRACE_MS 5000

#define HTTP_PORT 9150

/* Descriptors beside those of targets and HTTP connections: listeners, DNS, epoll, log. */
#define OTHER_DESCRIPTORS 64

/* The first descriptor that systemd passes, sd_listen_fds(3). */
#define SYSTEMD_FIRST_DESCRIPTOR 3

enum exit_code { EXIT_CLEAN = 0, EXIT_START = 1, EXIT_USAGE = 2 };

struct exporter {
    const struct options *options;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    struct resolver *resolver;
    struct fleet *fleet;
    struct server *server;
    struct target_list targets;
    struct telemetry telemetry;
    struct handlers handlers;
    struct delivery *delivery;
    uv_prepare_t turn;         /* ends a turn of the loop */
    uint64_t turn_ns, idle_ns; /* the clock, and the loop's idle time, at the end of the last turn */
    bool stopping;
    unsigned users; /* server and delivery, while they are being closed */
    int code;       /* of the process */
};

/* --- Stop --- */

static void on_resolver_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->resolver = NULL;
    uv_close((uv_handle_t *) &exporter->terminate, NULL);
    uv_close((uv_handle_t *) &exporter->interrupt, NULL);
    uv_close((uv_handle_t *) &exporter->turn, NULL);
}

static void on_fleet_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->fleet = NULL;
    if (exporter->resolver)
        resolver_close(exporter->resolver, on_resolver_closed, exporter);
    else
        on_resolver_closed(exporter);
}

/* When nothing collects any more. */
static void on_user_closed(struct exporter *exporter)
{
    if (--exporter->users > 0) return;
    target_list_clear(&exporter->targets);
    if (exporter->fleet)
        fleet_close(exporter->fleet, on_fleet_closed, exporter);
    else
        on_fleet_closed(exporter);
}

static void on_server_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->server = NULL;
    exporter->telemetry.server = NULL;
    on_user_closed(exporter);
}

static void on_delivery_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->delivery = NULL;
    on_user_closed(exporter);
}

static void stop(struct exporter *exporter)
{
    if (exporter->stopping) return;
    exporter->stopping = true;
    exporter->handlers.stopping = true;
    exporter->users = 2;
    if (exporter->server)
        server_close(exporter->server, GRACE_MS, on_server_closed, exporter);
    else
        on_server_closed(exporter);
    if (exporter->delivery)
        delivery_close(exporter->delivery, on_delivery_closed, exporter);
    else
        on_delivery_closed(exporter);
}

static void on_once(void *context, int code)
{
    struct exporter *exporter = context;
    exporter->code = code;
    stop(exporter);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct exporter *exporter = handle->data;
    log_line(LOG_INFO, "stopping", LOG_FIELD("signal", strsignal(number)));
    /* Nothing was written yet, and 0 would say that every server was up. */
    if (exporter->options->once && !exporter->stopping) exporter->code = EXIT_START;
    stop(exporter);
}

/* --- Start --- */

/* Every configured target and every HTTP client needs a descriptor. */
static size_t descriptors_needed(const struct options *options)
{
    bool serves = options->web && !options->once;
    return options->addresses.count + (serves ? options->max_connections : 0) + OTHER_DESCRIPTORS;
}

/* Raises the soft limit to the hard one; more cannot be had, and a fleet that needs more is told so. */
static void raise_file_limit(const struct options *options)
{
    struct rlimit limit;
    char have[32], need[32];
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= descriptors_needed(options)) return;
    snprintf(have, sizeof(have), "%llu", (unsigned long long) limit.rlim_cur);
    snprintf(need, sizeof(need), "%zu", descriptors_needed(options));
    log_line(LOG_WARN, "the limit of open files is too low for this fleet", LOG_FIELD("limit", have),
             LOG_FIELD("needed", need));
}

/* Servers that were scraped by URL keep their connections too, out of the descriptors that nobody else needs.
 */
static unsigned spare_connections(const struct options *options)
{
    struct rlimit limit;
    size_t needed = descriptors_needed(options);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= needed) return 0;
    size_t spare = (limit.rlim_cur - needed) / 2;
    return spare < options->max_targets ? (unsigned) spare : options->max_targets;
}

static enum exit_code fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", PROGRAM_NAME, what, why);
    return EXIT_START;
}

/* The value comes from the user and may hold anything. */
static enum exit_code fail_value(const char *flag, const char *value, const char *why)
{
    struct buffer text;
    buffer_init(&text, 8192);
    utf8_append_escaped(&text, slice_of(value));
    fprintf(stderr, "%s: %s: \"%.*s\": %s\n", PROGRAM_NAME, flag, SLICE_ARG(buffer_slice(&text)), why);
    buffer_deinit(&text);
    return EXIT_START;
}

/* A malformed address: what was expected instead. */
static enum exit_code refuse_address(const char *flag, const char *value, const char *expected)
{
    char why[256];
    snprintf(why, sizeof(why), "expected %s", expected);
    fail_value(flag, value, why);
    return EXIT_USAGE;
}

/*
 * Runs once in each turn of the loop, before it waits. What passed since the last time, less what libuv spent
 * waiting, is how long this turn kept everybody else.
 */
static void on_turn(uv_prepare_t *turn)
{
    struct exporter *exporter = container_of(turn, struct exporter, turn);
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(&exporter->loop);
    uint64_t passed_ns = now_ns - exporter->turn_ns, waited_ns = idle_ns - exporter->idle_ns;
    if (exporter->turn_ns && passed_ns > waited_ns) {
        telemetry_observe_turn(&exporter->telemetry, passed_ns - waited_ns);
    }
    exporter->turn_ns = now_ns;
    exporter->idle_ns = idle_ns;
}

static enum exit_code start_loop(struct exporter *exporter)
{
    int result = uv_loop_init(&exporter->loop);
    if (result < 0) return fail("cannot start the loop", uv_strerror(result));
    uv_loop_configure(&exporter->loop, UV_METRICS_IDLE_TIME);
    signal(SIGPIPE, SIG_IGN);
    /* A limit of file sizes is an error like any other to the textfile, not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
    uv_signal_init(&exporter->loop, &exporter->terminate);
    uv_signal_init(&exporter->loop, &exporter->interrupt);
    exporter->terminate.data = exporter->interrupt.data = exporter;
    uv_signal_start(&exporter->terminate, on_signal, SIGTERM);
    uv_signal_start(&exporter->interrupt, on_signal, SIGINT);
    uv_prepare_init(&exporter->loop, &exporter->turn);
    uv_prepare_start(&exporter->turn, on_turn);
    uv_unref((uv_handle_t *) &exporter->turn);
    return EXIT_CLEAN;
}

static void on_poll(void *context, const struct client *client, const struct snapshot *snapshot)
{
    telemetry_observe_poll(context, client->name, snapshot);
}

/* The checks are of our own tables; a fault there is found at the first start after it was made. */
static enum exit_code check_collectors(void)
{
    struct registry registry;
    struct buffer error;
    enum exit_code code = EXIT_CLEAN;
    registry_init(&registry);
    buffer_init(&error, 4096);
    int result = registry_add(&registry, fleet_collector(), &error);
    for (enum own_collector own = 0; own < OWN_COUNT && result == 0; own++) {
        result = registry_add(&registry, own_collector(own), &error);
    }
    if (result < 0) {
        buffer_append_char(&error, '\0');
        code = fail("cannot start the registry", error.failed ? uv_strerror(result) : error.data);
    }
    buffer_deinit(&error);
    return code;
}

static enum exit_code start_fleet(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    int result = resolver_new(&exporter->resolver, &exporter->loop, NULL);
    if (result < 0) return fail("cannot start the resolver", uv_strerror(result));
    struct fleet_config config = {
        .resolver = exporter->resolver,
        .max_connecting = options->max_connecting,
        .idle_timeout_ns = options->idle_timeout_ns,
        .max_reply = options->max_reply,
        .max_prefixes = options->max_prefixes,
        .on_poll = on_poll,
        .on_poll_context = &exporter->telemetry,
        .max_unused = spare_connections(options),
    };
    result = fleet_new(&exporter->fleet, &exporter->loop, &config);
    if (result < 0) return fail("cannot start the fleet", uv_strerror(result));
    exporter->telemetry.resolver = exporter->resolver;
    exporter->telemetry.fleet = exporter->fleet;
    return EXIT_CLEAN;
}

static enum exit_code start_targets(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    for (size_t n = 0; n < options->addresses.count; n++) {
        const char *text = options->addresses.items[n];
        struct address address;
        const char *expected = address_parse(&address, slice_of(text), MEMCACHED_PORT);
        if (expected) return refuse_address("--memcached.address", text, expected);
        size_t count = exporter->targets.count;
        int result = target_list_add(&exporter->targets, exporter->fleet, &address, options->target_label,
                                     slice_of(text));
        if (result < 0) return fail_value("--memcached.address", text, uv_strerror(result));
        if (exporter->targets.count == count) {
            log_line(LOG_WARN, "the address is given twice, it is scraped once", LOG_FIELD("target", text));
        }
    }
    return EXIT_CLEAN;
}

/* Sockets that systemd has opened for this process, as sd_listen_fds(3) tells them. */
static enum exit_code listen_systemd(struct exporter *exporter)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int descriptors = count ? atoi(count) : 0;
    if (!pid || atol(pid) != (long) getpid() || descriptors < 1) {
        return fail("--web.systemd-socket", "expected at least one socket from systemd");
    }
    for (int n = 0; n < descriptors; n++) {
        int result = server_listen_descriptor(exporter->server, SYSTEMD_FIRST_DESCRIPTOR + n);
        if (result < 0) return fail("--web.systemd-socket", uv_strerror(result));
    }
    return EXIT_CLEAN;
}

static enum exit_code listen_address(struct exporter *exporter, const char *text)
{
    struct address address;
    const char *expected = address_parse_listen(&address, slice_of(text), HTTP_PORT);
    if (expected) return refuse_address("--web.listen-address", text, expected);
    int result = server_listen(exporter->server, &address);
    return result < 0 ? fail_value("--web.listen-address", text, uv_strerror(result)) : EXIT_CLEAN;
}

static enum exit_code start_server(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    struct server_limits limits = {
        .max_connections = options->max_connections,
        .head_timeout_ms = 8000,
        .idle_timeout_ms = 60000,
    };
    enum exit_code code = EXIT_CLEAN;
    int result =
        server_new(&exporter->server, &exporter->loop, &limits, handlers_handle, &exporter->handlers);
    if (result < 0) return fail("cannot start the server", uv_strerror(result));
    server_observe(exporter->server, telemetry_observe_answer, &exporter->telemetry);
    exporter->telemetry.server = exporter->server;
    if (options->systemd_socket) return listen_systemd(exporter);
    for (size_t n = 0; n < options->listen_addresses.count && code == EXIT_CLEAN; n++) {
        code = listen_address(exporter, options->listen_addresses.items[n]);
    }
    return code;
}

static enum exit_code start_delivery(struct exporter *exporter)
{
    struct delivery_config config = {
        .loop = &exporter->loop,
        .options = exporter->options,
        .fleet = exporter->fleet,
        .targets = &exporter->targets,
        .telemetry = &exporter->telemetry,
        .on_once = on_once,
        .context = exporter,
    };
    struct buffer error;
    enum exit_code code = EXIT_CLEAN;
    buffer_init(&error, 4096);
    int result = delivery_new(&exporter->delivery, &config, &error);
    if (result < 0 && error.len) {
        fprintf(stderr, "%s: %.*s\n", PROGRAM_NAME, SLICE_ARG(buffer_slice(&error)));
        code = result == UV_EINVAL ? EXIT_USAGE : EXIT_START;
    } else if (result < 0) {
        code = fail("cannot start the outputs", uv_strerror(result));
    }
    buffer_deinit(&error);
    return code;
}

static void log_start(const struct exporter *exporter)
{
    struct buffer name;
    char targets[32];
    snprintf(targets, sizeof(targets), "%zu", exporter->targets.count);
    log_line(LOG_INFO, "starting memcached_fleet_exporter", LOG_FIELD("version", build_info.version),
             LOG_FIELD("revision", build_info.revision), LOG_FIELD("targets", targets));
    buffer_init(&name, 1024);
    for (unsigned n = 0; exporter->server && server_listener_name(exporter->server, n, &name); n++) {
        log_line(LOG_INFO, "listening", (struct log_field){"address", buffer_slice(&name)});
        buffer_clear(&name);
    }
    buffer_deinit(&name);
}

static enum exit_code start(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    enum exit_code code = check_collectors();
    if (code == EXIT_CLEAN) code = start_fleet(exporter);
    if (code == EXIT_CLEAN) code = start_targets(exporter);
    exporter->telemetry.targets = exporter->targets.count;
    exporter->handlers = (struct handlers){
        .options = options,
        .fleet = exporter->fleet,
        .targets = &exporter->targets,
        .telemetry = &exporter->telemetry,
    };
    if (code == EXIT_CLEAN && options->web && !options->once) code = start_server(exporter);
    if (code == EXIT_CLEAN) code = start_delivery(exporter);
    if (code == EXIT_CLEAN && !options->once) log_start(exporter);
    return code;
}

/*
 * The loop allocates, and the thread pool only compresses now and then: an arena of malloc's for each of its
 * threads would be memory that is never given back.
 */
static void bound_memory(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
}

int exporter_run(const struct options *options)
{
    struct exporter exporter = {.options = options};
    bound_memory();
    log_configure(options->log_level, options->log_format, STDERR_FILENO);
    raise_file_limit(options);
    int result = telemetry_init(&exporter.telemetry);
    if (result < 0) return fail("cannot start the telemetry", uv_strerror(result));

    enum exit_code code = start_loop(&exporter);
    if (code == EXIT_CLEAN) {
        code = start(&exporter);
        exporter.code = code;
        if (code != EXIT_CLEAN) stop(&exporter);
        uv_run(&exporter.loop, UV_RUN_DEFAULT);
        int closed = uv_loop_close(&exporter.loop);
        assert(closed == 0);
        (void) closed;
        code = (enum exit_code) exporter.code;
    }
    telemetry_deinit(&exporter.telemetry);
    return code;
}
