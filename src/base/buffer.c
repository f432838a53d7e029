#include "base/buffer.h"

#include <assert.h>
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

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

/* Doubles, so that appending byte by byte stays linear; never past the cap. */
static bool grow(struct buffer *buffer, size_t needed)
{
    size_t size = buffer->size ? buffer->size : 256;
    while (size < needed) size *= 2;
    if (size > buffer->cap) size = buffer->cap;
    /* One byte more than counted, for the NUL that vsnprintf puts behind its text. */
    char *data = realloc(buffer->data, size + 1);
    if (!data) return false;
    buffer->data = data;
    buffer->size = size;
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed) return NULL;
    if (more > buffer->cap - buffer->len) goto fail;
    if (buffer->len + more > buffer->size && !grow(buffer, buffer->len + more)) goto fail;
    return buffer->data + buffer->len;
fail:
    buffer->failed = true;
    return NULL;
}

void buffer_append(struct buffer *buffer, const char *data, size_t len)
{
    if (len == 0) return;
    char *at = buffer_reserve(buffer, len);
    if (!at) return;
    memcpy(at, data, len);
    buffer->len += len;
}

void buffer_append_slice(struct buffer *buffer, struct slice slice)
{
    buffer_append(buffer, slice.data, slice.len);
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do digits[--at] = (char) ('0' + value % 10);
    while (value /= 10);
    buffer_append(buffer, digits + at, sizeof(digits) - at);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(len >= 0);

    if (len == 0) return;
    char *at = buffer_reserve(buffer, (size_t) len);
    if (!at) return;
    va_start(arguments, format);
    vsnprintf(at, (size_t) len + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t) len;
}
