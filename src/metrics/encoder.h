/*
 * Families and samples to the bytes of an exposition. Pure; knows no collector and no sink.
 *
 * A caller announces a family and writes its samples; HELP and TYPE leave with the first sample, so that a
 * family without samples leaves no trace. The name under which Prometheus stores a sample is the same in
 * every format.
 */
#ifndef METRICS_ENCODER_H
#define METRICS_ENCODER_H

#include "base/buffer.h"
#include "base/slice.h"
#include "metrics/family.h"
#include "metrics/histogram.h"
#include "metrics/labels.h"
#include "metrics/line_template.h"
#include "metrics/protobuf.h"
#include "metrics/summary.h"

#include <stdbool.h>

enum format {
    FORMAT_TEXT, /* Prometheus text 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
    FORMAT_OPENMETRICS, /* OpenMetrics text 1.0.0: https://github.com/prometheus/OpenMetrics, specification */
    FORMAT_PROTOBUF,    /* delimited io.prometheus.client.MetricFamily: metrics/protobuf.h */
    FORMAT_COUNT,
};

struct format_operations; /* metrics/format.h */

struct encoder {
    enum format format;
    const struct format_operations *operations; /* of that format */
    struct buffer *out;                         /* borrowed */
    struct slice constant_labels;               /* of the collector at work; borrowed */
    bool filters; /* not all families are wanted, but those that have a name of these: */
    struct set names;
    bool filter_failed;             /* there was no memory for them */
    const struct family *family;    /* announced, borrowed */
    bool muted;                     /* the filter does not take it */
    bool announced;                 /* its HELP and TYPE are written */
    const struct family_head *head; /* of the family, or NULL; borrowed */
    struct slice name;              /* of the announced family */
    struct protobuf protobuf;       /* what is gathered in that format; empty in the others */
};

/* `filter` chooses families by the names of their samples, each ended by NUL; an empty one takes all.
 * Borrowed. Without memory for it, the output has failed at the first family. */
void encoder_init(struct encoder *encoder, enum format format, struct slice filter);

/* Releases the filter, and what FORMAT_PROTOBUF gathers. */
void encoder_deinit(struct encoder *encoder);

/* The bytes go here from now on; an exposition is written in pieces. */
void encoder_set_out(struct encoder *encoder, struct buffer *out);

/* The samples that follow belong to this family. Announcing the same one again is free. */
void encoder_family(struct encoder *encoder, const struct family *family);

/*
 * What goes before a family's first sample, written ahead for each format. Empty where a format has no head,
 * or where there was no memory for it: the text is then written each time.
 */
struct family_head {
    struct slice text[FORMAT_COUNT];
};

/* The same for a family whose head is written once and for all, as a collector of some hundred does. */
void encoder_family_ready(struct encoder *encoder, const struct family *family,
                          const struct family_head *head);

/* Appends the head of a family in that format; nothing where a format has none. */
void family_append_head(const struct family *family, enum format format, struct buffer *out);

/*
 * One sample of a counter, gauge, info, state set or unknown. `target_labels` and `labels` are rendered sets
 * that are joined behind the constant ones; `value` is a number as text, see base/number.h.
 */
void encoder_sample(struct encoder *encoder, struct slice target_labels, struct slice labels,
                    struct slice value);

/*
 * Where samples of the announced family may be written as lines, by templates of its name; for a caller that
 * has at least one, since the family's head is written. NULL where the format has no lines of this kind.
 */
struct buffer *encoder_lines(struct encoder *encoder);

void encoder_sample_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value);
void encoder_sample_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value);

/* All samples of one histogram, or of one gauge histogram, as the family says. */
void encoder_histogram(struct encoder *encoder, struct slice target_labels, struct slice labels,
                       const struct histogram_view *view);

/* All samples of one summary. */
void encoder_summary(struct encoder *encoder, struct slice target_labels, struct slice labels,
                     const struct summary_view *view);

/* What ends the exposition: "# EOF" in OpenMetrics, the last family's message in protobuf. */
void encoder_finish(struct encoder *encoder);

#endif
