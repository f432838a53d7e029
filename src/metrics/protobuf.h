/*
 * Families and samples as delimited messages io.prometheus.client.MetricFamily. Pure; an encoder drives it.
 *
 * A message begins with its length, so it is complete before it is sent. It holds the samples of as many
 * targets as fit. Only one message is in memory at a time.
 */
#ifndef METRICS_PROTOBUF_H
#define METRICS_PROTOBUF_H

#include "base/buffer.h"
#include "base/slice.h"
#include "metrics/family.h"
#include "metrics/histogram.h"
#include "metrics/summary.h"

/*
 * A message that has grown so far leaves, and the family goes on in another one of its name. Prometheus reads
 * one after the other and makes the same series of them; so no fleet is too large, and the loop is not kept
 * for long by a single family. One sample goes over it by some kilobytes at most.
 */
#define PROTOBUF_MESSAGE_MAX (256 * 1024)

/* The labels of one sample: rendered sets, any of them may be empty. */
struct protobuf_labels {
    struct slice constant, target, own;
};

struct protobuf {
    const struct family *family; /* of the message at hand, or NULL; borrowed */
    struct buffer message;       /* owned; without its length; empty if it is not begun */
};

/* Allocates nothing. */
void protobuf_init(struct protobuf *protobuf);
void protobuf_deinit(struct protobuf *protobuf);

/* One sample; a message that is ended by it goes to `out`. A counter's exposition has its family's whole
 * name. */
void protobuf_number(struct protobuf *protobuf, const struct family *family,
                     const struct protobuf_labels *labels, double value, struct buffer *out);
void protobuf_histogram(struct protobuf *protobuf, const struct family *family,
                        const struct protobuf_labels *labels, const struct histogram_view *view,
                        struct buffer *out);
void protobuf_summary(struct protobuf *protobuf, const struct family *family,
                      const struct protobuf_labels *labels, const struct summary_view *view,
                      struct buffer *out);

/* Ends the message at hand, if there is one. Without memory for it `out` has failed. */
void protobuf_flush(struct protobuf *protobuf, struct buffer *out);

#endif
