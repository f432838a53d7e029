#include "base/buffer.h"

#include "base/digits.h"

#include <stdio.h>
#include <stdlib.h>

void buffer_init(struct buffer *buffer, size_t cap)
{
    *buffer = (struct buffer){.cap = cap};
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.cap = buffer->cap};
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer->data) explicit_bzero(buffer->data, buffer->size);
    buffer_deinit(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

/* Doubles the memory, so that appending byte by byte takes linear time. Never exceeds the cap. */
static bool grow(struct buffer *buffer, size_t needed)
{
    size_t size = buffer->size ? buffer->size : 256;
    while (size < needed) size *= 2;
    if (size > buffer->cap) size = buffer->cap;
    /* One extra byte for the NUL that vsnprintf writes after its text. */
    char *data = realloc(buffer->data, size + 1);
    if (!data) return false;
    buffer->data = data;
    buffer->size = size;
    return true;
}

char *buffer_grow(struct buffer *buffer, size_t more)
{
    if (buffer->failed) return NULL;
    if (more > buffer->cap - buffer->len) goto fail;
    if (buffer->len + more > buffer->size && !grow(buffer, buffer->len + more)) goto fail;
    return buffer->data + buffer->len;
fail:
    buffer->failed = true;
    return NULL;
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
    char digits[DIGITS_MAX];
    if (value < 10) {
        buffer_append_char(buffer, (char) ('0' + value));
        return;
    }
    buffer_append_slice(buffer, digits_of(value, digits));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0) buffer->failed = true; /* the C library had no memory, or the text is longer than INT_MAX */
    if (len <= 0) return;
    char *at = buffer_reserve(buffer, (size_t) len);
    if (!at) return;
    va_start(arguments, format);
    vsnprintf(at, (size_t) len + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t) len;
}
