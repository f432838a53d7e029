/*
 * Numbers as text: read strictly, kept exactly.
 *
 * A counter of 64 bits does not fit a double, so a value stays the digits that a
 * server sent for as long as nothing has to be computed from it. Nothing here
 * depends on the locale.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Digits only, up to 2^64 - 1. False when it is anything else; `value` is then untouched. */
bool number_parse_u64(struct slice text, uint64_t *value);

/* The digits at the beginning of a text: how many; 0 if there are none, or if they pass 2^64 - 1. */
size_t number_scan_u64(struct slice text, uint64_t *value);

/* Digits with an optional '-', from -2^63 to 2^63 - 1. */
bool number_parse_i64(struct slice text, int64_t *value);

/*
 * Whether the text is a decimal number that a reader of expositions takes as it
 * stands: [-] digits [. digits] [(e|E) [+|-] digits], finite as a double. Not 'nan',
 * 'inf', hexadecimal, a leading '+' or blanks.
 */
bool number_is_decimal(struct slice text);

/* The same text as a double, or false. For deadlines and ratios, never for counters. */
bool number_parse_double(struct slice text, double *value);

/* value / 10^places with the point set exactly: 1500000 and 6 give "1.5". places <= 19. */
void number_append_scaled(struct buffer *buffer, uint64_t value, unsigned places);

/*
 * The shortest text that reads back as the same double; "+Inf", "-Inf" and "NaN" as expositions spell them.
 */
void number_append_double(struct buffer *buffer, double value);

/* The same, but never a bare integer: 1.0 and not 1, as OpenMetrics prescribes it for le and quantile. */
void number_append_float(struct buffer *buffer, double value);

#endif
