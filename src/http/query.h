/* Parses the query of a URL: pairs of name and value, percent-decoded. Pure. */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

enum query_outcome {
    QUERY_PAIR,
    QUERY_END,
    QUERY_MALFORMED, /* a '%' without two hexadecimal digits, or an escape for NUL */
};

/*
 * Removes the next pair from `rest` and decodes it. '&' separates pairs, and '+' means a blank. Empty pairs
 * are skipped; a pair without '=' has an empty value. The decoded bytes are appended to `storage`, and `name`
 * and `value` point into it. The caller must reserve as many bytes as the query has, so that `storage` never
 * moves (asserted).
 */
enum query_outcome query_next(struct slice *rest, struct buffer *storage, struct slice *name,
                              struct slice *value);

/*
 * Decodes a path and appends it to `out`. '+' stays as it is. Returns false if an escape is malformed, as in
 * QUERY_MALFORMED.
 */
bool path_decode(struct slice path, struct buffer *out);

#endif
