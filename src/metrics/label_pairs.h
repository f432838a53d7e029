/*
 * Labels as protobuf has them: each is a message LabelPair, in field 1 of a Metric or an Exemplar. Pure.
 *
 * Facts: io/prometheus/client/metrics.proto in https://github.com/prometheus/client_model.
 */
#ifndef METRICS_LABEL_PAIRS_H
#define METRICS_LABEL_PAIRS_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends each of the rendered labels (metrics/labels.h). */
void label_pairs_append(struct buffer *out, struct slice labels);

/* Appends a label whose value is a number, in the form of the labels le and quantile in the text formats. */
void label_pairs_append_float(struct buffer *out, struct slice name, double value);

/*
 * Appends a label whose value is missing. label_pairs_put_value completes a copy of it. The name is a short
 * constant of the program.
 */
void label_pairs_append_name(struct buffer *out, struct slice name);

/*
 * Completes a label without its value, which ends at `at`. `name_len` is the length of its name, `value` is
 * of at most 20 digits, for which there must be room. Returns the position behind the label.
 */
static inline char *label_pairs_put_value(char *at, size_t name_len, struct slice value)
{
    /* Behind its key, a LabelPair has its length, two bytes before the name, the name, and two bytes. */
    at[-(ptrdiff_t) (1 + 2 + name_len + 2)] += (char) value.len;
    at[-1] = (char) value.len;
    return slice_put_few(at, value);
}

#endif
