/*
 * Decimal digits, inline: the parser and the encoders handle so many that function calls would show in
 * profiles.
 */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include "base/slice.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * How many of the next eight bytes are digits before the first that is none. A byte becomes its digit, and
 * gets its highest bit if it is beyond nine; carries go into bytes behind it only.
 */
static inline unsigned digits_count(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof(bytes));
    bytes = le64toh(bytes) ^ UINT64_C(0x3030303030303030);
    uint64_t others = (bytes | (bytes + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    return others ? (unsigned) __builtin_ctzll(others) / 8 : 8;
}

/* The most that 64 bits need. */
#define DIGITS_MAX 20

/* Writes a whole number to the end of `memory` and returns the slice of its digits. */
static inline struct slice digits_of(uint64_t value, char memory[DIGITS_MAX])
{
    size_t at = DIGITS_MAX;
    do memory[--at] = (char) ('0' + value % 10);
    while (value /= 10);
    return (struct slice){memory + at, DIGITS_MAX - at};
}

#endif
