/*
 * Encodes families and samples as delimited messages io.prometheus.client.MetricFamily. Pure; metrics/encoder
 * uses it.
 *
 * A message begins with its length, so it must be complete before it is sent. A message holds samples of as
 * many targets as fit. Only one message is in memory at a time.
 */
#ifndef METRICS_PROTOBUF_H
#define METRICS_PROTOBUF_H

#include "base/buffer.h"
#include "base/slice.h"
#include "metrics/family.h"
#include "metrics/histogram.h"
#include "metrics/series.h"
#include "metrics/summary.h"

/*
 * A message of this size is sent, and the family continues in another message of the same name. Prometheus
 * reads both and makes the same series. So a fleet can have any size, and a single family does not keep the
 * loop busy for long. One sample may exceed this size by a few kilobytes.
 */
#define PROTOBUF_MESSAGE_MAX (256 * 1024)

/* The labels of one sample: rendered labels, each may be empty. */
struct protobuf_labels {
    struct slice constant, target, own;
};

/* A Timestamp of whole seconds as a field: two keys, a length, and a varint of 32 bits in five bytes. */
#define PROTOBUF_SINCE_LEN 8

struct protobuf {
    const struct family *family; /* family of the current message, or NULL; borrowed */
    struct buffer message;       /* owned; the current message without its length; empty if there is none */
    struct buffer pairs;         /* owned; scratch memory for the labels of a sample */
    char since[PROTOBUF_SINCE_LEN]; /* time since which counters count, as a field of Counter */
    uint8_t since_len;              /* 0: not known */
    uint8_t number_since;           /* bytes of it in each number of the current message */
};

/* Allocates nothing. */
void protobuf_init(struct protobuf *protobuf);
void protobuf_deinit(struct protobuf *protobuf);

/*
 * Sets since when the counters that follow count, in seconds since the unix epoch; 0: not known. It is a
 * field of Counter, which samples of METRIC_COUNTER have.
 */
void protobuf_set_since(struct protobuf *protobuf, uint32_t since);

/*
 * Adds one sample to the current message. Appends a message to `out` if it is full or belongs to another
 * family. The family's name is used unchanged, also for counters.
 */
void protobuf_number(struct protobuf *protobuf, const struct family *family,
                     const struct protobuf_labels *labels, double value, struct buffer *out);

/*
 * Returns rendered labels as label_pairs_append writes them, valid until the next sample. The data is NULL
 * only if out of memory.
 */
struct slice protobuf_pairs(struct protobuf *protobuf, struct slice labels);

/* The same for a series in the form SERIES_METRIC. `target` holds labels as protobuf_pairs returns them. */
void protobuf_series(struct protobuf *protobuf, const struct family *family, const struct series *series,
                     struct slice target, uint32_t number, double value, struct buffer *out);

/* The same for samples of several values. */
void protobuf_histogram(struct protobuf *protobuf, const struct family *family,
                        const struct protobuf_labels *labels, const struct histogram_view *view,
                        struct buffer *out);
void protobuf_summary(struct protobuf *protobuf, const struct family *family,
                      const struct protobuf_labels *labels, const struct summary_view *view,
                      struct buffer *out);

/*
 * Ends the current message, if there is one, and appends it to `out`. If there was no memory for the message,
 * out->failed is set.
 */
void protobuf_flush(struct protobuf *protobuf, struct buffer *out);

#endif
