/*
 * An own encoder, because the schema is small. Only the fields below are written. Their numbers are from
 * io/prometheus/client/metrics.proto in https://github.com/prometheus/client_model.
 */
#include "metrics/protobuf.h"

#include "base/digits.h"
#include "metrics/label_pairs.h"
#include "metrics/native.h"
#include "metrics/wire.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FAMILY_NAME = 1, FAMILY_HELP = 2, FAMILY_TYPE = 3, FAMILY_METRIC = 4, FAMILY_UNIT = 5 };
enum {
    METRIC_FIELD_GAUGE = 2,
    METRIC_FIELD_COUNTER = 3,
    METRIC_FIELD_SUMMARY = 4,
    METRIC_FIELD_UNTYPED = 5,
    METRIC_FIELD_HISTOGRAM = 7,
};
enum { NUMBER_VALUE = 1, COUNTER_CREATED = 3 }; /* field numbers in Gauge, Counter and Untyped */
enum { SUMMARY_COUNT = 1, SUMMARY_SUM = 2, SUMMARY_QUANTILE = 3, SUMMARY_CREATED = 4 };
enum { QUANTILE_QUANTILE = 1, QUANTILE_VALUE = 2 };
enum {
    HISTOGRAM_COUNT = 1,
    HISTOGRAM_SUM = 2,
    HISTOGRAM_BUCKET = 3,
    HISTOGRAM_SCHEMA = 5,
    HISTOGRAM_ZERO_THRESHOLD = 6,
    HISTOGRAM_ZERO_COUNT = 7,
    HISTOGRAM_POSITIVE_SPAN = 12,
    HISTOGRAM_POSITIVE_DELTA = 13,
    HISTOGRAM_CREATED = 15,
};
enum { BUCKET_COUNT = 1, BUCKET_BOUND = 2, BUCKET_EXEMPLAR = 3 };
enum { SPAN_OFFSET = 1, SPAN_LENGTH = 2 };
enum { EXEMPLAR_VALUE = 2, EXEMPLAR_TIMESTAMP = 3 };
enum { TIMESTAMP_SECONDS = 1, TIMESTAMP_NANOS = 2 }; /* google.protobuf.Timestamp */

/* The MetricType of a type, and the number of its field in Metric. The schema has no infos and state sets. */
struct kind {
    unsigned type, field;
};

static const struct kind kinds[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = {0, METRIC_FIELD_COUNTER},         [METRIC_GAUGE] = {1, METRIC_FIELD_GAUGE},
    [METRIC_NAMED_COUNTER] = {0, METRIC_FIELD_COUNTER},   [METRIC_INFO] = {1, METRIC_FIELD_GAUGE},
    [METRIC_STATE_SET] = {1, METRIC_FIELD_GAUGE},         [METRIC_SUMMARY] = {2, METRIC_FIELD_SUMMARY},
    [METRIC_UNKNOWN] = {3, METRIC_FIELD_UNTYPED},         [METRIC_HISTOGRAM] = {4, METRIC_FIELD_HISTOGRAM},
    [METRIC_GAUGE_HISTOGRAM] = {3, METRIC_FIELD_UNTYPED}, /* one Metric for each bucket */
};

/* --- Messages --- */

void protobuf_init(struct protobuf *protobuf)
{
    *protobuf = (struct protobuf){0};
    /* Leaves space for the sample that exceeds PROTOBUF_MESSAGE_MAX. */
    buffer_init(&protobuf->message, 2 * PROTOBUF_MESSAGE_MAX);
    buffer_init(&protobuf->pairs, PROTOBUF_MESSAGE_MAX);
}

void protobuf_deinit(struct protobuf *protobuf)
{
    buffer_deinit(&protobuf->message);
    buffer_deinit(&protobuf->pairs);
}

void protobuf_flush(struct protobuf *protobuf, struct buffer *out)
{
    struct buffer *message = &protobuf->message;
    if (!protobuf->family) return;
    protobuf->family = NULL;
    if (message->failed) {
        out->failed = true;
    } else {
        wire_append_varint(out, message->len);
        buffer_append_slice(out, buffer_slice(message));
    }
    buffer_clear(message);
}

/* Sets how many bytes of `since` a number of the current message has. */
static inline void choose_since(struct protobuf *protobuf)
{
    bool is_counter = protobuf->family && protobuf->family->type == METRIC_COUNTER;
    protobuf->number_since = is_counter ? protobuf->since_len : 0;
}

/* Begins the message of a family. Sends the message of another family first. */
static void begin_message(struct protobuf *protobuf, const struct family *family, struct buffer *out)
{
    struct buffer *message = &protobuf->message;
    bool buckets = family->type == METRIC_GAUGE_HISTOGRAM;
    /* Readers require that the unit is the end of the name. */
    const char *unit = buckets ? "" : family_unit(family);
    protobuf_flush(protobuf, out);
    protobuf->family = family;
    choose_since(protobuf);
    size_t name = wire_begin(message, FAMILY_NAME);
    buffer_append_string(message, family->name);
    if (buckets) buffer_append_string(message, "_bucket");
    wire_end(message, name);
    wire_put_string(message, FAMILY_HELP, slice_of(family->help));
    wire_put_uint(message, FAMILY_TYPE, kinds[family->type].type);
    if (*unit) wire_put_string(message, FAMILY_UNIT, slice_of(unit));
}

/* Does the same unless the current message belongs to the family. */
static inline void begin_sample(struct protobuf *protobuf, const struct family *family, struct buffer *out)
{
    if (protobuf->family != family) begin_message(protobuf, family, out);
}

static inline void end_sample(struct protobuf *protobuf, struct buffer *out)
{
    const struct buffer *message = &protobuf->message;
    if (message->failed || message->len >= PROTOBUF_MESSAGE_MAX) protobuf_flush(protobuf, out);
}

/* --- Metrics --- */

/* A Metric that is being written, with the offsets where its open parts begin. */
struct metric {
    struct buffer *message; /* borrowed */
    size_t begin, value;
};

static void append_pairs(struct buffer *out, const struct protobuf_labels *labels)
{
    label_pairs_append(out, labels->constant);
    label_pairs_append(out, labels->target);
    label_pairs_append(out, labels->own);
}

/* Begins a Metric and writes its labels. The caller may add more labels. */
static struct metric begin_metric(struct protobuf *protobuf, const struct protobuf_labels *labels)
{
    struct buffer *message = &protobuf->message;
    struct metric metric = {.message = message, .begin = wire_begin(message, FAMILY_METRIC)};
    append_pairs(message, labels);
    return metric;
}

static void begin_value(struct protobuf *protobuf, struct metric *metric)
{
    metric->value = wire_begin(metric->message, kinds[protobuf->family->type].field);
}

static void end_metric(struct metric metric)
{
    wire_end(metric.message, metric.value);
    wire_end(metric.message, metric.begin);
}

/*
 * Writes a time in seconds since the unix epoch, rounded to milliseconds as in the text formats. Writes
 * nothing if `time` is 0: not known.
 */
static void put_time(struct buffer *message, unsigned field, double time)
{
    if (!(time > 0)) return;
    uint64_t ms = (uint64_t) (time * 1000 + 0.5);
    size_t begin = wire_begin(message, field);
    wire_put_uint(message, TIMESTAMP_SECONDS, ms / 1000);
    wire_put_uint(message, TIMESTAMP_NANOS, ms % 1000 * 1000000);
    wire_end(message, begin);
}

/* --- Numbers --- */

/* A key and eight bytes. */
#define DOUBLE_LEN 9

/* A Counter, Gauge or Untyped with its key and its length, without the time since which it counts. */
#define NUMBER_LEN (2 + DOUBLE_LEN)

/* Bytes of the varint in protobuf->since: all that 32 bits can take, as times since 1978 do. */
#define SINCE_VARINT_LEN (PROTOBUF_SINCE_LEN - 3)

/* Most bytes of a Metric's key and length. */
#define METRIC_HEAD_MAX (1 + WIRE_VARINT_MAX)

void protobuf_set_since(struct protobuf *protobuf, uint32_t since)
{
    uint64_t rest = since;
    char *at = wire_short_begin(protobuf->since, COUNTER_CREATED, 1 + SINCE_VARINT_LEN);
    *at++ = TIMESTAMP_SECONDS << 3;
    for (unsigned n = 1; n < SINCE_VARINT_LEN; n++, rest >>= 7) *at++ = (char) (rest | 0x80);
    *at = (char) rest;
    protobuf->since_len = since ? PROTOBUF_SINCE_LEN : 0;
    choose_since(protobuf);
}

/*
 * Begins a Metric whose labels take `len` bytes and whose value is a number. Reserves `spare` more bytes.
 * Returns the place of the labels, or NULL if there is no memory.
 */
static inline char *begin_number(struct protobuf *protobuf, size_t len, size_t spare)
{
    len += NUMBER_LEN + protobuf->number_since;
    char *at = buffer_reserve(&protobuf->message, METRIC_HEAD_MAX + len + PROTOBUF_SINCE_LEN + spare);
    if (!at) return NULL;
    *at = FAMILY_METRIC << 3 | 2;
    return wire_put_varint(at + 1, len);
}

/* Writes the value behind the labels, which end at `at`, and so ends the Metric. */
static inline void end_number(struct protobuf *protobuf, char *at, double value)
{
    size_t since = protobuf->number_since;
    at = wire_short_begin(at, kinds[protobuf->family->type].field, DOUBLE_LEN + since);
    at = wire_short_double(at, NUMBER_VALUE, value);
    memcpy(at, protobuf->since, PROTOBUF_SINCE_LEN);
    at += since;
    protobuf->message.len = (size_t) (at - protobuf->message.data);
}

struct slice protobuf_pairs(struct protobuf *protobuf, struct slice labels)
{
    struct buffer *pairs = &protobuf->pairs;
    buffer_clear(pairs);
    label_pairs_append(pairs, labels);
    if (pairs->failed) return (struct slice){NULL, 0};
    return pairs->len ? buffer_slice(pairs) : SLICE("");
}

/* Writes a Metric with labels that are ready in protobuf->pairs. */
static void put_number(struct protobuf *protobuf, double value)
{
    struct slice pairs = buffer_slice(&protobuf->pairs);
    char *at = protobuf->pairs.failed ? NULL : begin_number(protobuf, pairs.len, 0);
    if (at)
        end_number(protobuf, pairs.len ? slice_put(at, pairs) : at, value);
    else
        protobuf->message.failed = true;
}

void protobuf_number(struct protobuf *protobuf, const struct family *family,
                     const struct protobuf_labels *labels, double value, struct buffer *out)
{
    begin_sample(protobuf, family, out);
    buffer_clear(&protobuf->pairs);
    append_pairs(&protobuf->pairs, labels);
    put_number(protobuf, value);
    end_sample(protobuf, out);
}

void protobuf_series(struct protobuf *protobuf, const struct family *family, const struct series *series,
                     struct slice target, uint32_t number, double value, struct buffer *out)
{
    char memory[DIGITS_MAX];
    struct slice digits = series->number_len ? digits_of(number, memory) : SLICE("");
    size_t labels = target.len + series->before_len + digits.len + series->after_len;
    begin_sample(protobuf, family, out);
    char *at = begin_number(protobuf, labels, SLICE_BLOCK);
    if (at) {
        at = slice_put_blocks(at, target);
        at = slice_put_blocks(at, (struct slice){series->text, series->before_len});
        if (series->number_len) {
            at = label_pairs_put_value(at, series->number_len, digits);
            at = slice_put_blocks(at, (struct slice){series->text + series->before_len, series->after_len});
        }
        end_number(protobuf, at, value);
    }
    end_sample(protobuf, out);
}

/* --- Summaries --- */

void protobuf_summary(struct protobuf *protobuf, const struct family *family,
                      const struct protobuf_labels *labels, const struct summary_view *view,
                      struct buffer *out)
{
    begin_sample(protobuf, family, out);
    struct metric metric = begin_metric(protobuf, labels);
    struct buffer *message = metric.message;
    begin_value(protobuf, &metric);
    wire_put_uint(message, SUMMARY_COUNT, view->observations);
    wire_put_double(message, SUMMARY_SUM, view->sum);
    for (size_t n = 0; n < view->count; n++) {
        size_t quantile = wire_begin(message, SUMMARY_QUANTILE);
        wire_put_double(message, QUANTILE_QUANTILE, view->quantiles[n]);
        wire_put_double(message, QUANTILE_VALUE, view->values[n]);
        wire_end(message, quantile);
    }
    put_time(message, SUMMARY_CREATED, view->created);
    end_metric(metric);
    end_sample(protobuf, out);
}

/* --- Histograms --- */

static void put_exemplar(struct buffer *message, const struct exemplar *exemplar)
{
    size_t begin = wire_begin(message, BUCKET_EXEMPLAR);
    label_pairs_append(message, (struct slice){exemplar->labels, exemplar->labels_len});
    wire_put_double(message, EXEMPLAR_VALUE, exemplar->value);
    put_time(message, EXEMPLAR_TIMESTAMP, exemplar->timestamp);
    wire_end(message, begin);
}

static double bound_of(const struct histogram_view *view, size_t bucket)
{
    return bucket < view->count ? view->bounds[bucket] : (double) INFINITY;
}

static void put_buckets(struct buffer *message, const struct histogram_view *view)
{
    uint64_t below = 0;
    for (size_t n = 0; n <= view->count; n++) {
        const struct exemplar *exemplar = view->exemplars ? &view->exemplars[n] : NULL;
        size_t bucket = wire_begin(message, HISTOGRAM_BUCKET);
        below += view->counts[n];
        wire_put_uint(message, BUCKET_COUNT, below);
        wire_put_double(message, BUCKET_BOUND, bound_of(view, n));
        if (exemplar && exemplar->timestamp > 0) put_exemplar(message, exemplar);
        wire_end(message, bucket);
    }
}

/*
 * Writes the runs of adjacent buckets. The offset of a run is its distance from the end of the previous run.
 * The first run's offset is its distance from bucket 0.
 */
static void put_spans(struct buffer *message, const struct native *native)
{
    int32_t end = 0;
    for (size_t n = 0; n < native->count;) {
        const struct native_bucket *first = &native->buckets[n];
        uint32_t length = 0;
        while (n < native->count && native->buckets[n].index == first->index + (int32_t) length) {
            length++;
            n++;
        }
        size_t span = wire_begin(message, HISTOGRAM_POSITIVE_SPAN);
        wire_put_sint(message, SPAN_OFFSET, first->index - end);
        wire_put_uint(message, SPAN_LENGTH, length);
        wire_end(message, span);
        end = first->index + (int32_t) length;
    }
}

/* Writes a native histogram. Readers recognise a native histogram without observations by its threshold. */
static void put_native(struct buffer *message, const struct native *native)
{
    uint64_t before = 0;
    wire_put_sint(message, HISTOGRAM_SCHEMA, native->schema);
    wire_put_double(message, HISTOGRAM_ZERO_THRESHOLD, NATIVE_ZERO_THRESHOLD);
    wire_put_uint(message, HISTOGRAM_ZERO_COUNT, native->zero_count);
    put_spans(message, native);
    for (size_t n = 0; n < native->count; n++) {
        uint64_t count = native->buckets[n].count;
        wire_put_sint(message, HISTOGRAM_POSITIVE_DELTA, (int64_t) (count - before));
        before = count;
    }
}

static uint64_t count_all(const struct histogram_view *view)
{
    uint64_t count = 0;
    for (size_t n = 0; n <= view->count; n++) count += view->counts[n];
    return count;
}

static void put_histogram(struct protobuf *protobuf, const struct protobuf_labels *labels,
                          const struct histogram_view *view)
{
    struct metric metric = begin_metric(protobuf, labels);
    begin_value(protobuf, &metric);
    wire_put_uint(metric.message, HISTOGRAM_COUNT, count_all(view));
    /* Readers take a missing sum for 0, so an unknown sum is written as NaN. */
    wire_put_double(metric.message, HISTOGRAM_SUM, view->sum);
    put_buckets(metric.message, view);
    if (view->native) put_native(metric.message, view->native);
    put_time(metric.message, HISTOGRAM_CREATED, view->created);
    end_metric(metric);
}

static void put_gauge_buckets(struct protobuf *protobuf, const struct protobuf_labels *labels,
                              const struct histogram_view *view)
{
    uint64_t below = 0;
    for (size_t n = 0; n <= view->count; n++) {
        buffer_clear(&protobuf->pairs);
        append_pairs(&protobuf->pairs, labels);
        label_pairs_append_float(&protobuf->pairs, SLICE("le"), bound_of(view, n));
        below += view->counts[n];
        put_number(protobuf, (double) below);
    }
}

void protobuf_histogram(struct protobuf *protobuf, const struct family *family,
                        const struct protobuf_labels *labels, const struct histogram_view *view,
                        struct buffer *out)
{
    begin_sample(protobuf, family, out);
    if (family->type == METRIC_GAUGE_HISTOGRAM)
        put_gauge_buckets(protobuf, labels, view);
    else
        put_histogram(protobuf, labels, view);
    end_sample(protobuf, out);
}
