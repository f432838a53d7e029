/*
 * on_timer -> choose_looks -> (thread: look_at_all) -> on_looked -> new contents are taken -> on_timer again
 *
 * A look has a reference to its access, so a reload may drop the access meanwhile. The thread reads only the
 * settings of the access, which never change.
 */
#include "targets/access_watch.h"

#include "base/container.h"
#include "base/log.h"

#include <stdlib.h>

/* The check of one access. */
struct look {
    struct access *access;           /* owned reference */
    uint64_t seen;                   /* fingerprint of the files when they were last read, successfully or
                                        not */
    uint64_t fingerprint;            /* fingerprint of the files now */
    int result;                      /* result of reading; set if the fingerprint has changed */
    struct access_contents contents; /* new contents if reading succeeded; owned */
    struct buffer error;             /* message if reading failed */
};

static void on_timer(uv_timer_t *timer);

static void release_looks(struct look *looks, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        access_release(looks[n].access);
        access_contents_deinit(&looks[n].contents);
        buffer_deinit(&looks[n].error);
    }
    free(looks);
}

static void close_part(struct access_watch *watch)
{
    if (--watch->open > 0) return;
    access_watch_close_fn on_close = watch->on_close;
    void *context = watch->context;
    release_looks(watch->looks, watch->count);
    on_close(context);
}

/* --- Checking files --- */

/* Runs on a thread of the pool. */
static void look_at_all(uv_work_t *work)
{
    struct access_watch *watch = container_of(work, struct access_watch, work);
    for (size_t n = 0; n < watch->count; n++) {
        struct look *look = &watch->looks[n];
        look->fingerprint = access_fingerprint(look->access);
        if (look->fingerprint != look->seen)
            look->result = access_read(look->access, &look->contents, &look->error);
    }
}

static void finish_look(struct look *look)
{
    if (look->fingerprint == look->seen) return;
    look->seen = look->fingerprint;
    if (look->result == 0) {
        access_take(look->access, &look->contents);
        look->seen = access_taken_fingerprint(look->access);
        log_line(LOG_INFO,
                 "reloaded the certificates and passwords for memcached because a file has changed");
        return;
    }
    access_contents_deinit(&look->contents);
    buffer_append_char(&look->error, '\0');
    bool has_line = look->error.data && look->error.data[0] && !look->error.failed;
    log_line(LOG_ERROR,
             "cannot reload the certificates and passwords for memcached, the old ones stay in use",
             LOG_FIELD("err", has_line ? look->error.data : uv_strerror(look->result)));
    buffer_clear(&look->error);
}

static void on_looked(uv_work_t *work, int status)
{
    struct access_watch *watch = container_of(work, struct access_watch, work);
    if (watch->closing) {
        close_part(watch);
        return;
    }
    watch->open--;
    for (size_t n = 0; n < watch->count && status == 0; n++) finish_look(&watch->looks[n]);
    uv_timer_start(&watch->timer, on_timer, ACCESS_WATCH_MS, 0);
}

/* Returns the fingerprint that the last check saw. So a failure is logged only once. */
static uint64_t seen_before(const struct access_watch *watch, const struct access *access)
{
    for (size_t n = 0; n < watch->count; n++) {
        if (watch->looks[n].access == access) return watch->looks[n].seen;
    }
    return access_taken_fingerprint(access);
}

/*
 * Makes a look for every access of the active configuration. Returns false if there are none, or when out of
 * memory.
 */
static bool choose_looks(struct access_watch *watch)
{
    const struct config *config = manager_generation(watch->manager)->config;
    struct look *looks = calloc(config->module_count, sizeof(*looks));
    size_t count = 0;
    for (size_t n = 0; looks && n < config->module_count; n++) {
        struct access *access = config->modules[n].access;
        if (!access) continue;
        looks[count].access = access_hold(access);
        looks[count].seen = seen_before(watch, access);
        buffer_init(&looks[count].error, 4096);
        count++;
    }
    release_looks(watch->looks, watch->count);
    watch->looks = looks;
    watch->count = count;
    return count > 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct access_watch *watch = container_of(timer, struct access_watch, timer);
    if (choose_looks(watch) && uv_queue_work(watch->loop, &watch->work, look_at_all, on_looked) == 0)
        watch->open++;
    else
        uv_timer_start(timer, on_timer, ACCESS_WATCH_MS, 0);
}

/* --- Start and end --- */

void access_watch_start(struct access_watch *watch, uv_loop_t *loop, struct manager *manager)
{
    *watch = (struct access_watch){.loop = loop, .manager = manager, .open = 1};
    uv_timer_init(loop, &watch->timer);
    uv_timer_start(&watch->timer, on_timer, ACCESS_WATCH_MS, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    close_part(container_of(handle, struct access_watch, timer));
}

void access_watch_close(struct access_watch *watch, access_watch_close_fn on_close, void *context)
{
    watch->closing = true;
    watch->on_close = on_close;
    watch->context = context;
    if (watch->open > 1) uv_cancel((uv_req_t *) &watch->work);
    uv_close((uv_handle_t *) &watch->timer, on_timer_closed);
}
