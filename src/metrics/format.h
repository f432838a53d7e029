/*
 * The functions of an output format, one table for each format. Only metrics/encoder uses the tables, for
 * families that the filter does not exclude.
 */
#ifndef METRICS_FORMAT_H
#define METRICS_FORMAT_H

#include "metrics/encoder.h"

/*
 * Each function writes samples of encoder->family to encoder->out. `target_labels` and `labels` are rendered
 * labels that follow encoder->constant_labels.
 */
struct format_operations {
    /* Appends the prepared head of a family: the text before its first sample. */
    void (*append_head)(const struct family *family, enum format format, struct buffer *out);

    /*
     * For samples of series in the form `form`: begins the family, makes the labels of a target, writes a
     * sample. For lines the last two are NULL: metrics/encoder.h writes lines, with labels as they are.
     */
    enum series_form form;
    void (*begin_series)(struct encoder *encoder);
    struct slice (*make_target)(struct encoder *encoder, struct slice labels, struct arena *arena);
    void (*write_series)(struct encoder *encoder, const struct series *series, struct slice target,
                         uint32_t number, struct slice value);

    /* Write one sample. The value is a text, an unsigned number or a double. */
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

    /* Called before another family is announced. encoder->family is NULL before the first one. */
    void (*end_family)(struct encoder *encoder);

    /* Called last, after end_family. */
    void (*end_exposition)(struct encoder *encoder);
};

extern const struct format_operations text_operations;     /* for FORMAT_TEXT and FORMAT_OPENMETRICS */
extern const struct format_operations protobuf_operations; /* for FORMAT_PROTOBUF */

#endif
