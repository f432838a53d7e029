/*
 * Textfile: on_tick -> gather -> on_file_ready -> textfile_write -> on_file_done. A tick is skipped if the
 * last write is still running. The push has its own ticks: on_push_tick -> gather -> on_push_ready ->
 * push_deliver. So has remote write: on_series_tick -> gather -> on_series_ready -> sender_deliver.
 *
 * --once is a single tick of each output, and ends when all are done. Without any of these outputs, the
 * bytes go to standard output.
 *
 * What can go wrong: a gather cannot start (counted and logged as a failed write), a write fails (the first
 * failure and the recovery are logged), or the program stops in the middle (publisher_close cancels).
 */
#include "gather/publisher.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/duration.h"
#include "base/log.h"
#include "gather/expose.h"
#include "gather/report.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes per write to standard output. */
#define PIECE (64 * 1024)

/* A scrape of --once that takes longer than this says how far it is, then again and again. */
#define PROGRESS_FIRST_MS 2000
#define PROGRESS_MS       500
#define PROGRESS_LOG_MS   10000

static const struct options *options_of(const struct publisher *publisher)
{
    return &publisher->config.generation->settings.options;
}

/* --- Progress of --once --- */

/*
 * Says how far a scrape is that takes long: on a terminal in one line that the next text overwrites,
 * elsewhere in the log.
 */
static void on_progress(uv_timer_t *timer)
{
    struct publisher *publisher = container_of(timer, struct publisher, timer);
    const struct gather *gather = publisher->file_gather ? publisher->file_gather : publisher->push_gather;
    char done[24], targets[24];
    bool is_terminal = isatty(STDERR_FILENO);
    uv_timer_start(timer, on_progress, is_terminal ? PROGRESS_MS : PROGRESS_LOG_MS, 0);
    if (!gather || !gather->fan_out) return;
    snprintf(done, sizeof(done), "%zu", fan_out_done(gather->fan_out));
    snprintf(targets, sizeof(targets), "%zu", gather->targets);
    if (!is_terminal) {
        log_line(LOG_INFO, "the scrape goes on", LOG_FIELD("done", done), LOG_FIELD("targets", targets));
        return;
    }
    dprintf(STDERR_FILENO, "\r\033[K%s of %s servers are done\r", done, targets);
    publisher->shows_progress = true;
}

static void start_progress(struct publisher *publisher)
{
    /* If the timer is active, its tick is still to come. */
    if (!options_of(publisher)->once || uv_is_active((const uv_handle_t *) &publisher->timer)) return;
    uv_timer_start(&publisher->timer, on_progress, PROGRESS_FIRST_MS, 0);
}

static void clear_progress(struct publisher *publisher)
{
    if (publisher->shows_progress) dprintf(STDERR_FILENO, "\r\033[K");
    publisher->shows_progress = false;
}

/* --- Gathering --- */

static int collect(struct publisher *publisher, struct gather **gather, unsigned own, gather_fn on_done)
{
    const struct publisher_config *config = &publisher->config;
    const struct options *options = options_of(publisher);
    struct target_set *target_set = config->target_set(config->context);
    struct scrape_request *request = scrape_request_new();
    if (!request) return UV_ENOMEM;
    request->target_set = target_set_hold(target_set);
    request->with_labels = target_set->with_labels;
    request->own_collectors = own & own_collectors(options);
    request->pid_file = options->pid_file;
    request->commands = COLLECTORS_ALL;
    request->timeout_ms = SCRAPE_NO_TIMEOUT;
    start_progress(publisher);
    int status = gather_start(gather, request, config->fleet, config->telemetry, on_done, publisher);
    scrape_request_release(request);
    return status;
}

/* Makes the exposition of a finished gather and releases the gather. Returns NULL when out of memory. */
static struct producer *expose_collected(struct gather **gather)
{
    struct producer *producer = expose(*gather, (*gather)->request, NULL, NULL);
    gather_release(*gather);
    *gather = NULL;
    return producer;
}

/* --- Once --- */

/*
 * Returns the exit code for the gather. No targets is a success only if there are none, not if discovery
 * found none or all belong to other shards.
 */
static int code_of(const struct publisher *publisher, const struct gather *gather)
{
    const struct target_set *target_set = publisher->config.target_set(publisher->config.context);
    if (gather->targets == 0 && (target_set->blind || target_set->elsewhere > 0)) return DELIVERY_ALL_DOWN;
    if (gather->up == gather->targets) return EXIT_SUCCESS;
    return gather->up ? DELIVERY_SOME_DOWN : DELIVERY_ALL_DOWN;
}

/* Notes how the gather of an output went. The outputs ask at nearly the same time; the worse code counts. */
static void note_code(struct publisher *publisher, const struct gather *gather)
{
    int code = code_of(publisher, gather);
    clear_progress(publisher);
    if (code > publisher->once_code) publisher->once_code = code;
}

/* Called when one output of --once is done. */
static void finish_output(struct publisher *publisher, bool written)
{
    if (!written) publisher->once_failed = true;
    if (--publisher->once_waits > 0) return;
    publisher->config.on_once(publisher->config.context,
                              publisher->once_failed ? EXIT_FAILURE : publisher->once_code);
}

/* Blocks if the reader is slow. That is harmless, because nothing else runs on the loop. */
static int write_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(STDOUT_FILENO, bytes.data, bytes.len);
        if (n < 0 && errno != EINTR) return -errno;
        if (n > 0) bytes = slice_from(bytes, (size_t) n);
    }
    return 0;
}

static int print(struct producer *producer)
{
    /*
     * A stalled reader blocks the loop, and with it our signal handlers. So these signals get their default
     * action; there is nothing to clean up.
     */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    struct buffer piece;
    int result = 0;
    bool more = true;
    buffer_init(&piece, 16 * PIECE);
    while (more && result == 0) {
        buffer_clear(&piece);
        more = producer_fill_some(producer, &piece, PIECE);
        result = piece.failed ? UV_ENOMEM : write_all(buffer_slice(&piece));
    }
    buffer_deinit(&piece);
    producer->release(producer);
    return result;
}

/* --- The textfile --- */

static void report_file(struct publisher *publisher, int status, const char *step)
{
    const char *path = options_of(publisher)->textfile;
    bool failed = status < 0;
    telemetry_observe_file(publisher->config.telemetry, !failed);
    if (failed && !publisher->file_failing) {
        bool landlock = publisher->config.telemetry->landlock && status == UV_EACCES;
        log_line(LOG_WARN,
                 landlock
                     ? "the textfile cannot be written: the sandbox allows writing only to folders that were "
                       "configured at the start; restart the exporter, or use --no-sandbox"
                     : "the textfile cannot be written",
                 LOG_FIELD("path", path), LOG_FIELD("step", step), LOG_FIELD("err", uv_strerror(status)));
    } else if (!failed && publisher->file_failing) {
        log_line(LOG_INFO, "writing the textfile works again", LOG_FIELD("path", path));
    }
    publisher->file_failing = failed;
    if (options_of(publisher)->once) finish_output(publisher, !failed);
}

static void on_file_done(struct textfile *textfile, int status, const char *step)
{
    struct publisher *publisher = container_of(textfile, struct publisher, textfile);
    publisher->writing = false;
    report_file(publisher, status, step);
}

/* See no-color.org. */
static bool wants_color(void)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
}

static void on_file_ready(void *context)
{
    struct publisher *publisher = context;
    note_code(publisher, publisher->file_gather);
    const struct options *options = options_of(publisher);
    struct producer *producer = options->check
                                    ? report_collected(&publisher->file_gather, options->json, wants_color())
                                    : expose_collected(&publisher->file_gather);
    if (!producer) {
        report_file(publisher, UV_ENOMEM, "collect");
        return;
    }
    if (!options->textfile[0]) {
        int result = print(producer);
        if (result < 0)
            log_line(LOG_ERROR, "cannot write to standard output", LOG_FIELD("err", uv_strerror(result)));
        finish_output(publisher, result == 0);
        return;
    }
    publisher->writing = true;
    int result = textfile_write(&publisher->textfile, producer, on_file_done);
    if (result == 0) return;
    publisher->writing = false;
    report_file(publisher, result, "start");
}

static void on_tick(uv_timer_t *timer)
{
    struct publisher *publisher = container_of(timer, struct publisher, timer);
    if (publisher->file_gather || publisher->writing) return;
    /* node_exporter has its own process_* metrics and rejects a textfile that contains them. */
    unsigned own = options_of(publisher)->textfile[0] ? OWN_ALL & ~OWN_BIT(OWN_PROCESS) : OWN_ALL;
    int result = collect(publisher, &publisher->file_gather, own, on_file_ready);
    if (result < 0) report_file(publisher, result, "collect");
}

static void start_file(struct publisher *publisher)
{
    const struct options *options = options_of(publisher);
    uint64_t interval_ms = options->once ? 0 : duration_to_ms(options->textfile_interval_ns);
    bool pushes = push_is_given(options->push.url) || push_is_given(options->remote_write.url);
    bool prints = options->once && !pushes;
    if (!options->textfile[0] && !prints) return;
    publisher->once_waits++;
    uv_timer_start(&publisher->timer, on_tick, 0, interval_ms);
}

/* --- The push --- */

static void on_push_ready(void *context)
{
    struct publisher *publisher = context;
    note_code(publisher, publisher->push_gather);
    push_deliver(&publisher->push, expose_collected(&publisher->push_gather));
}

static void on_push_tick(struct push *push)
{
    struct publisher *publisher = container_of(push, struct publisher, push);
    int result = collect(publisher, &publisher->push_gather, OWN_ALL, on_push_ready);
    if (result < 0) push_deliver(push, NULL);
}

static void on_pushed_once(struct push *push, bool sent)
{
    finish_output(container_of(push, struct publisher, push), sent);
}

static void start_push(struct publisher *publisher)
{
    const struct push_config *config = &options_of(publisher)->push;
    publisher->pushes = push_is_given(config->url);
    if (!publisher->pushes) return;
    publisher->once_waits++;
    push_start(&publisher->push, publisher->config.loop, config, on_push_tick,
               options_of(publisher)->once ? on_pushed_once : NULL);
    publisher->config.telemetry->push = &publisher->push;
}

/* --- The command top --- */

static void start_top(struct publisher *publisher)
{
    const struct publisher_config *config = &publisher->config;
    struct top_config top = {
        .loop = config->loop,
        .target_set = config->target_set,
        .fleet = config->fleet,
        .telemetry = config->telemetry,
        .watch = options_of(publisher)->keys ? config->telemetry->watch : NULL,
        .interval_ms = duration_to_ms(options_of(publisher)->interval_ns),
        .color = wants_color(),
        .on_end = config->on_once,
        .context = config->context,
    };
    publisher->tops = options_of(publisher)->top;
    if (publisher->tops) top_start(&publisher->top, &top);
}

/* --- Remote write --- */

static void on_series_ready(void *context)
{
    struct publisher *publisher = context;
    note_code(publisher, publisher->series_gather);
    struct producer *text = expose_collected(&publisher->series_gather);
    sender_deliver(&publisher->sender,
                   text ? series_feed_convert(&publisher->feed, text, publisher->series_began_ms) : NULL);
}

static void on_series_tick(struct sender *sender)
{
    struct publisher *publisher = container_of(sender, struct publisher, sender);
    publisher->series_began_ms = (int64_t) (unix_now() * 1000);
    int result = collect(publisher, &publisher->series_gather, OWN_ALL, on_series_ready);
    if (result < 0) sender_deliver(sender, NULL);
}

static void on_series_sent(struct sender *sender, bool sent)
{
    finish_output(container_of(sender, struct publisher, sender), sent);
}

static void start_sender(struct publisher *publisher)
{
    const struct push_config *config = &options_of(publisher)->remote_write;
    if (!push_is_given(config->url)) return;
    int result = series_feed_init(&publisher->feed, config);
    if (result < 0) {
        log_line(LOG_ERROR, "remote write does not start", LOG_FIELD("err", uv_strerror(result)));
        series_feed_deinit(&publisher->feed);
        return;
    }
    publisher->sends = true;
    publisher->once_waits++;
    sender_start(&publisher->sender, publisher->config.loop, config, on_series_tick,
                 options_of(publisher)->once ? on_series_sent : NULL);
    publisher->config.telemetry->sender = &publisher->sender;
}

/* --- Start and end --- */

void publisher_start(struct publisher *publisher, const struct publisher_config *config)
{
    *publisher = (struct publisher){.config = *config};
    generation_hold(config->generation);
    textfile_init(&publisher->textfile, config->loop, options_of(publisher)->textfile);
    uv_timer_init(config->loop, &publisher->timer);
    start_file(publisher);
    start_push(publisher);
    start_sender(publisher);
    start_top(publisher);
}

static void on_part_closed(struct publisher *publisher)
{
    if (--publisher->open > 0) return;
    if (publisher->sends) series_feed_deinit(&publisher->feed);
    generation_release(publisher->config.generation);
    publisher->on_close(publisher->close_context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(container_of(handle, struct publisher, timer));
}

static void on_textfile_closed(struct textfile *textfile)
{
    on_part_closed(container_of(textfile, struct publisher, textfile));
}

static void on_top_closed(struct top *top)
{
    on_part_closed(container_of(top, struct publisher, top));
}

static void on_push_closed(struct push *push)
{
    on_part_closed(container_of(push, struct publisher, push));
}

static void on_sender_closed(struct sender *sender)
{
    on_part_closed(container_of(sender, struct publisher, sender));
}

static void close_sender(struct publisher *publisher)
{
    publisher->config.telemetry->sender = NULL;
    sender_close(&publisher->sender, on_sender_closed);
    gather_release(publisher->series_gather);
}

void publisher_close(struct publisher *publisher, publisher_close_fn on_close, void *context)
{
    publisher->on_close = on_close;
    publisher->close_context = context;
    publisher->open = 2U + publisher->pushes + publisher->sends + publisher->tops;
    if (publisher->tops) top_close(&publisher->top, on_top_closed);
    gather_release(publisher->file_gather);
    textfile_close(&publisher->textfile, on_textfile_closed);
    uv_close((uv_handle_t *) &publisher->timer, on_timer_closed);
    if (publisher->sends) close_sender(publisher);
    if (!publisher->pushes) return;
    publisher->config.telemetry->push = NULL;
    push_close(&publisher->push, on_push_closed);
    if (publisher->push_gather) {
        /*
         * The push is waiting for this gather. NULL tells it that there is nothing to send. While closing,
         * that is not a failure.
         */
        gather_release(publisher->push_gather);
        push_deliver(&publisher->push, NULL);
    }
}
