#include "metrics/encoder.h"

#include "base/number.h"
#include "base/utf8.h"

const char encoder_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* How format 0.0.4 spells a type; it has no word for the younger ones, which are gauges to it. */
static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge",     [METRIC_UNKNOWN] = "untyped",
    [METRIC_INFO] = "gauge",      [METRIC_STATE_SET] = "gauge",
};

/* Escapes what would end the quotes or the line, and replaces what is not UTF-8. */
static void append_label_value(struct buffer *out, struct slice value)
{
    while (value.len) {
        size_t len = utf8_sequence(value);
        char c = value.data[0];
        if (len == 0) {
            buffer_append_string(out, UTF8_REPLACEMENT);
            len = 1;
        } else if (c == '\n') {
            buffer_append_string(out, "\\n");
        } else if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, c);
        } else {
            buffer_append(out, value.data, len);
        }
        value = slice_from(value, len);
    }
}

void labels_append(struct buffer *labels, const char *name, struct slice value)
{
    if (labels->len) buffer_append_char(labels, ',');
    buffer_append_string(labels, name);
    buffer_append_string(labels, "=\"");
    append_label_value(labels, value);
    buffer_append_char(labels, '"');
}

void encoder_init(struct encoder *encoder)
{
    *encoder = (struct encoder){0};
}

void encoder_set_out(struct encoder *encoder, struct buffer *out)
{
    encoder->out = out;
}

void encoder_family(struct encoder *encoder, const struct family *family)
{
    if (encoder->family == family) return;
    encoder->family = family;
    encoder->announced = false;
}

static void announce(struct encoder *encoder)
{
    const struct family *family = encoder->family;
    if (encoder->announced) return;
    buffer_append_string(encoder->out, "# HELP ");
    buffer_append_string(encoder->out, family->name);
    buffer_append_char(encoder->out, ' ');
    buffer_append_string(encoder->out, family->help);
    buffer_append_string(encoder->out, "\n# TYPE ");
    buffer_append_string(encoder->out, family->name);
    buffer_append_char(encoder->out, ' ');
    buffer_append_string(encoder->out, type_names[family->type]);
    buffer_append_char(encoder->out, '\n');
    encoder->announced = true;
}

/* Everything of a sample's line up to its value. */
static void begin_sample(struct encoder *encoder, struct slice target_labels, struct slice labels)
{
    struct buffer *out = encoder->out;
    announce(encoder);
    buffer_append_string(out, encoder->family->name);
    if (target_labels.len || labels.len) {
        buffer_append_char(out, '{');
        buffer_append_slice(out, target_labels);
        if (target_labels.len && labels.len) buffer_append_char(out, ',');
        buffer_append_slice(out, labels);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ' ');
}

void encoder_sample(struct encoder *encoder, struct slice target_labels, struct slice labels,
                    struct slice value)
{
    begin_sample(encoder, target_labels, labels);
    buffer_append_slice(encoder->out, value);
    buffer_append_char(encoder->out, '\n');
}

void encoder_sample_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value)
{
    begin_sample(encoder, target_labels, labels);
    buffer_append_u64(encoder->out, value);
    buffer_append_char(encoder->out, '\n');
}

void encoder_sample_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value)
{
    begin_sample(encoder, target_labels, labels);
    number_append_double(encoder->out, value);
    buffer_append_char(encoder->out, '\n');
}
