/*
 * A byte buffer that grows at its end, up to a cap.
 *
 * A write that would exceed the cap, or that runs out of memory, sets `failed` and changes nothing. All later
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
    size_t size; /* allocated bytes */
    size_t cap;  /* the most bytes that `len` may reach */
    bool failed;
};

/* Initialises an empty buffer. Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t cap);

/* Frees the bytes. The buffer keeps its cap and is empty. */
void buffer_deinit(struct buffer *buffer);

/*
 * Overwrites the bytes before it frees them. For a buffer that held a secret. Reserve all room before the
 * secret is written: a buffer that grows leaves a copy behind.
 */
void buffer_wipe(struct buffer *buffer);

/* Empties the buffer and clears `failed`. Keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* The slow path of buffer_reserve, for a buffer without enough room. Use buffer_reserve instead. */
char *buffer_grow(struct buffer *buffer, size_t more);

/*
 * Makes room for `more` bytes after the content. Returns a pointer to that room, or NULL (then `failed` is
 * set). Inline, because an exposition consists of hundreds of thousands of appends.
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

/* Appends the value in decimal. */
void buffer_append_u64(struct buffer *buffer, uint64_t value);

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->len};
}

#endif
