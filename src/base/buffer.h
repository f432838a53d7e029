/*
 * Bytes that grow at the end, up to a cap.
 *
 * A write that would exceed the cap, or that finds no memory, sets `failed` and changes nothing. All later
 * writes are ignored. So a caller can write a whole document and check `failed` once, at the end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data; /* owned; NULL before the first write */
    size_t len;
    size_t size; /* bytes there is room for */
    size_t cap;  /* len never passes it */
    bool failed;
};

/* Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t cap);

/* Frees the bytes; the buffer may then be initialised again. */
void buffer_deinit(struct buffer *buffer);

/* Empties it and clears `failed`; keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* What buffer_reserve does when there is no room yet. */
char *buffer_grow(struct buffer *buffer, size_t more);

/*
 * Makes room for `more` bytes behind len and returns a pointer to it, or NULL (then `failed` is set). Inline,
 * because an exposition consists of hundreds of thousands of appends.
 */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (more <= buffer->size - buffer->len && !buffer->failed) return buffer->data + buffer->len;
    return buffer_grow(buffer, more);
}

static inline void buffer_append(struct buffer *buffer, const char *data, size_t len)
{
    if (len == 0) return;
    char *at = buffer_reserve(buffer, len);
    if (!at) return;
    memcpy(at, data, len);
    buffer->len += len;
}

static inline void buffer_append_slice(struct buffer *buffer, struct slice slice)
{
    buffer_append(buffer, slice.data, slice.len);
}

static inline void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

static inline void buffer_append_char(struct buffer *buffer, char c)
{
    char *at = buffer_reserve(buffer, 1);
    if (!at) return;
    *at = c;
    buffer->len++;
}

/* Decimal digits. */
void buffer_append_u64(struct buffer *buffer, uint64_t value);

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->len};
}

#endif
