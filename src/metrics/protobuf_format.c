/* The format functions for protobuf, which use metrics/protobuf. */
#include "metrics/format.h"

#include "base/number.h"

#include <math.h>

/* There is no prepared head: each message holds its family's name and help. */
static void append_head(const struct family *family, enum format format, struct buffer *out)
{
    (void) family, (void) format, (void) out;
}

static struct protobuf_labels sets_of(const struct encoder *encoder, struct slice target_labels,
                                      struct slice labels)
{
    return (struct protobuf_labels){encoder->constant_labels, target_labels, labels};
}

static void message_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value)
{
    struct protobuf_labels sets = sets_of(encoder, target_labels, labels);
    protobuf_number(&encoder->protobuf, encoder->family, &sets, value, encoder->out);
}

/* Reads a number as the text formats write it. */
static double read_number(struct slice text)
{
    double value = NAN;
    if (number_parse_double(text, &value)) return value;
    if (slice_is(text, "+Inf")) return INFINITY;
    return slice_is(text, "-Inf") ? -INFINITY : (double) NAN;
}

static void message_line(struct encoder *encoder, struct slice target_labels, struct slice labels,
                         struct slice value)
{
    message_double(encoder, target_labels, labels, read_number(value));
}

static void message_series(struct encoder *encoder, const struct series *series, struct slice target,
                           uint32_t number, struct slice value)
{
    protobuf_series(&encoder->protobuf, encoder->family, series, target, number, read_number(value),
                    encoder->out);
}

static void message_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value)
{
    message_double(encoder, target_labels, labels, (double) value);
}

static void message_histogram(struct encoder *encoder, struct slice target_labels, struct slice labels,
                              const struct histogram_view *view)
{
    struct protobuf_labels sets = sets_of(encoder, target_labels, labels);
    protobuf_histogram(&encoder->protobuf, encoder->family, &sets, view, encoder->out);
}

static void message_summary(struct encoder *encoder, struct slice target_labels, struct slice labels,
                            const struct summary_view *view)
{
    struct protobuf_labels sets = sets_of(encoder, target_labels, labels);
    protobuf_summary(&encoder->protobuf, encoder->family, &sets, view, encoder->out);
}

static void end_family(struct encoder *encoder)
{
    protobuf_flush(&encoder->protobuf, encoder->out);
}

static void end_exposition(struct encoder *encoder)
{
    (void) encoder;
}

const struct format_operations protobuf_operations = {
    .append_head = append_head,
    .form = SERIES_METRIC,
    .write_series = message_series,
    .write_line = message_line,
    .write_u64 = message_u64,
    .write_double = message_double,
    .write_histogram = message_histogram,
    .write_summary = message_summary,
    .end_family = end_family,
    .end_exposition = end_exposition,
};
