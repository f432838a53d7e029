/*
 * Closes an object that has several parts on the loop (handles or other closable objects). Counts the parts
 * that are open, and calls back once when the last part has closed.
 *
 * The object calls closing_count for each part that it opens. To close itself, it closes its parts and calls
 * closing_begin. `on_closed` runs once closing has begun and no part is open. `on_closed` runs inside the
 * last call of closing_done or closing_begin. If no part is open, it runs inside closing_begin.
 */
#ifndef NET_CLOSING_H
#define NET_CLOSING_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

typedef void (*closing_fn)(void *context);

struct closing {
    unsigned open;
    closing_fn on_closed; /* NULL before closing_begin */
    void *context;        /* argument of on_closed */
};

/* Counts a part that has been opened. */
static inline void closing_count(struct closing *closing)
{
    closing->open++;
}

static inline void closing_end_if_done(struct closing *closing)
{
    closing_fn on_closed = closing->on_closed;
    if (!on_closed || closing->open > 0) return;
    closing->on_closed = NULL;
    on_closed(closing->context);
}

/* Counts a part that has closed. May run on_closed, which may free the object. */
static inline void closing_done(struct closing *closing)
{
    assert(closing->open > 0);
    closing->open--;
    closing_end_if_done(closing);
}

static inline void closing_on_handle(uv_handle_t *handle)
{
    closing_done(handle->data);
}

/* Closes a handle that was counted with closing_count. Overwrites handle->data. */
static inline void closing_close(struct closing *closing, uv_handle_t *handle)
{
    handle->data = closing;
    uv_close(handle, closing_on_handle);
}

/* Begins closing. Call it only once. May run on_closed, which may free the object. */
static inline void closing_begin(struct closing *closing, closing_fn on_closed, void *context)
{
    assert(!closing->on_closed);
    closing->on_closed = on_closed;
    closing->context = context;
    closing_end_if_done(closing);
}

#endif
