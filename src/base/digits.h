/*
 * Decimal digits. Inline, because the parser and the encoders handle so many digits that function calls would
 * show in profiles.
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
 * Returns how many of the next eight bytes are digits, up to the first byte that is not a digit. The XOR
 * turns a digit's byte into its value, 0 to 9. Adding 0x76 sets the highest bit of every byte above 9. A
 * carry only reaches later bytes, so the first marked byte is right.
 */
static inline unsigned digits_count(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof(bytes));
    bytes = le64toh(bytes) ^ UINT64_C(0x3030303030303030);
    uint64_t others = (bytes | (bytes + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    return others ? (unsigned) __builtin_ctzll(others) / 8 : 8;
}

/* Returns the value of a text that is known to be the digits of a 64-bit number. */
static inline uint64_t digits_value(struct slice digits)
{
    uint64_t value = 0;
    for (size_t n = 0; n < digits.len; n++) value = value * 10 + (uint64_t) (digits.data[n] - '0');
    return value;
}

/* Most digits that a 64-bit value needs. */
#define DIGITS_MAX 20

/* Writes `value` in decimal at the end of `memory`. Returns the slice of its digits. */
static inline struct slice digits_of(uint64_t value, char memory[DIGITS_MAX])
{
    size_t at = DIGITS_MAX;
    do memory[--at] = (char) ('0' + value % 10);
    while (value /= 10);
    return (struct slice){memory + at, DIGITS_MAX - at};
}

#endif
