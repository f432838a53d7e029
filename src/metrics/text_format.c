/*
 * The format functions for both text formats. The formats differ in the head of a family and in the names of
 * some types. OpenMetrics also has units, exemplars, creation times and an end mark. A table describes these
 * differences; the lines of samples are the same.
 */
#include "metrics/format.h"

#include "base/digits.h"
#include "base/number.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *types[METRIC_TYPE_COUNT];
    bool openmetrics;
} text_formats[] = {
    /* 0.0.4 does not have the newer types. Types that can only be a gauge there become gauges. */
    [FORMAT_TEXT] = {{
                         [METRIC_COUNTER] = "counter",
                         [METRIC_GAUGE] = "gauge",
                         [METRIC_NAMED_COUNTER] = "counter",
                         [METRIC_UNKNOWN] = "untyped",
                         [METRIC_INFO] = "gauge",
                         [METRIC_STATE_SET] = "gauge",
                         [METRIC_HISTOGRAM] = "histogram",
                         [METRIC_SUMMARY] = "summary",
                         [METRIC_GAUGE_HISTOGRAM] = "untyped",
                     },
                     false},
    [FORMAT_OPENMETRICS] = {{
                                [METRIC_COUNTER] = "counter",
                                [METRIC_GAUGE] = "gauge",
                                [METRIC_NAMED_COUNTER] = "gauge",
                                [METRIC_UNKNOWN] = "unknown",
                                [METRIC_INFO] = "info",
                                [METRIC_STATE_SET] = "stateset",
                                [METRIC_HISTOGRAM] = "histogram",
                                [METRIC_SUMMARY] = "summary",
                                [METRIC_GAUGE_HISTOGRAM] = "gaugehistogram",
                            },
                            true},
};

/* --- Families --- */

/*
 * Returns the type of a family in a format. In OpenMetrics the samples of a counter must end in _total.
 * Counters with other names have the type unknown there, because their names must not change.
 */
static const char *type_name(const struct family *family, enum format format)
{
    enum metric_type type = family->type;
    if (text_formats[format].openmetrics && type == METRIC_COUNTER &&
        slice_is(family_stem(family), family->name)) {
        type = METRIC_UNKNOWN;
    }
    return text_formats[format].types[type];
}

/* Appends a line such as "# TYPE name text\n". The name consists of `name` and `suffix`. */
static void append_header(struct buffer *out, const char *keyword, struct slice name, const char *suffix,
                          const char *text)
{
    buffer_append_string(out, "# ");
    buffer_append_string(out, keyword);
    buffer_append_char(out, ' ');
    buffer_append_slice(out, name);
    buffer_append_string(out, suffix);
    buffer_append_char(out, ' ');
    buffer_append_string(out, text);
    buffer_append_char(out, '\n');
}

/*
 * Appends HELP, TYPE and UNIT. Format 0.0.4 has no gauge histograms. Their buckets become an untyped family
 * of their own there: promtool expects buckets to belong to a histogram, and no gauge may have the label le.
 */
static void append_head(const struct family *family, enum format format, struct buffer *out)
{
    bool openmetrics = text_formats[format].openmetrics;
    const char *suffix = !openmetrics && family->type == METRIC_GAUGE_HISTOGRAM ? "_bucket" : "";
    struct slice name = openmetrics ? family_stem(family) : slice_of(family->name);
    const char *unit = family_unit(family);
    append_header(out, "HELP", name, suffix, family->help);
    append_header(out, "TYPE", name, suffix, type_name(family, format));
    if (openmetrics && *unit) append_header(out, "UNIT", name, "", unit);
}

static void announce(struct encoder *encoder)
{
    if (encoder->announced) return;
    encoder->announced = true;
    encoder->name = slice_of(encoder->family->name);
    if (encoder->head && encoder->head->text[encoder->format].len)
        buffer_append_slice(encoder->out, encoder->head->text[encoder->format]);
    else
        append_head(encoder->family, encoder->format, encoder->out);
}

/* --- Samples --- */

/* A label that the encoder adds: le or quantile. */
struct own_label {
    const char *name; /* NULL: no label */
    double value;
};

/*
 * Appends the label in the form that OpenMetrics requires: 1.0 instead of 1. Both formats use this form, so
 * that they make the same series.
 */
static void append_own_label(struct buffer *out, struct own_label label)
{
    buffer_append_string(out, label.name);
    buffer_append_string(out, "=\"");
    number_append_float(out, label.value);
    buffer_append_char(out, '"');
}

/* Appends one more set of labels inside the braces. */
static void append_set(struct buffer *out, size_t *sets, struct slice set)
{
    if (set.len == 0) return;
    buffer_append_char(out, (*sets)++ ? ',' : '{');
    buffer_append_slice(out, set);
}

/* Writes the line of a sample up to its value. */
static void begin_sample(struct encoder *encoder, const char *suffix, struct slice target_labels,
                         struct slice labels, struct own_label own)
{
    struct buffer *out = encoder->out;
    size_t sets = 0;
    announce(encoder);
    buffer_append_string(out, encoder->family->name);
    buffer_append_string(out, suffix);
    append_set(out, &sets, encoder->constant_labels);
    append_set(out, &sets, target_labels);
    append_set(out, &sets, labels);
    if (own.name) {
        buffer_append_char(out, sets++ ? ',' : '{');
        append_own_label(out, own);
    }
    buffer_append_string(out, sets ? "} " : " ");
}

static const struct own_label none = {NULL, 0};

/*
 * Appends one more set of labels. `mark` is the character before the set: '{' before the first set, then ','.
 */
static char *put_set(char *at, char *mark, struct slice set)
{
    if (set.len == 0) return at;
    *at++ = *mark;
    *mark = ',';
    return slice_put_short(at, set);
}

/*
 * Writes one line. An exposition has hundreds of lines for each target, so this function reserves the space
 * once and then copies the parts into it.
 */
static void text_line(struct encoder *encoder, struct slice target_labels, struct slice labels,
                      struct slice value)
{
    announce(encoder);
    size_t len =
        encoder->name.len + encoder->constant_labels.len + target_labels.len + labels.len + value.len;
    char *start = buffer_reserve(encoder->out, len + strlen("{,,} \n"));
    if (!start) return;
    char mark = '{', *at = slice_put_short(start, encoder->name);
    at = put_set(at, &mark, encoder->constant_labels);
    at = put_set(at, &mark, target_labels);
    at = put_set(at, &mark, labels);
    if (mark == ',') *at++ = '}';
    *at++ = ' ';
    at = slice_put_short(at, value);
    *at++ = '\n';
    encoder->out->len += (size_t) (at - start);
}

static void text_u64(struct encoder *encoder, struct slice target_labels, struct slice labels, uint64_t value)
{
    char digits[DIGITS_MAX];
    text_line(encoder, target_labels, labels, digits_of(value, digits));
}

static void text_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        double value)
{
    begin_sample(encoder, "", target_labels, labels, none);
    number_append_double(encoder->out, value);
    buffer_append_char(encoder->out, '\n');
}

/* --- Samples of several lines --- */

/* The output and the labels for the lines of one histogram or summary. */
struct lines {
    struct encoder *encoder;
    struct slice target_labels, labels;
};

static void line_u64(const struct lines *lines, const char *suffix, struct own_label own, uint64_t value)
{
    begin_sample(lines->encoder, suffix, lines->target_labels, lines->labels, own);
    buffer_append_u64(lines->encoder->out, value);
    buffer_append_char(lines->encoder->out, '\n');
}

static void line_double(const struct lines *lines, const char *suffix, struct own_label own, double value)
{
    begin_sample(lines->encoder, suffix, lines->target_labels, lines->labels, own);
    number_append_double(lines->encoder->out, value);
    buffer_append_char(lines->encoder->out, '\n');
}

static void line_created(const struct lines *lines, double created)
{
    if (!text_formats[lines->encoder->format].openmetrics || created <= 0) return;
    begin_sample(lines->encoder, "_created", lines->target_labels, lines->labels, none);
    buffer_printf(lines->encoder->out, "%.3f\n", created);
}

static void append_exemplar(struct encoder *encoder, const struct exemplar *exemplar)
{
    struct buffer *out = encoder->out;
    buffer_append_string(out, " # {");
    buffer_append(out, exemplar->labels, exemplar->labels_len);
    buffer_append_string(out, "} ");
    number_append_double(out, exemplar->value);
    buffer_printf(out, " %.3f", exemplar->timestamp);
}

/* Writes the line of a bucket up to its bound. */
static void begin_bucket(const struct lines *lines)
{
    struct buffer *out = lines->encoder->out;
    size_t sets = 0;
    buffer_append_string(out, lines->encoder->family->name);
    buffer_append_string(out, "_bucket");
    append_set(out, &sets, lines->encoder->constant_labels);
    append_set(out, &sets, lines->target_labels);
    append_set(out, &sets, lines->labels);
    buffer_append_string(out, sets ? ",le=\"" : "{le=\"");
}

/* Appends `len` bytes that stand at `begin`. */
static void append_again(struct buffer *out, size_t begin, size_t len)
{
    char *at = buffer_reserve(out, len);
    if (!at) return;
    slice_put_short(at, (struct slice){out->data + begin, len});
    out->len += len;
}

/* Appends what follows the bound of a bucket, up to the end of the value. */
static void append_bucket_value(struct buffer *out, uint64_t value)
{
    char memory[DIGITS_MAX];
    struct slice digits = digits_of(value, memory);
    char *at = buffer_reserve(out, strlen("\"} ") + digits.len);
    if (!at) return;
    at = slice_put_few(slice_put(at, SLICE("\"} ")), digits);
    out->len = (size_t) (at - out->data);
}

/* Writes the lines of all buckets, which begin alike. Returns the number of observations in all buckets. */
static uint64_t line_buckets(const struct lines *lines, const struct histogram_view *view)
{
    struct encoder *encoder = lines->encoder;
    struct buffer *out = encoder->out;
    uint64_t below = 0;
    announce(encoder);
    size_t begin = out->len, len = 0;
    for (size_t n = 0; n <= view->count; n++) {
        const struct exemplar *exemplar = view->exemplars ? &view->exemplars[n] : NULL;
        below += view->counts[n];
        if (len)
            append_again(out, begin, len);
        else
            begin_bucket(lines);
        if (!len) len = out->len - begin;
        number_append_float(out, n < view->count ? view->bounds[n] : INFINITY);
        append_bucket_value(out, below);
        if (text_formats[encoder->format].openmetrics && exemplar && exemplar->timestamp > 0) {
            append_exemplar(encoder, exemplar);
        }
        buffer_append_char(out, '\n');
    }
    return below;
}

static void text_histogram(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           const struct histogram_view *view)
{
    struct lines lines = {encoder, target_labels, labels};
    uint64_t count = line_buckets(&lines, view);
    /*
     * The last bucket of a gauge histogram is its count. In 0.0.4, further lines would form another family
     * and would have to follow the buckets of all targets.
     */
    if (encoder->family->type == METRIC_GAUGE_HISTOGRAM) return;
    if (!isnan(view->sum)) {
        /* OpenMetrics requires _count if and only if there is a _sum. */
        line_u64(&lines, "_count", none, count);
        line_double(&lines, "_sum", none, view->sum);
    }
    line_created(&lines, view->created);
}

static void text_summary(struct encoder *encoder, struct slice target_labels, struct slice labels,
                         const struct summary_view *view)
{
    struct lines lines = {encoder, target_labels, labels};
    for (size_t n = 0; n < view->count; n++) {
        line_double(&lines, "", (struct own_label){"quantile", view->quantiles[n]}, view->values[n]);
    }
    line_u64(&lines, "_count", none, view->observations);
    line_double(&lines, "_sum", none, view->sum);
    line_created(&lines, view->created);
}

static void end_family(struct encoder *encoder)
{
    (void) encoder;
}

static void end_exposition(struct encoder *encoder)
{
    if (text_formats[encoder->format].openmetrics) buffer_append_string(encoder->out, "# EOF\n");
}

const struct format_operations text_operations = {
    .append_head = append_head,
    .form = SERIES_LINE,
    .announce = announce,
    .write_line = text_line,
    .write_u64 = text_u64,
    .write_double = text_double,
    .write_histogram = text_histogram,
    .write_summary = text_summary,
    .end_family = end_family,
    .end_exposition = end_exposition,
};
