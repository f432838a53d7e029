/*
 * Compresses in Snappy's block format, which Prometheus' remote write requires. Pure.
 *
 * The format: the length of the text, then literals and copies of earlier bytes. Facts:
 * https://github.com/google/snappy/blob/main/format_description.txt.
 */
#ifndef BASE_SNAPPY_H
#define BASE_SNAPPY_H

#include "base/buffer.h"
#include "base/slice.h"

/* The longest text that can be compressed. */
#define SNAPPY_TEXT_MAX (64u * 1024 * 1024)

/* Appends the compressed text, at most SNAPPY_TEXT_MAX bytes (asserted). If memory runs out, `out` fails. */
void snappy_append(struct buffer *out, struct slice text);

#endif
