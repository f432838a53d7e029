/*
 * Encodes families and samples as an exposition. Pure; knows no collector and no output.
 *
 * The caller announces a family and then writes its samples. HELP and TYPE are written with the first sample,
 * so a family without samples writes nothing. Prometheus stores a sample under the same name whatever the
 * format.
 */
#ifndef METRICS_ENCODER_H
#define METRICS_ENCODER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "metrics/family.h"
#include "metrics/histogram.h"
#include "metrics/labels.h"
#include "metrics/protobuf.h"
#include "metrics/series.h"
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
    const struct format_operations *operations; /* functions of `format` */
    enum series_form form;                      /* form of the series that the format takes */
    struct buffer *out;                         /* borrowed */
    struct slice constant_labels;               /* constant labels of the current collector; borrowed */
    bool filters; /* true if only families that have a name in `names` are wanted */
    struct set names;
    bool filter_failed;             /* true if there was no memory for `names` */
    const struct family *family;    /* the announced family, or NULL; borrowed */
    bool muted;                     /* true if the filter excludes the family */
    bool announced;                 /* true if the family's head is written, or it needs none */
    const struct family_head *head; /* prepared head of the family, or NULL; borrowed */
    struct slice name;              /* name of the announced family */
    bool created_lines;       /* true if OpenMetrics has a line _created for counters; set by the owner */
    uint32_t since;           /* see encoder_set_since */
    struct protobuf protobuf; /* message in progress for FORMAT_PROTOBUF; empty in other formats */
};

/*
 * Initialises an encoder. `filter` lists names of samples, each ended by NUL; only families with one of these
 * names are written. An empty filter allows all families. `filter` is borrowed. If there is no memory for it,
 * the output fails at the first family.
 */
void encoder_init(struct encoder *encoder, enum format format, struct slice filter);

/* Releases the filter and the message of FORMAT_PROTOBUF. */
void encoder_deinit(struct encoder *encoder);

/* Sets the output from now on. An exposition is written in pieces, possibly to several buffers. */
void encoder_set_out(struct encoder *encoder, struct buffer *out);

/* Announces the family of the samples that follow. Announcing the current family again does nothing. */
void encoder_family(struct encoder *encoder, const struct family *family);

/*
 * The prepared head of a family: the text before its first sample, for each format. A text is empty if the
 * format has no head or there was no memory. In the second case, the head is rendered each time.
 */
struct family_head {
    struct slice text[FORMAT_COUNT];
};

/* Announces a family with a prepared head. For collectors with some hundred families. */
void encoder_family_ready(struct encoder *encoder, const struct family *family,
                          const struct family_head *head);

/* Appends the head of a family. Appends nothing if the format has no heads. */
void family_append_head(const struct family *family, enum format format, struct buffer *out);

/*
 * Writes one sample of a counter, gauge, info, state set or unknown. `target_labels` and `labels` are
 * rendered labels that follow the constant labels. `value` is a number as text, see base/number.h.
 */
void encoder_sample(struct encoder *encoder, struct slice target_labels, struct slice labels,
                    struct slice value);

void encoder_sample_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value);
void encoder_sample_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value);

/*
 * Sets since when the counters of the samples that follow count, in seconds since the unix epoch; 0: not
 * known. Protobuf has it in each counter. OpenMetrics has it in lines of their own, see encoder_run_created.
 */
void encoder_set_since(struct encoder *encoder, uint32_t since);

/* --- Samples of series that are rendered, see metrics/series.h --- */

/*
 * Returns the labels of a target in the form in which samples of series take them: rendered labels, or bytes
 * made of them. SLICE_BLOCKS readable bytes follow. The memory is from `arena`. Sets out->failed if out of
 * memory.
 */
struct slice encoder_target_labels(struct encoder *encoder, struct slice labels, struct arena *arena);

/*
 * Samples of the announced family, which are written one after the other: between begin and end, nothing else
 * may be written to the encoder. There must be no constant labels, and the family must be wanted.
 */
struct encoder_run {
    struct encoder *encoder;
    size_t most, bytes; /* as begin was told */
    /*
     * Lines: the free room of the output; none before the head of the family is written. At any place before
     * `limit`, `most` bytes fit and `bytes` are not reached, so that a caller may write them by itself.
     */
    char *at, *limit, *end;
};

/* Begins a run of lines with at most `most` bytes each, nearly always, until the output has `bytes`. */
struct encoder_run encoder_run_begin(struct encoder *encoder, size_t most, size_t bytes);
void encoder_run_end(struct encoder_run run);

/* Returns the bytes in the output so far. */
static inline size_t encoder_run_length(struct encoder_run run)
{
    return run.at ? (size_t) (run.at - run.encoder->out->data) : run.encoder->out->len;
}

/* Returns false once the output has the bytes of encoder_run_begin. */
static inline bool encoder_run_goes_on(struct encoder_run run)
{
    return run.at < run.limit || encoder_run_length(run) < run.bytes;
}

/* Makes room for a line of `most` bytes. Returns false if the output has its bytes, or has failed. */
bool encoder_run_renew(struct encoder_run *run);

/* Writes one sample of a series as a Metric. For SERIES_METRIC. */
void encoder_run_metric(struct encoder *encoder, const struct series *series, struct slice target,
                        uint32_t number, struct slice value);

/*
 * Writes one sample of a series. `target` is from encoder_target_labels. `value` is a number as text, with
 * SLICE_BLOCK readable bytes behind it.
 */
void encoder_run_sample(struct encoder_run *run, const struct series *series, struct slice target,
                        uint32_t number, struct slice value);

/*
 * Writes the line _created behind a sample of a series, which has the same labels, if the owner of the
 * encoder wants such lines and the time is known. For FORMAT_OPENMETRICS.
 */
void encoder_run_created(struct encoder_run *run, const struct series *series, struct slice target,
                         uint32_t number);

/* --- Samples of several values --- */

/* Writes all samples of one histogram, or of one gauge histogram, depending on the family. */
void encoder_histogram(struct encoder *encoder, struct slice target_labels, struct slice labels,
                       const struct histogram_view *view);

/* Writes all samples of one summary. */
void encoder_summary(struct encoder *encoder, struct slice target_labels, struct slice labels,
                     const struct summary_view *view);

/* Ends the exposition: writes "# EOF" in OpenMetrics, the last family's message in protobuf. */
void encoder_finish(struct encoder *encoder);

#endif
