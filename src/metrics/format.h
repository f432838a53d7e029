/*
 * What a format does with families and samples: one table of operations for each. For metrics/encoder alone,
 * which asks the table of its format whenever the filter takes the family.
 */
#ifndef METRICS_FORMAT_H
#define METRICS_FORMAT_H

#include "metrics/encoder.h"

/*
 * Each writes to encoder->out, of encoder->family. `target_labels` and `labels` are rendered sets, and
 * encoder->constant_labels go before them.
 */
struct format_operations {
    /* What goes before the first sample of a family, as far as it can be written ahead. */
    void (*append_head)(const struct family *family, enum format format, struct buffer *out);

    /* Before lines are written by templates; NULL in a format that has none. */
    void (*begin_lines)(struct encoder *encoder);

    /* One sample, whose value is given as text, as a counter, or as a number. */
    void (*write_line)(struct encoder *encoder, struct slice target_labels, struct slice labels,
                       struct slice value);
    void (*write_u64)(struct encoder *encoder, struct slice target_labels, struct slice labels,
                      uint64_t value);
    void (*write_double)(struct encoder *encoder, struct slice target_labels, struct slice labels,
                         double value);

    void (*write_histogram)(struct encoder *encoder, struct slice target_labels, struct slice labels,
                            const struct histogram_view *view);
    void (*write_summary)(struct encoder *encoder, struct slice target_labels, struct slice labels,
                          const struct summary_view *view);

    /* Before another family is announced; encoder->family is NULL before the first. */
    void (*end_family)(struct encoder *encoder);

    /* The last call; end_family comes before it. */
    void (*end_exposition)(struct encoder *encoder);
};

extern const struct format_operations text_operations;     /* of FORMAT_TEXT and FORMAT_OPENMETRICS */
extern const struct format_operations protobuf_operations; /* of FORMAT_PROTOBUF */

#endif
