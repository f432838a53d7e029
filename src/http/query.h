/* The query of a URL: pairs of name and value, percent-decoded. Pure. */
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
 * Takes the next pair off `rest` (separator '&', '+' is a blank, empty pairs are skipped, a pair without '='
 * has an empty value). The decoded bytes are appended to `storage`, and name and value point into it: the
 * caller gives it room for as many bytes as the query has, so that it never moves (asserted).
 */
enum query_outcome query_next(struct slice *rest, struct buffer *storage, struct slice *name,
                              struct slice *value);

/* Decodes a path, where '+' is itself, by appending to `out`. False when malformed as above. */
bool path_decode(struct slice path, struct buffer *out);

#endif
