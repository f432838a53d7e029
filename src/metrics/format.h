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

    /* The form in which samples of series are written, see struct encoder_run. */
    enum series_form form;

    /* For lines, else NULL: writes the head of the family and sets encoder->announced. */
    void (*announce)(struct encoder *encoder);

    /* For Metrics, else NULL: writes a sample. */
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
