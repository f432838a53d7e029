/*
 * Start: file limit, telemetry, loop, signals, resolver, fleet, manager. Then the configuration is read, the
 * sandbox entered, the thread pool started, the web configuration read, the configuration set. on_target_set
 * starts the server with the first target set. It starts the publisher when the configuration is active, and
 * again when a reload changes the outputs. If a step fails, the later steps do not run.
 *
 * Stop, after a signal, --once or a failed start: server, publisher, reload and watch close at the same time;
 * running scrapes have GRACE_MS. Then manager, fleet, resolver and signals close one after the other. Nothing
 * is left on the loop then, and uv_run returns. After a failed start, any part may be missing.
 */
#include "exporter.h"

#include "base/container.h"
#include "base/version.h"
#include "collectors/loop_lag.h"
#include "gather/expose.h"
#include "gather/publisher.h"
#include "memcached/fleet.h"
#include "net/resolver.h"
#include "process/notifier.h"
#include "process/reserve.h"
#include "process/sandbox_start.h"
#include "process/signals.h"
#include "settings/descriptors.h"
#include "settings/memory_limit.h"
#include "targets/announce.h"
#include "targets/manager.h"
#include "targets/reload.h"
#include "watch/watch.h"
#include "web/handlers.h"
#include "web/serving.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Time that running scrapes get after a signal. */
#define GRACE_MS 5000

enum exit_code { EXIT_CLEAN = 0, EXIT_START = 1, EXIT_USAGE = 2 };

struct exporter {
    const struct options *options; /* flags */
    uv_loop_t loop;
    uv_work_t first_work; /* starts the threads of the pool */
    struct signals signals;
    struct resolver *resolver;
    struct fleet *fleet;
    struct manager *manager;
    struct watch *watch;
    struct reload *reload;
    struct serving serving;
    struct telemetry telemetry;
    struct handlers handlers;
    struct publisher publisher;
    bool publishing; /* true if the publisher is started */
    bool renewing;   /* true while the publisher is closing before a new start */
    bool served;     /* true once the server was started, if a server is wanted */
    struct announced announced;
    struct loop_lag turns;
    struct notifier notifier;
    bool reloading; /* true while the configuration file is read again */
    struct sandbox sandbox;
    bool stopping;
    unsigned users; /* number of parts still open among server, publisher, reload and watch, while stopping */
    int code;       /* exit code of the process */
};

/* --- Stop --- */

static void on_resolver_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->resolver = NULL;
    signals_close(&exporter->signals);
    loop_lag_close(&exporter->turns);
    notifier_close(&exporter->notifier);
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

static void on_manager_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->manager = NULL;
    if (exporter->fleet)
        fleet_close(exporter->fleet, on_fleet_closed, exporter);
    else
        on_fleet_closed(exporter);
}

/* Closes the manager after the last part that scrapes is closed. */
static void on_user_closed(struct exporter *exporter)
{
    if (--exporter->users > 0) return;
    if (exporter->manager)
        manager_close(exporter->manager, on_manager_closed, exporter);
    else
        on_manager_closed(exporter);
}

static void on_part_closed(void *context)
{
    on_user_closed(context);
}

static void on_publisher_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->publishing = false;
    on_user_closed(exporter);
}

static void on_reload_closed(void *context)
{
    struct exporter *exporter = context;
    exporter->reload = NULL;
    exporter->telemetry.reload = NULL;
    on_user_closed(exporter);
}

static void stop(struct exporter *exporter)
{
    if (exporter->stopping) return;
    exporter->stopping = true;
    exporter->handlers.stopping = true;
    notifier_stopping(&exporter->notifier);
    handlers_forget(&exporter->handlers);
    exporter->users = 4;
    exporter->telemetry.watch = NULL;
    serving_close(&exporter->serving, GRACE_MS, on_part_closed, exporter);
    watch_close(exporter->watch, on_part_closed, exporter);
    if (exporter->reload)
        reload_close(exporter->reload, on_reload_closed, exporter);
    else
        on_reload_closed(exporter);
    if (exporter->renewing) return; /* on_publisher_renewed runs later */
    if (exporter->publishing)
        publisher_close(&exporter->publisher, on_publisher_closed, exporter);
    else
        on_publisher_closed(exporter);
}

static void on_once(void *context, int code)
{
    struct exporter *exporter = context;
    exporter->code = code;
    stop(exporter);
}

static void on_stop_asked(void *context)
{
    struct exporter *exporter = context;
    /* Nothing is written yet, and exit code 0 would mean that every server is up. */
    if (exporter->options->once && !exporter->stopping) exporter->code = EXIT_START;
    stop(exporter);
}

/* --- Start --- */

static enum exit_code fail(const char *what, const char *why)
{
    log_plain(what, why);
    return EXIT_START;
}

/* Prints the message of a failed step, or the text of its code if there is no message. */
static void print_failure(int result, struct buffer *error)
{
    buffer_append_char(error, '\0');
    log_plain("", error->failed || !error->data[0] ? uv_strerror(result) : error->data);
}

/* Ends a step of the start: prints its error, if it has failed, and returns `failure` then. */
static enum exit_code end_step(int result, struct buffer *error, enum exit_code failure)
{
    if (result < 0) print_failure(result, error);
    buffer_deinit(error);
    return result < 0 ? failure : EXIT_CLEAN;
}

static void on_poll(void *context, const struct client *client, const struct snapshot *snapshot)
{
    struct telemetry *telemetry = context;
    telemetry_observe_poll(telemetry, client->key.name, snapshot);
    answer_times_observe(&telemetry->answers, client->group, snapshot);
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
        .max_memory = options->max_memory ? options->max_memory : memory_limit() / 2,
        .max_prefixes = options->max_prefixes,
        .on_poll = on_poll,
        .on_poll_context = &exporter->telemetry,
        .max_unused = descriptors_spare(options, options->addresses.count),
    };
    result = fleet_new(&exporter->fleet, &exporter->loop, &config);
    if (result < 0) return fail("cannot start the fleet", uv_strerror(result));
    exporter->telemetry.resolver = exporter->resolver;
    exporter->telemetry.fleet = exporter->fleet;
    result = watch_new(&exporter->watch, &exporter->loop, exporter->resolver, fleet_limiter(exporter->fleet));
    if (result < 0) return fail("cannot prepare the watching of servers", uv_strerror(result));
    exporter->telemetry.watch = exporter->watch;
    return EXIT_CLEAN;
}

/* --- Targets and configuration --- */

static void serve(struct exporter *exporter);
static void start_publisher(struct exporter *exporter);

static void on_publisher_renewed(void *context)
{
    struct exporter *exporter = context;
    exporter->renewing = false;
    if (exporter->stopping)
        on_publisher_closed(exporter);
    else
        start_publisher(exporter);
}

/* Tells the service manager of the fleet, unless a reload is still going on. */
static void notify_ready(struct exporter *exporter)
{
    const struct reload_state *reload = exporter->telemetry.reload;
    if (!exporter->served || exporter->stopping || exporter->reloading) return;
    notifier_ready(&exporter->notifier, exporter->telemetry.targets,
                   reload->successful || reload->last_success_s == 0);
}

static void on_reload_step(void *context, bool reading)
{
    struct exporter *exporter = context;
    exporter->reloading = reading;
    if (reading) notifier_reloading(&exporter->notifier);
    notify_ready(exporter);
}

/* Called when a new target set is active; the generation may be new, too. */
static void on_target_set(void *context, const struct target_set *target_set)
{
    struct exporter *exporter = context;
    const struct generation *generation = manager_generation(exporter->manager);
    handlers_forget(&exporter->handlers);
    exporter->telemetry.targets = target_set->targets.count;
    if (!exporter->served) serve(exporter);
    serving_limit(&exporter->serving, exporter->options);
    descriptors_check(exporter->options, target_set->targets.count);
    fleet_limit_unused(exporter->fleet, descriptors_spare(exporter->options, target_set->targets.count));
    notify_ready(exporter);
    if (exporter->stopping || !manager_is_ready(exporter->manager)) return;
    announce_targets(&exporter->announced, generation, target_set);
    watch_set(exporter->watch, &generation->settings.watch, &generation->settings.census,
              target_set->targets.items, target_set->targets.count);
    if (exporter->renewing) return;
    if (!exporter->publishing) {
        start_publisher(exporter);
    } else if (!settings_same_outputs(&exporter->publisher.config.generation->settings,
                                      &generation->settings)) {
        exporter->renewing = true;
        publisher_close(&exporter->publisher, on_publisher_renewed, exporter);
    }
}

/* Returns the exit code. Without a configuration file, a wrong value must come from a flag. */
static enum exit_code code_of(const struct exporter *exporter, int result)
{
    return exporter->options->config_file[0] || result != UV_EINVAL ? EXIT_START : EXIT_USAGE;
}

static void on_first_set(void *context, int status, const char *error)
{
    struct exporter *exporter = context;
    if (status == 0 || exporter->stopping) return;
    log_plain("", error);
    exporter->code = code_of(exporter, status);
    stop(exporter);
}

/* Landlock needs a process without threads, and the sandbox needs to know the outputs. */
static enum exit_code read_config(struct exporter *exporter)
{
    struct buffer error;
    const struct config *config;
    buffer_init(&error, OPTIONS_TEXT_MAX);
    int result = reload_read(exporter->reload, &config, &error);
    if (result == 0) result = sandbox_start(&exporter->sandbox, exporter->options, config);
    if (result == 0) reserve_start_threads(&exporter->loop, &exporter->first_work);
    return end_step(result, &error, code_of(exporter, result));
}

static enum exit_code set_config(struct exporter *exporter)
{
    struct buffer error;
    buffer_init(&error, OPTIONS_TEXT_MAX);
    int result = reload_start(exporter->reload, on_first_set, exporter, &error);
    return end_step(result, &error, code_of(exporter, result));
}

static enum exit_code start_manager(struct exporter *exporter)
{
    struct manager_context context = {
        .loop = &exporter->loop,
        .flags = exporter->options,
        .fleet = exporter->fleet,
        .resolver = exporter->resolver,
        .on_target_set = on_target_set,
        .on_target_set_context = exporter,
    };
    int result = manager_new(&exporter->manager, &context);
    if (result == 0)
        result = reload_new(&exporter->reload, &exporter->loop, exporter->options, exporter->manager);
    if (result < 0) return fail("cannot start the manager", uv_strerror(result));
    exporter->telemetry.manager = exporter->manager;
    exporter->telemetry.reload = reload_state(exporter->reload);
    reload_watch(exporter->reload, on_reload_step, exporter);
    return EXIT_CLEAN;
}

/* --- Server and outputs --- */

/* Reads the web configuration at the start, although the server starts only with the first targets. */
static enum exit_code prepare_serving(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    struct buffer error;
    if (!options->web || options->once) return EXIT_CLEAN;
    buffer_init(&error, OPTIONS_TEXT_MAX);
    int result = serving_prepare(&exporter->serving, &exporter->loop, options, &exporter->handlers, &error);
    return end_step(result, &error, EXIT_START);
}

static enum exit_code start_server(struct exporter *exporter)
{
    struct buffer error;
    buffer_init(&error, 16 * 1024);
    int result = serving_start(&exporter->serving, exporter->options, &error);
    return end_step(result, &error, result == UV_EINVAL ? EXIT_USAGE : EXIT_START);
}

/* Starts to listen once the first target set exists. An earlier scrape would see an empty fleet. */
static void serve(struct exporter *exporter)
{
    const struct options *options = exporter->options;
    exporter->served = true;
    if (exporter->stopping) return;
    enum exit_code code = options->web && !options->once ? start_server(exporter) : EXIT_CLEAN;
    if (code != EXIT_CLEAN) {
        exporter->code = code;
        stop(exporter);
        return;
    }
    sandbox_finish(&exporter->sandbox, options, &exporter->telemetry);
    if (options->once) return;
    log_line(LOG_INFO, "starting " PROGRAM_NAME, LOG_FIELD("version", build_info.version),
             LOG_FIELD("revision", build_info.revision));
    serving_log(&exporter->serving);
}

static struct target_set *current_target_set(void *context)
{
    const struct exporter *exporter = context;
    return manager_target_set(exporter->manager);
}

/* Starts the outputs of the active generation. */
static void start_publisher(struct exporter *exporter)
{
    struct publisher_config config = {
        .loop = &exporter->loop,
        .generation = manager_generation(exporter->manager),
        .target_set = current_target_set,
        .fleet = exporter->fleet,
        .telemetry = &exporter->telemetry,
        .on_once = on_once,
        .context = exporter,
    };
    publisher_start(&exporter->publisher, &config);
    exporter->publishing = true;
}

static enum exit_code start(struct exporter *exporter)
{
    int result = signals_start(&exporter->signals, &exporter->loop, on_stop_asked, exporter);
    if (result < 0) return fail("cannot handle signals", uv_strerror(result));
    exporter->handlers.telemetry = &exporter->telemetry; /* used as soon as the server runs */
    enum exit_code code = start_fleet(exporter);
    if (code == EXIT_CLEAN) code = start_manager(exporter);
    if (code == EXIT_CLEAN) code = read_config(exporter);
    if (code == EXIT_CLEAN) code = prepare_serving(exporter);
    if (code == EXIT_CLEAN) code = set_config(exporter);
    exporter->handlers = (struct handlers){
        .manager = exporter->manager,
        .reload = exporter->reload,
        .fleet = exporter->fleet,
        .telemetry = &exporter->telemetry,
    };
    return code;
}

static enum exit_code run(struct exporter *exporter)
{
    int result = uv_loop_init(&exporter->loop);
    if (result < 0) return fail("cannot start the loop", uv_strerror(result));
    loop_lag_start(&exporter->turns, &exporter->loop, &exporter->telemetry);
    notifier_start(&exporter->notifier, &exporter->loop, !exporter->options->once);
    exporter->code = start(exporter);
    if (exporter->code != EXIT_CLEAN) stop(exporter);
    uv_run(&exporter->loop, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&exporter->loop);
    assert(closed == 0);
    (void) closed;
    return (enum exit_code) exporter->code;
}

int exporter_run(const struct options *options)
{
    struct exporter exporter = {.options = options};
    struct buffer error;
    signals_ignore();
    log_configure(options->log_level, options->log_format, STDERR_FILENO);
    descriptors_raise();
    buffer_init(&error, OPTIONS_TEXT_MAX);
    enum exit_code code = end_step(expose_check(&error), &error, EXIT_START);
    if (code != EXIT_CLEAN) return code;
    int result = telemetry_init(&exporter.telemetry);
    if (result < 0) return fail("cannot start the telemetry", uv_strerror(result));
    result = reserve_open();
    code = result < 0 ? fail("cannot set memory and threads aside", uv_strerror(result)) : run(&exporter);
    reserve_close();
    telemetry_deinit(&exporter.telemetry);
    return code;
}
