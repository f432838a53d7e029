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
    QUERY_NO_MEMORY,
};

/*
 * Removes the next pair from `rest` and decodes it. '&' separates pairs, and '+' means a blank. Empty pairs
 * are skipped; a pair without '=' has an empty value. The decoded bytes are appended to `storage`, and `name`
 * and `value` point into it. `storage` must be empty at the first call for a query: then room for the whole
 * query is reserved, so that earlier names and values stay where they are. Its cap must be as long as that.
 */
enum query_outcome query_next(struct slice *rest, struct buffer *storage, struct slice *name,
                              struct slice *value);

/*
 * Decodes a path and appends it to `out`. '+' stays as it is. Returns false if an escape is malformed, as in
 * QUERY_MALFORMED.
 */
bool path_decode(struct slice path, struct buffer *out);

#endif
