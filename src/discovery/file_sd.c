/*
 * The happy path: ask -> (thread) find_directories -> on_directories: watch them -> (thread) read_files ->
 * on_files -> on_done. Later, when a directory changes: on_change -> on_timer -> on_nudge, and the owner asks
 * again.
 *
 * Each question renews the watches before it reads the files. So no change in between is missed. And if
 * another directory took the place of a watched one, the new one is watched.
 *
 * What can go wrong: errors of files are part of the answer. A directory that cannot be watched is read at
 * each refresh. Closing waits for the thread, which cannot be stopped but only reads files.
 */
#include "discovery/file_sd.h"

#include "base/buffer.h"
#include "base/container.h"
#include "base/list.h"
#include "discovery/discovery.h"
#include "discovery/file_set.h"

#include <assert.h>
#include <stdlib.h>

struct file_sd {
    struct discoverer discoverer;
    uv_loop_t *loop;  /* borrowed */
    uv_timer_t timer; /* timer of the next nudge */
    struct list watches;
    unsigned parts; /* open handles, and work on the thread pool */
    bool working, closing;
    uv_work_t work;
    /* Used by the thread while `working`, otherwise by the loop. */
    struct file_set set;
    struct paths directories;
    struct file_set_answer answer;
};

struct file_watch {
    uv_fs_event_t event;
    struct file_sd *owner;
    struct link link;
};

static struct file_sd *file_sd_of(struct discoverer *discoverer)
{
    return container_of(discoverer, struct file_sd, discoverer);
}

static void file_sd_free(struct file_sd *sd)
{
    file_set_deinit(&sd->set);
    free(sd);
}

static void part_ended(struct file_sd *sd)
{
    if (--sd->parts > 0) return;
    sd->discoverer.on_close(&sd->discoverer);
    file_sd_free(sd);
}

/* --- Watching --- */

static void on_timer(uv_timer_t *timer)
{
    struct file_sd *sd = container_of(timer, struct file_sd, timer);
    sd->discoverer.on_nudge(&sd->discoverer);
}

/*
 * Schedules a nudge in `ms`, unless an earlier one is scheduled. The next reading sees all changes until
 * then.
 */
static void nudge_in(struct file_sd *sd, uint64_t ms)
{
    bool soon = uv_is_active((uv_handle_t *) &sd->timer) && uv_timer_get_due_in(&sd->timer) <= ms;
    if (!soon) uv_timer_start(&sd->timer, on_timer, ms, 0);
}

/* Ignores which file has changed, since a symbolic link in the path may have changed too. */
static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void) name;
    (void) events;
    (void) status;
    nudge_in(container_of(event, struct file_watch, event)->owner, FILE_SD_NUDGE_MS);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct file_watch *watch = container_of((uv_fs_event_t *) handle, struct file_watch, event);
    struct file_sd *sd = watch->owner;
    free(watch);
    part_ended(sd);
}

static void unwatch_all(struct file_sd *sd)
{
    for (struct link *link; (link = list_pop(&sd->watches));) {
        struct file_watch *watch = container_of(link, struct file_watch, link);
        uv_close((uv_handle_t *) &watch->event, on_watch_closed);
    }
}

static void watch_directory(struct file_sd *sd, const char *path)
{
    struct file_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return;
    watch->owner = sd;
    link_init(&watch->link);
    list_append(&sd->watches, &watch->link);
    sd->parts++;
    uv_fs_event_init(sd->loop, &watch->event);
    uv_fs_event_start(&watch->event, on_change, path, 0);
}

/* --- Asking --- */

static void start_work(struct file_sd *sd, uv_work_cb work, uv_after_work_cb on_end)
{
    int status = uv_queue_work(sd->loop, &sd->work, work, on_end);
    assert(status == 0);
    sd->working = true;
    sd->parts++;
}

static void find_directories(uv_work_t *work)
{
    struct file_sd *sd = container_of(work, struct file_sd, work);
    file_set_directories(&sd->set, &sd->directories);
}

static void on_directories(uv_work_t *work, int status);

static int file_sd_ask(struct discoverer *discoverer)
{
    struct file_sd *sd = file_sd_of(discoverer);
    paths_init(&sd->directories);
    start_work(sd, find_directories, on_directories);
    return 0;
}

static void read_files(uv_work_t *work)
{
    struct file_sd *sd = container_of(work, struct file_sd, work);
    file_set_read(&sd->set, &sd->answer);
}

static void on_files(uv_work_t *work, int status);

static void on_directories(uv_work_t *work, int status)
{
    struct file_sd *sd = container_of(work, struct file_sd, work);
    (void) status;
    sd->working = false;
    if (!sd->closing) {
        unwatch_all(sd);
        for (size_t n = 0; n < sd->directories.count; n++) watch_directory(sd, sd->directories.items[n]);
        start_work(sd, read_files, on_files);
    }
    paths_deinit(&sd->directories);
    part_ended(sd);
}

static void report_answer(struct file_sd *sd, struct file_set_answer *answer)
{
    struct discovery_answer result = {0};
    if (answer->changed) result.found = &answer->found;
    if (answer->broken) {
        buffer_append_char(&answer->error, '\0');
        result.error = answer->error.failed ? "out of memory" : answer->error.data;
    }
    result.unchanged = !answer->changed && !answer->broken;
    sd->discoverer.on_done(&sd->discoverer, &result);
}

/* Uses a local copy of the answer, so that nothing that the owner does in on_done can change it. */
static void on_files(uv_work_t *work, int status)
{
    struct file_sd *sd = container_of(work, struct file_sd, work);
    sd->working = false;
    if (status == 0) {
        struct file_set_answer answer = sd->answer;
        if (!sd->closing) {
            if (answer.restless) nudge_in(sd, FILE_SET_REST_MS);
            report_answer(sd, &answer);
        }
        file_set_answer_deinit(&answer);
    }
    part_ended(sd);
}

/* --- Life --- */

static void on_timer_closed(uv_handle_t *handle)
{
    part_ended(container_of((uv_timer_t *) handle, struct file_sd, timer));
}

static void file_sd_close(struct discoverer *discoverer)
{
    struct file_sd *sd = file_sd_of(discoverer);
    sd->closing = true;
    unwatch_all(sd);
    uv_close((uv_handle_t *) &sd->timer, on_timer_closed);
    if (sd->working) uv_cancel((uv_req_t *) &sd->work);
}

static const struct discoverer_kind kind = {
    .name = "file_sd",
    .default_refresh_ms = 30 * 1000,
    .ask = file_sd_ask,
    .close = file_sd_close,
};

int file_sd_new(struct discoverer **discoverer, const struct discovery_services *services,
                const struct discovery_config *config, struct buffer *error)
{
    struct file_sd *sd = calloc(1, sizeof(*sd));
    int status = sd ? file_set_init(&sd->set, config->file_sd.patterns, config->file_sd.count,
                                    config->file_sd.directory, error)
                    : UV_ENOMEM;
    if (status < 0) {
        if (status == UV_ENOMEM) buffer_append_string(error, uv_strerror(status));
        if (sd) file_sd_free(sd);
        return status;
    }
    sd->discoverer.kind = &kind;
    sd->loop = services->loop;
    list_init(&sd->watches);
    uv_timer_init(sd->loop, &sd->timer);
    sd->parts = 1;
    *discoverer = &sd->discoverer;
    return 0;
}
