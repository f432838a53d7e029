/*
 * Decimal digits, inline: the parser and the encoders handle so many that function calls would show in
 * profiles.
 */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
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
