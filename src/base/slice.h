/*
 * A view of bytes that somebody else owns.
 *
 * Parsers return slices that point into the parsed buffer. Such a slice is valid as long as that buffer.
 * Slices do not end with a NUL and may contain any byte. They are passed and returned by value.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data; /* borrowed; may be NULL only when len is 0 */
    size_t len;
};

/* Makes a slice of a string literal. Usable as a constant initialiser. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* Arguments for "%.*s" of printf. */
#define SLICE_ARG(slice) (int) (slice).len, (slice).data

static inline struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Compares with a NUL-terminated string. */
static inline bool slice_is(struct slice a, const char *string)
{
    return slice_equal(a, slice_of(string));
}

/* Compares without regard to ASCII case. For header names and tokens. */
static inline bool slice_is_nocase(struct slice a, const char *string)
{
    return a.len == strlen(string) && (a.len == 0 || strncasecmp(a.data, string, a.len) == 0);
}

static inline bool slice_starts(struct slice a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.data, prefix, len) == 0;
}

static inline bool slice_ends(struct slice a, const char *end)
{
    size_t len = strlen(end);
    return a.len >= len && memcmp(a.data + a.len - len, end, len) == 0;
}

/* Returns the slice without its first `n` bytes. `n` must not exceed the length. */
static inline struct slice slice_from(struct slice a, size_t n)
{
    return (struct slice){a.data + n, a.len - n};
}

/* Copies the bytes to `at`, which must have room for them. Returns the position after the copy. */
static inline char *slice_put(char *at, struct slice a)
{
    memcpy(at, a.data, a.len);
    return at + a.len;
}

/* Like slice_put, but faster for up to sixteen bytes: copies two words that may overlap. */
static inline char *slice_put_few(char *at, struct slice a)
{
    if (a.len > 16) return slice_put(at, a);
    if (a.len >= 8) {
        memcpy(at, a.data, 8);
        memcpy(at + a.len - 8, a.data + a.len - 8, 8);
    } else if (a.len >= 4) {
        memcpy(at, a.data, 4);
        memcpy(at + a.len - 4, a.data + a.len - 4, 4);
    } else if (a.len) {
        at[0] = a.data[0];
        at[a.len / 2] = a.data[a.len / 2];
        at[a.len - 1] = a.data[a.len - 1];
    }
    return at + a.len;
}

/* The same for some tens of bytes, without a call: words of sixteen, of which the last two may overlap. */
static inline char *slice_put_short(char *at, struct slice a)
{
    if (a.len < 16) return slice_put_few(at, a);
    for (size_t n = 0; n + 16 < a.len; n += 16) memcpy(at + n, a.data + n, 16);
    memcpy(at + a.len - 16, a.data + a.len - 16, 16);
    return at + a.len;
}

/*
 * Copies whole blocks of this size, which is quicker than to tell what is left of the last one. So this many
 * bytes must be readable behind the slice, and writable behind the copy.
 */
#define SLICE_BLOCK 16

static inline __attribute__((always_inline)) char *slice_put_blocks(char *at, struct slice a)
{
    memcpy(at, a.data, SLICE_BLOCK);
    if (a.len > SLICE_BLOCK) {
        memcpy(at + SLICE_BLOCK, a.data + SLICE_BLOCK, SLICE_BLOCK);
        for (size_t n = (size_t) 2 * SLICE_BLOCK; n < a.len; n += SLICE_BLOCK)
            memcpy(at + n, a.data + n, SLICE_BLOCK);
    }
    return at + a.len;
}

/* The same for slices that mostly have more than one block: two blocks at least, readable and writable. */
#define SLICE_BLOCKS (2 * SLICE_BLOCK)

static inline __attribute__((always_inline)) char *slice_put_more_blocks(char *at, struct slice a)
{
    memcpy(at, a.data, SLICE_BLOCKS);
    for (size_t n = SLICE_BLOCKS; n < a.len; n += SLICE_BLOCK) memcpy(at + n, a.data + n, SLICE_BLOCK);
    return at + a.len;
}

/*
 * The same for slices of some more blocks: four at least. The copy may lie within the
 * blocks that are read, if it begins behind the slice and at least one block further.
 */
#define SLICE_MANY_BLOCKS (4 * SLICE_BLOCK)

static inline __attribute__((always_inline)) char *slice_put_many_blocks(char *at, struct slice a)
{
    for (size_t n = 0; n < SLICE_MANY_BLOCKS; n += SLICE_BLOCK) memcpy(at + n, a.data + n, SLICE_BLOCK);
    for (size_t n = SLICE_MANY_BLOCKS; n < a.len; n += SLICE_BLOCK) memcpy(at + n, a.data + n, SLICE_BLOCK);
    return at + a.len;
}

/*
 * Splits `rest` at the first `separator`. Returns the part before the separator; `rest` becomes the part
 * after it. Without a separator, returns all of `rest` and sets `rest->data` to NULL, so that a loop can end.
 */
static inline struct slice slice_cut(struct slice *rest, char separator)
{
    const char *at = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    struct slice head = *rest;
    if (at) {
        head.len = (size_t) (at - rest->data);
        *rest = slice_from(*rest, head.len + 1);
    } else {
        *rest = (struct slice){NULL, 0};
    }
    return head;
}

/* Returns the slice without blanks and tabs at both ends. */
static inline struct slice slice_trim(struct slice a)
{
    while (a.len && (a.data[0] == ' ' || a.data[0] == '\t')) a = slice_from(a, 1);
    while (a.len && (a.data[a.len - 1] == ' ' || a.data[a.len - 1] == '\t')) a.len--;
    return a;
}

#endif
