/*
 * Turns an exposition in text format 0.0.4 into messages of Prometheus' remote write 1.0. So both have the
 * same series, which also holds for the buckets of histograms. Pure.
 *
 * A message, WriteRequest, has a bounded number of series. Series that the exposition before had and this
 * one has not get a staleness marker in the last messages, as a scrape gives them. For this, the labels of
 * all series are remembered.
 *
 * Facts: https://prometheus.io/docs/specs/prw/remote_write_spec/, and prompb/remote.proto and types.proto in
 * https://github.com/prometheus/prometheus.
 */
#ifndef METRICS_REMOTE_WRITE_H
#define METRICS_REMOTE_WRITE_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most series in a message, and most labels of a series; a series with more is left out. */
#define REMOTE_WRITE_SERIES 2000
#define REMOTE_WRITE_LABELS 64

/* Most series, and most bytes of labels, that are remembered. What is beyond gets no staleness markers. */
#define REMOTE_WRITE_REMEMBERED (4u * 1024 * 1024)
#define REMOTE_WRITE_TEXT_MAX   (512u * 1024 * 1024)

/* A label that a series gets if it has none of that name. Borrowed; the value is not escaped. */
struct remote_write_label {
    const char *name, *value;
};

struct remembered_series;

/* Initialise with remote_write_init. */
struct remote_write {
    const struct remote_write_label *labels; /* borrowed */
    size_t label_count;
    int64_t timestamp_ms; /* of all samples of the current exposition */
    size_t series;        /* number of series in the current message */
    unsigned skipped;     /* lines that could not be read, since the start */

    struct remembered_series *table; /* owned; open addressing */
    size_t table_size, table_used;
    struct buffer texts;    /* labels of the remembered series, as in a message */
    struct buffer labelled; /* labels of the current series */
    uint32_t round;         /* number of the current exposition */
    size_t swept;           /* how far the table was searched for stale series */
    bool has_stale;
};

void remote_write_init(struct remote_write *write, const struct remote_write_label *labels, size_t count);
void remote_write_deinit(struct remote_write *write);

/* Begins an exposition. */
void remote_write_begin(struct remote_write *write, int64_t timestamp_ms);

/*
 * Takes whole lines off `text` and appends their series to the message in `out`, until the message is full or
 * there is no whole line left. Returns true if the message is full: the next call needs an empty `out`.
 */
bool remote_write_take(struct remote_write *write, struct slice *text, struct buffer *out);

/*
 * After the last line: appends staleness markers. Returns true if the message is full, as above; false if
 * all are written, and the exposition has ended. Not to be called if the exposition has broken off.
 */
bool remote_write_end(struct remote_write *write, struct buffer *out);

#endif
