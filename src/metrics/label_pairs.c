#include "metrics/label_pairs.h"

#include "base/number.h"
#include "metrics/labels.h"
#include "metrics/wire.h"

enum { LABEL_PAIR = 1 }; /* in Metric and Exemplar */
enum { LABEL_NAME = 1, LABEL_VALUE = 2 };

/* Bytes of a LabelPair beside name and value, if both are short: two keys with lengths. */
#define PAIR_HEADS 4

static void append_escaped(struct buffer *out, const struct label *label)
{
    size_t pair = wire_begin(out, LABEL_PAIR);
    wire_put_string(out, LABEL_NAME, label->name);
    size_t value = wire_begin(out, LABEL_VALUE);
    label_append_value(out, label);
    wire_end(out, value);
    wire_end(out, pair);
}

/* The same for a label whose value is as it is written, and whose length is known therefore. */
static void append_short(struct buffer *out, const struct label *label, size_t len)
{
    char *at = buffer_reserve(out, 2 + len);
    if (!at) return;
    at = wire_short_begin(at, LABEL_PAIR, len);
    at = wire_short_string(at, LABEL_NAME, label->name);
    at = wire_short_string(at, LABEL_VALUE, label->escaped);
    out->len = (size_t) (at - out->data);
}

void label_pairs_append(struct buffer *out, struct slice labels)
{
    struct label label;
    bool is_plain = labels.len && !memchr(labels.data, '\\', labels.len);
    while (labels_next(&labels, &label)) {
        size_t len = PAIR_HEADS + label.name.len + label.escaped.len;
        if (is_plain && len <= WIRE_SHORT_MAX)
            append_short(out, &label, len);
        else
            append_escaped(out, &label);
    }
}

void label_pairs_append_float(struct buffer *out, struct slice name, double value)
{
    size_t pair = wire_begin(out, LABEL_PAIR);
    wire_put_string(out, LABEL_NAME, name);
    size_t text = wire_begin(out, LABEL_VALUE);
    number_append_float(out, value);
    wire_end(out, text);
    wire_end(out, pair);
}

void label_pairs_append_name(struct buffer *out, struct slice name)
{
    const struct label label = {name, SLICE("")};
    append_short(out, &label, PAIR_HEADS + name.len);
}
