/* Turns bytes from outside into valid UTF-8, which label values, log lines and messages require. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Returns the length of the well-formed sequence at the beginning of `text`. Well-formed follows Unicode 15,
 * table 3-7: no overlong forms, no surrogates. Returns 0 if the first byte begins no such sequence. `text`
 * must not be empty.
 */
size_t utf8_sequence(struct slice text);

/*
 * Returns the same length if the character is one to show. Returns 0 also for control characters (C0, DEL,
 * C1), bidirectional marks, and the separators U+2028 and U+2029, which a terminal would act upon. `text`
 * must not be empty.
 */
size_t utf8_visible(struct slice text);

/* Returns true if the whole text consists of well-formed sequences. The empty text is valid. */
bool utf8_is_valid(struct slice text);

/* The replacement character U+FFFD. It replaces every byte that cannot be shown. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Appends bytes from outside in a form that is safe between double quotes in log lines and messages. The
 * result is valid UTF-8. Quotes, backslashes, control characters (C0, DEL, C1), bidirectional marks and the
 * separators U+2028 and U+2029 are escaped as in JSON.
 */
void utf8_append_escaped(struct buffer *out, struct slice text);

#endif
