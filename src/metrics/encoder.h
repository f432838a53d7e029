/*
 * Families and samples to the bytes of an exposition. Pure; knows no collector and no sink.
 *
 * A caller announces a family and writes its samples; HELP and TYPE leave with the first sample, so that a
 * family without samples leaves no trace. Format: Prometheus text 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
#ifndef METRICS_ENCODER_H
#define METRICS_ENCODER_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_UNKNOWN,
    METRIC_INFO,      /* the labels are the message, the value is 1 */
    METRIC_STATE_SET, /* one sample for each state, its label named as the family */
};

/* Static data: names are valid by construction (a test checks every table). */
struct family {
    const char *name;
    const char *help; /* no newline, no backslash */
    enum metric_type type;
};

/*
 * Labels as they stand between the braces of a sample: a="1",b="2". Rendered once, where they are made; the
 * encoder only joins them. Empty sets are "".
 */
void labels_append(struct buffer *labels, const char *name, struct slice value);

struct encoder {
    struct buffer *out;          /* borrowed */
    const struct family *family; /* announced, borrowed */
    bool announced;              /* its HELP and TYPE are written */
};

/* Content-Type of what it writes. */
extern const char encoder_content_type[];

void encoder_init(struct encoder *encoder);

/* The bytes go here from now on; an exposition is written in pieces. */
void encoder_set_out(struct encoder *encoder, struct buffer *out);

/* The samples that follow belong to this family. Announcing the same one again is free. */
void encoder_family(struct encoder *encoder, const struct family *family);

/*
 * One sample. `labels` are up to two rendered sets that are joined (a target's and the sample's own); `value`
 * is a number as text, see base/number.h.
 */
void encoder_sample(struct encoder *encoder, struct slice target_labels, struct slice labels,
                    struct slice value);

void encoder_sample_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value);
void encoder_sample_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value);

#endif
