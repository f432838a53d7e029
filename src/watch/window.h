/*
 * One window: watches the log of one server for a short time.
 *
 *     window_start -> on_done -> window_free
 *
 * A window never disturbs the server for long. It reads all the time, so that no buffer of the server fills
 * up. It ends early when the server drops events, or sends more bytes than the settings allow. It watches
 * nothing on servers older than 1.6.45: those use freed memory when a watcher leaves (memcached's logger.c),
 * unless the operator trusts the version.
 */
#ifndef WATCH_WINDOW_H
#define WATCH_WINDOW_H

#include "base/siphash.h"
#include "watch/feed.h"
#include "watch/watch_record.h"

/* Borrowed until the window is freed. */
struct window_plan {
    struct feed_plan feed;
    const struct watch_config *config;
    const struct siphash_secret *secret;
    struct watch_record *record; /* the window counts here, and replaces the report at its end */
};

/* `why` explains a result other than WATCH_COMPLETE; valid during the call. */
typedef void (*window_fn)(void *context, enum watch_result result, const char *why);

struct window;

/*
 * Starts a window. Returns 0; on_done then runs once, from the loop, unless the window is freed first. Or
 * returns a negative libuv code; on_done then never runs.
 */
int window_start(struct window **window, const struct window_plan *plan, window_fn on_done, void *context);

/* Ends the window without a report, if it is still running. May be called in on_done. NULL is allowed. */
void window_free(struct window *window);

#endif
