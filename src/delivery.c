/*
 * The textfile: on_tick -> collection -> on_file_ready -> textfile_write -> on_file_done. A tick that finds a
 * write under way is skipped. The push has ticks of its own: on_push_tick -> collection -> on_push_ready ->
 * push_deliver.
 *
 * --once is one such tick, without a timer behind it, whose bytes go to standard output if no file is named.
 *
 * What can go wrong: a collection cannot be started (counted and logged as a failed write), the write fails
 * (likewise; the log hears when it begins to fail and when it works again), the program stops in the middle
 * (delivery_close cancels).
 */
#include "delivery.h"

#include "base/container.h"
#include "base/duration.h"
#include "base/log.h"
#include "outputs/push.h"
#include "outputs/textfile.h"
#include "settings/push.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of one write to standard output. */
#define PIECE (64 * 1024)

struct delivery {
    struct delivery_config config;
    struct collection *file_collection, *push_collection; /* that are not ready yet */
    struct textfile textfile;
    bool writing;      /* the textfile has a source */
    bool file_failing; /* what the log said last */
    uv_timer_t timer;
    struct push *push;
    struct push_options push_options; /* what the push borrows from */
    int once_code;
    unsigned open; /* parts that are not closed: timer, textfile, push */
    delivery_close_fn on_close;
    void *close_context;
};

static const struct options *options_of(const struct delivery *delivery)
{
    return &delivery->config.terms->settings.options;
}

/* --- Collecting --- */

static int collect(struct delivery *delivery, struct collection **collection, unsigned own,
                   collection_fn on_ready)
{
    const struct delivery_config *config = &delivery->config;
    const struct options *options = options_of(delivery);
    struct target_set *target_set = config->target_set(config->context);
    struct collection_plan plan = {
        .fleet = config->fleet,
        .target_set = target_set_hold(target_set),
        .with_labels = target_set->with_labels,
        .own_collectors = own & own_collectors(options),
        .telemetry = config->telemetry,
        .pid_file = options->pid_file,
        .commands = COLLECTION_COMMANDS,
        .format = FORMAT_TEXT,
        .timeout_ms = COLLECTION_TIMEOUT,
        .on_ready = on_ready,
        .context = delivery,
    };
    return collection_start(collection, &plan);
}

/* --- Once --- */

/* No server at all is well if there is none, not if none could be found. */
static int code_of(const struct delivery *delivery)
{
    const struct collection *collection = delivery->file_collection;
    size_t up = collection_up(collection), targets = collection_targets(collection);
    if (targets == 0 && delivery->config.target_set(delivery->config.context)->blind)
        return DELIVERY_ALL_DOWN;
    if (up == targets) return EXIT_SUCCESS;
    return up ? DELIVERY_SOME_DOWN : DELIVERY_ALL_DOWN;
}

static void finish_once(struct delivery *delivery, int code)
{
    delivery->config.on_once(delivery->config.context, code);
}

/* Nothing else runs, so that a reader who is slow may block. */
static int write_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(STDOUT_FILENO, bytes.data, bytes.len);
        if (n < 0 && errno != EINTR) return -errno;
        if (n > 0) bytes = slice_from(bytes, (size_t) n);
    }
    return 0;
}

static int print(struct source *source)
{
    /* A reader who stalls blocks the loop, and with it our own handling of signals; nothing would have to be
     * tidied up. */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    struct buffer piece;
    int result = 0;
    bool more = true;
    buffer_init(&piece, 16 * PIECE);
    while (more && result == 0) {
        buffer_clear(&piece);
        more = source->fill(source, &piece, PIECE);
        result = piece.failed ? UV_ENOMEM : write_all(buffer_slice(&piece));
    }
    buffer_deinit(&piece);
    source->release(source);
    return result;
}

/* --- The textfile --- */

static void report_file(struct delivery *delivery, int status, const char *step)
{
    const char *path = options_of(delivery)->textfile;
    bool failed = status < 0;
    telemetry_observe_file(delivery->config.telemetry, !failed);
    if (failed && !delivery->file_failing) {
        log_line(LOG_WARN, "the textfile cannot be written", LOG_FIELD("path", path), LOG_FIELD("step", step),
                 LOG_FIELD("err", uv_strerror(status)));
    } else if (!failed && delivery->file_failing) {
        log_line(LOG_INFO, "the textfile is written again", LOG_FIELD("path", path));
    }
    delivery->file_failing = failed;
    if (options_of(delivery)->once) finish_once(delivery, failed ? EXIT_FAILURE : delivery->once_code);
}

static void on_file_done(struct textfile *textfile, int status, const char *step)
{
    struct delivery *delivery = container_of(textfile, struct delivery, textfile);
    delivery->writing = false;
    report_file(delivery, status, step);
}

static void on_file_ready(void *context)
{
    struct delivery *delivery = context;
    struct source *source = collection_source(delivery->file_collection);
    delivery->once_code = code_of(delivery);
    delivery->file_collection = NULL;
    if (!options_of(delivery)->textfile[0]) {
        int result = print(source);
        if (result < 0)
            log_line(LOG_ERROR, "standard output cannot be written", LOG_FIELD("err", uv_strerror(result)));
        finish_once(delivery, result < 0 ? EXIT_FAILURE : delivery->once_code);
        return;
    }
    delivery->writing = true;
    int result = textfile_write(&delivery->textfile, source, on_file_done);
    if (result == 0) return;
    delivery->writing = false;
    report_file(delivery, result, "start");
}

static void on_tick(uv_timer_t *timer)
{
    struct delivery *delivery = container_of(timer, struct delivery, timer);
    if (delivery->file_collection || delivery->writing) return;
    /* node_exporter has process_* of its own, and refuses a file that has them too. */
    unsigned own = options_of(delivery)->textfile[0] ? OWN_ALL & ~OWN_BIT(OWN_PROCESS) : OWN_ALL;
    int result = collect(delivery, &delivery->file_collection, own, on_file_ready);
    if (result < 0) report_file(delivery, result, "collect");
}

static void start_file(struct delivery *delivery)
{
    const struct options *options = options_of(delivery);
    uint64_t interval_ms = options->once ? 0 : duration_to_ms(options->textfile_interval_ns);
    if (options->textfile[0] || options->once) uv_timer_start(&delivery->timer, on_tick, 0, interval_ms);
}

/* --- The push --- */

static void on_push_ready(void *context)
{
    struct delivery *delivery = context;
    struct source *source = collection_source(delivery->push_collection);
    delivery->push_collection = NULL;
    push_deliver(delivery->push, source);
}

static void on_push_tick(void *context, struct push *push)
{
    struct delivery *delivery = context;
    int result = collect(delivery, &delivery->push_collection, OWN_ALL, on_push_ready);
    if (result < 0) push_deliver(push, NULL);
}

static int start_push(struct delivery *delivery, struct buffer *error)
{
    const char *setting;
    struct buffer reason;
    if (!options_of(delivery)->push_url[0]) return 0;
    buffer_init(&reason, 4096);
    int result = push_options_make(&delivery->push_options, options_of(delivery), &setting, &reason);
    if (result < 0 && setting)
        buffer_printf(error, "--push.%s: %.*s", setting, SLICE_ARG(buffer_slice(&reason)));
    buffer_deinit(&reason);
    if (result < 0) return result;
    return push_new(&delivery->push, delivery->config.loop, &delivery->push_options.config, on_push_tick,
                    delivery);
}

/* --- Life --- */

static void delivery_free(struct delivery *delivery)
{
    push_options_deinit(&delivery->push_options);
    terms_release(delivery->config.terms);
    free(delivery);
}

int delivery_new(struct delivery **result, const struct delivery_config *config, struct buffer *error)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery) return UV_ENOMEM;
    delivery->config = *config;
    terms_hold(config->terms);
    int status = start_push(delivery, error);
    if (status < 0) {
        delivery_free(delivery);
        return status;
    }
    config->telemetry->push = delivery->push;
    textfile_init(&delivery->textfile, config->loop, options_of(delivery)->textfile);
    uv_timer_init(config->loop, &delivery->timer);
    start_file(delivery);
    *result = delivery;
    return 0;
}

static void on_part_closed(struct delivery *delivery)
{
    if (--delivery->open > 0) return;
    delivery_close_fn on_close = delivery->on_close;
    void *context = delivery->close_context;
    delivery_free(delivery);
    on_close(context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(container_of(handle, struct delivery, timer));
}

static void on_textfile_closed(struct textfile *textfile)
{
    on_part_closed(container_of(textfile, struct delivery, textfile));
}

static void on_push_closed(void *context)
{
    on_part_closed(context);
}

void delivery_close(struct delivery *delivery, delivery_close_fn on_close, void *context)
{
    delivery->on_close = on_close;
    delivery->close_context = context;
    delivery->open = delivery->push ? 3 : 2;
    if (delivery->file_collection) collection_cancel(delivery->file_collection);
    textfile_close(&delivery->textfile, on_textfile_closed);
    uv_close((uv_handle_t *) &delivery->timer, on_timer_closed);
    delivery->config.telemetry->push = NULL;
    push_close(delivery->push, on_push_closed, delivery);
    if (delivery->push_collection) {
        /* The push waits for what it has asked for, and does not call it a failure now. */
        collection_cancel(delivery->push_collection);
        push_deliver(delivery->push, NULL);
    }
}
