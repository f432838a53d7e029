/* Turns bytes from outside into valid UTF-8, which label values, log lines and messages must be. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Length of the well-formed sequence that the slice begins with (Unicode 15, table
 * 3-7: no overlong forms, no surrogates), or 0 if its first byte begins none. The
 * slice must not be empty.
 */
size_t utf8_sequence(struct slice text);

/* Whether the whole text is such sequences; the empty one is. */
bool utf8_is_valid(struct slice text);

/* The replacement character U+FFFD, which stands in for every invalid byte. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Appends bytes from outside in a form that a log line or a message may hold between double quotes: valid
 * UTF-8, with JSON's escapes for quotes, backslashes, control characters (C0, DEL, C1), marks that turn the
 * direction of writing, and the separators U+2028 and U+2029.
 */
void utf8_append_escaped(struct buffer *out, struct slice text);

#endif
