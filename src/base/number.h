/*
 * Numbers as text: parsed strictly, kept exactly.
 *
 * A 64-bit counter does not fit into a double. So a value stays the text that the server sent, until
 * something has to be computed from it. No function here depends on the locale.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Parses digits only, up to 2^64 - 1. Returns false for anything else; `value` is then unchanged. */
bool number_parse_u64(struct slice text, uint64_t *value);

/*
 * Parses the digits at the beginning of `text` and returns how many there are. Returns 0 if there are none,
 * or if their value exceeds 2^64 - 1; `value` is then unchanged.
 */
size_t number_scan_u64(struct slice text, uint64_t *value);

/* Parses digits with an optional '-', from -2^63 to 2^63 - 1. Returns false for anything else. */
bool number_parse_i64(struct slice text, int64_t *value);

/*
 * Returns true if the text is a decimal number that every reader of expositions accepts: [-] digits [.
 * digits] [(e|E) [+|-] digits], finite as a double. Not accepted: 'nan', 'inf', hexadecimal, a leading '+',
 * blanks.
 */
bool number_is_decimal(struct slice text);

/*
 * Parses the same grammar into a double. Returns false if the text does not fit the grammar. For deadlines
 * and ratios, never for counters.
 */
bool number_parse_double(struct slice text, double *value);

/* Appends value / 10^places, with the decimal point set exactly: 1500000 and 6 give "1.5". places <= 19. */
void number_append_scaled(struct buffer *buffer, uint64_t value, unsigned places);

/*
 * Appends the shortest text that reads back as the same double. Special values are "+Inf", "-Inf" and "NaN",
 * as in expositions.
 */
void number_append_double(struct buffer *buffer, double value);

/*
 * Like number_append_double, but never writes a bare integer: 1.0 instead of 1. OpenMetrics requires this for
 * the labels le and quantile.
 */
void number_append_float(struct buffer *buffer, double value);

#endif
