/*
 * reload_request -> begin_reading -> [read_file, on a thread] -> on_read -> set -> [on_set] -> finish
 *
 * Only one reload runs at a time; requests wait in a queue. A request waits for a reading that begins after
 * it, because an earlier reading may have seen an older file. So all requests made during a reload wait for
 * the next one.
 *
 * What can go wrong: the file is wrong, or the manager rejects it or runs out of memory (fail, or finish from
 * on_set). reload_close may come at any time. If the thread is reading, on_read frees what was read. If the
 * manager is working, manager_forget cancels on_set.
 */
#include "targets/reload.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "base/log.h"
#include "settings/settings.h"
#include "targets/access_watch.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum reload_phase { PHASE_IDLE, PHASE_READING, PHASE_SETTING };

/* A pending request. */
struct waiter {
    struct link link;
    unsigned long reading; /* number of the reading that it waits for */
    reload_done_fn on_done;
    void *context;
};

struct reload {
    uv_loop_t *loop;
    const struct options *flags; /* borrowed, like the manager */
    struct manager *manager;
    struct reload_state state;
    uv_signal_t hangup;
    struct access_watch access_watch;
    reload_step_fn on_step; /* may be NULL */
    void *step_context;
    struct list waiters; /* requests, in the order of their `reading` */
    enum reload_phase phase;
    unsigned long reading; /* number of the current or last reading */
    bool again;            /* another reading must follow */
    uv_work_t work;
    struct config *config;   /* configuration being read; owned */
    int result;              /* result of reading */
    struct buffer error;     /* error of the current reload */
    struct buffer overruled; /* overridden flags that were logged last */
    struct buffer idle;      /* flags without effect that were logged last */
    bool closing;
    unsigned open; /* number of handles and threads that are still open, while closing */
    reload_close_fn on_close;
    void *close_context;
};

static bool has_file(const struct reload *reload)
{
    return reload->flags->config_file[0] != '\0';
}

/* --- Logging --- */

static void log_warnings(const struct config *config)
{
    for (const struct config_warning *warning = config->warnings; warning; warning = warning->next)
        log_line(LOG_WARN, "the configuration has an entry that is probably a mistake",
                 LOG_FIELD("warning", warning->text));
}

/* Takes `lines` in place of `last`, and returns true if they are not the same. */
static bool is_news(struct buffer *last, struct buffer *lines)
{
    bool same = slice_equal(buffer_slice(last), buffer_slice(lines));
    buffer_deinit(last);
    *last = *lines;
    return !same;
}

/* Logs the flags that the file overrides, if they differ from those logged last. */
static void log_overruled(struct reload *reload, const struct settings *settings)
{
    struct buffer flags;
    buffer_init(&flags, OPTIONS_TEXT_MAX);
    settings_append_overruled(settings, reload->flags, &flags);
    if (!is_news(&reload->overruled, &flags)) return;
    for (struct slice rest = buffer_slice(&flags); rest.len;)
        log_line(LOG_WARN, "the configuration file overrides this flag",
                 (struct log_field){"flag", slice_cut(&rest, '\n')});
}

/* Logs the flags that have no effect, if they differ from those logged last. */
static void log_idle(struct reload *reload, const struct settings *settings)
{
    struct buffer flags;
    buffer_init(&flags, OPTIONS_TEXT_MAX);
    settings_append_idle(settings, reload->flags, &flags);
    if (!is_news(&reload->idle, &flags)) return;
    for (struct slice rest = buffer_slice(&flags); rest.len;) {
        struct slice why = slice_cut(&rest, '\n');
        struct slice flag = slice_cut(&why, ':');
        log_line(LOG_WARN, "this flag has no effect", (struct log_field){"flag", flag},
                 (struct log_field){"reason", slice_trim(why)});
    }
}

/* Logs the result. A failed start is not logged, because the program then prints the reason and exits. */
static void log_result(struct reload *reload, int status, const char *error)
{
    const struct generation *generation = manager_generation(reload->manager);
    if (status < 0) {
        if (reload->state.last_success_s == 0) return;
        log_line(LOG_ERROR, "cannot load the configuration file, the previous configuration stays in force",
                 LOG_FIELD("file", reload->flags->config_file), LOG_FIELD("err", error));
        return;
    }
    if (has_file(reload)) {
        log_line(LOG_INFO, "the configuration file is in force",
                 LOG_FIELD("file", reload->flags->config_file), LOG_FIELD("hash", generation->config->hash));
        log_overruled(reload, &generation->settings);
    }
    log_idle(reload, &generation->settings);
}

/* --- End of a reload --- */

static void release_config(struct reload *reload)
{
    if (reload->config) config_deinit(reload->config);
    free(reload->config);
    reload->config = NULL;
}

static struct waiter *first_waiter(struct reload *reload)
{
    struct link *link = list_first(&reload->waiters);
    return link ? container_of(link, struct waiter, link) : NULL;
}

/* Calls on_done of all requests that wait for this reading or an earlier one. */
static void answer_waiters(struct reload *reload, unsigned long reading, int status, const char *error)
{
    for (struct waiter *waiter; (waiter = first_waiter(reload)) && waiter->reading <= reading;) {
        reload_done_fn on_done = waiter->on_done;
        void *context = waiter->context;
        link_remove(&waiter->link);
        free(waiter);
        on_done(context, status, error);
    }
}

static void begin_reading(struct reload *reload);

static void report_step(struct reload *reload, bool reading)
{
    if (reload->on_step) reload->on_step(reload->step_context, reading);
}

static void finish(struct reload *reload, int status, const char *error)
{
    unsigned long reading = reload->reading;
    reload->phase = PHASE_IDLE;
    reload->state.successful = status == 0;
    log_result(reload, status, error);
    if (status == 0) reload->state.last_success_s = unix_now();
    if (reload->again)
        begin_reading(reload);
    else
        report_step(reload, false);
    answer_waiters(reload, reading, status, error);
}

/* Ends the reload with the message in reload->error. */
static void fail(struct reload *reload)
{
    struct buffer error = reload->error;
    buffer_init(&reload->error, error.cap);
    buffer_append_char(&error, '\0');
    finish(reload, reload->result, error.failed || !error.data[0] ? uv_strerror(reload->result) : error.data);
    buffer_deinit(&error);
}

/* --- Steps of a reload --- */

static void on_set(void *context, int status, const char *error)
{
    finish(context, status, error);
}

/* Passes the new configuration to the manager. */
static int set(struct reload *reload)
{
    struct config *config = reload->config;
    reload->config = NULL;
    reload->phase = PHASE_SETTING;
    log_warnings(config);
    return manager_set(reload->manager, config, on_set, reload, &reload->error);
}

static void close_part(struct reload *reload)
{
    if (--reload->open > 0) return;
    reload_close_fn on_close = reload->on_close;
    void *context = reload->close_context;
    release_config(reload);
    buffer_deinit(&reload->error);
    buffer_deinit(&reload->overruled);
    buffer_deinit(&reload->idle);
    free(reload);
    on_close(context);
}

static void on_read(uv_work_t *work, int status)
{
    struct reload *reload = container_of(work, struct reload, work);
    (void) status; /* ignored: only closing cancels the work */
    if (reload->closing) {
        close_part(reload);
        return;
    }
    if (reload->result == 0) reload->result = set(reload);
    if (reload->result == 0) return;
    release_config(reload);
    fail(reload);
}

/* Runs on a thread, because a URL in the file may load libcurl, which takes time. */
static void read_file(uv_work_t *work)
{
    struct reload *reload = container_of(work, struct reload, work);
    reload->result = settings_read(reload->config, reload->flags, &reload->error);
}

/* Allocates the configuration. Returns false when out of memory. */
static bool prepare(struct reload *reload)
{
    buffer_clear(&reload->error);
    reload->result = UV_ENOMEM;
    reload->config = calloc(1, sizeof(*reload->config));
    return reload->config;
}

/*
 * Runs on a thread if there is no memory for the configuration. So the error, too, is reported from the loop.
 */
static void read_nothing(uv_work_t *work)
{
    (void) work;
}

static void begin_reading(struct reload *reload)
{
    reload->again = false;
    reload->phase = PHASE_READING;
    reload->reading++;
    report_step(reload, true);
    uv_queue_work(reload->loop, &reload->work, prepare(reload) ? read_file : read_nothing, on_read);
}

/* --- Requests --- */

/* Adds a request that waits for the next reading. Returns false when out of memory. */
static bool add_waiter(struct reload *reload, reload_done_fn on_done, void *context)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter) return false;
    *waiter = (struct waiter){.reading = reload->reading + 1, .on_done = on_done, .context = context};
    link_init(&waiter->link);
    list_append(&reload->waiters, &waiter->link);
    return true;
}

int reload_request(struct reload *reload, reload_done_fn on_done, void *context)
{
    assert(has_file(reload) && !reload->closing);
    if (on_done && !add_waiter(reload, on_done, context)) return UV_ENOMEM;
    reload->again = true;
    if (reload->phase == PHASE_IDLE) begin_reading(reload);
    return 0;
}

static void on_hangup(uv_signal_t *hangup, int number)
{
    struct reload *reload = container_of(hangup, struct reload, hangup);
    (void) number;
    if (has_file(reload)) {
        reload_request(reload, NULL, NULL);
        return;
    }
    report_step(reload, true);
    log_line(LOG_WARN, "nothing to reload, the exporter was started without --config.file",
             LOG_FIELD("signal", "SIGHUP"));
    report_step(reload, false);
}

void reload_watch(struct reload *reload, reload_step_fn on_step, void *context)
{
    reload->on_step = on_step;
    reload->step_context = context;
}

const struct reload_state *reload_state(const struct reload *reload)
{
    return &reload->state;
}

/* --- Creation and closing --- */

static void on_hangup_failed(uv_handle_t *handle)
{
    free(container_of(handle, struct reload, hangup));
}

int reload_new(struct reload **result, uv_loop_t *loop, const struct options *flags, struct manager *manager)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    if (!reload) return UV_ENOMEM;
    reload->loop = loop;
    reload->flags = flags;
    reload->manager = manager;
    list_init(&reload->waiters);
    buffer_init(&reload->error, 64 * 1024);
    buffer_init(&reload->overruled, OPTIONS_TEXT_MAX);
    buffer_init(&reload->idle, OPTIONS_TEXT_MAX);
    int status = uv_signal_init(loop, &reload->hangup);
    if (status < 0) {
        free(reload);
        return status;
    }
    status = uv_signal_start(&reload->hangup, on_hangup, SIGHUP);
    if (status < 0) {
        uv_close((uv_handle_t *) &reload->hangup, on_hangup_failed);
        return status;
    }
    access_watch_start(&reload->access_watch, loop, manager);
    *result = reload;
    return 0;
}

/* Cleans up after a failed start, and copies the reason into `error` for the caller. */
static int fail_start(struct reload *reload, struct buffer *error)
{
    reload->phase = PHASE_IDLE;
    release_config(reload);
    if (reload->error.len)
        buffer_append_slice(error, buffer_slice(&reload->error));
    else
        buffer_append_string(error, uv_strerror(reload->result));
    return reload->result;
}

int reload_read(struct reload *reload, const struct config **config, struct buffer *error)
{
    if (prepare(reload)) read_file(&reload->work);
    *config = reload->config;
    return reload->result == 0 ? 0 : fail_start(reload, error);
}

int reload_start(struct reload *reload, reload_done_fn on_done, void *context, struct buffer *error)
{
    bool waits = add_waiter(reload, on_done, context);
    reload->reading++;
    reload->result = waits ? set(reload) : UV_ENOMEM;
    if (reload->result == 0) return 0;
    if (waits) {
        struct waiter *waiter = first_waiter(reload);
        link_remove(&waiter->link);
        free(waiter);
    }
    return fail_start(reload, error);
}

static void on_access_watch_closed(void *context)
{
    close_part(context);
}

static void on_hangup_closed(uv_handle_t *handle)
{
    close_part(container_of(handle, struct reload, hangup));
}

void reload_close(struct reload *reload, reload_close_fn on_close, void *context)
{
    if (!reload) return;
    reload->closing = true;
    reload->on_close = on_close;
    reload->close_context = context;
    reload->open = reload->phase == PHASE_READING ? 3 : 2;
    /* A thread that is already reading cannot be cancelled; on_read waits for it. */
    if (reload->phase == PHASE_READING) uv_cancel((uv_req_t *) &reload->work);
    if (reload->phase == PHASE_SETTING) manager_forget(reload->manager);
    uv_close((uv_handle_t *) &reload->hangup, on_hangup_closed);
    access_watch_close(&reload->access_watch, on_access_watch_closed, reload);
    answer_waiters(reload, reload->reading + 1, UV_ECANCELED, "the exporter is stopping");
}
