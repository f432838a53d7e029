/*
 * The end of an object that has several parts on the loop: counts what is still open, and calls back once
 * when the last part is closed.
 *
 * An object counts each part when it opens it (closing_count), closes its parts, and says that it has begun
 * to (closing_begin). `on_closed` runs when both have happened: closing has begun and no part is open. It
 * runs inside the last closing_done or closing_begin, so an object that has no part of its own on the loop
 * must not rely on a later turn.
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
    closing_fn on_closed; /* NULL until closing_begin */
    void *context;        /* of on_closed */
};

/* One more part is open. */
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

/* One part is closed. The object may be gone when this returns. */
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

/* Closes a handle that was counted. Takes its `data`. */
static inline void closing_close(struct closing *closing, uv_handle_t *handle)
{
    handle->data = closing;
    uv_close(handle, closing_on_handle);
}

/* Once. The object may be gone when this returns. */
static inline void closing_begin(struct closing *closing, closing_fn on_closed, void *context)
{
    assert(!closing->on_closed);
    closing->on_closed = on_closed;
    closing->context = context;
    closing_end_if_done(closing);
}

#endif
