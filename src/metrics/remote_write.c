#include "metrics/remote_write.h"

#include "base/hash.h"
#include "base/number.h"
#include "metrics/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A NaN of its own, model/value/value.go in Prometheus. */
#define STALE_BITS UINT64_C(0x7ff0000000000002)

/* Numbers of fields in the messages. */
enum { REQUEST_TIMESERIES = 1, SERIES_LABELS = 1, SERIES_SAMPLES = 2 };
enum { LABEL_NAME = 1, LABEL_VALUE = 2, SAMPLE_VALUE = 1, SAMPLE_TIMESTAMP = 2 };

/* --- Series that are remembered --- */

struct remembered_series {
    uint64_t hash;
    uint32_t text, len; /* its labels in `texts`; len 0: a free slot */
    uint32_t round;     /* the last exposition that had it */
};

/* Returns the slot of a series, or the free slot where it belongs. */
static struct remembered_series *series_slot(struct remembered_series *table, size_t size,
                                             const struct buffer *texts, uint64_t hash, struct slice labels)
{
    for (size_t at = hash & (size - 1);; at = (at + 1) & (size - 1)) {
        struct remembered_series *slot = &table[at];
        if (slot->len == 0) return slot;
        if (slot->hash == hash && slot->len == labels.len &&
            memcmp(texts->data + slot->text, labels.data, labels.len) == 0)
            return slot;
    }
}

static struct slice labels_of(const struct remote_write *write, const struct remembered_series *series)
{
    return (struct slice){write->texts.data + series->text, series->len};
}

/*
 * Makes a table of `size` slots, a power of two, with the remembered series, or only those of the current
 * exposition. Returns false if out of memory.
 */
static bool rebuild(struct remote_write *write, size_t size, bool only_current)
{
    struct remembered_series *table = calloc(size, sizeof(table[0]));
    struct buffer texts;
    size_t used = 0;
    buffer_init(&texts, REMOTE_WRITE_TEXT_MAX);
    for (size_t n = 0; table && n < write->table_size; n++) {
        const struct remembered_series *series = &write->table[n];
        if (series->len == 0 || (only_current && series->round != write->round)) continue;
        struct slice labels = labels_of(write, series);
        struct remembered_series *slot = series_slot(table, size, &texts, series->hash, labels);
        *slot = *series;
        slot->text = (uint32_t) texts.len;
        buffer_append_slice(&texts, labels);
        used++;
    }
    if (!table || texts.failed) {
        free(table);
        buffer_deinit(&texts);
        return false;
    }
    free(write->table);
    buffer_deinit(&write->texts);
    write->table = table;
    write->table_size = size;
    write->table_used = used;
    write->texts = texts;
    return true;
}

/* Notes that the exposition has a series. Without memory, the series is not remembered. */
static void remember(struct remote_write *write, struct slice labels)
{
    uint64_t hash = hash_fnv1a(labels);
    size_t size = write->table_size ? write->table_size : 512;
    if (2 * write->table_used >= write->table_size) {
        if (write->table_used >= REMOTE_WRITE_REMEMBERED) return;
        if (!rebuild(write, write->table_size ? 2 * size : size, false)) return;
    }
    struct remembered_series *slot =
        series_slot(write->table, write->table_size, &write->texts, hash, labels);
    if (slot->len == 0) {
        size_t start = write->texts.len;
        buffer_append_slice(&write->texts, labels);
        if (write->texts.failed) {
            write->texts.failed = false;
            return;
        }
        *slot = (struct remembered_series){hash, (uint32_t) start, (uint32_t) labels.len, 0};
        write->table_used++;
    }
    slot->round = write->round;
}

/* --- Reading a line --- */

/* Compares as strcmp does, which is the order of labels that remote write requires. */
static int compare_names(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct line_label {
    struct slice name, value;
    bool escaped; /* the value is as in the text format */
};

struct line {
    struct line_label labels[REMOTE_WRITE_LABELS];
    size_t count;
    double value;
};

static bool add_label(struct line *line, struct slice name, struct slice value, bool escaped)
{
    if (value.len == 0) return true; /* the same as no label */
    if (line->count == REMOTE_WRITE_LABELS) return false;
    /* Sorted by name; nearly all arrive so. */
    size_t at = line->count++;
    for (; at > 0 && compare_names(line->labels[at - 1].name, name) > 0; at--)
        line->labels[at] = line->labels[at - 1];
    line->labels[at] = (struct line_label){name, value, escaped};
    return true;
}

static bool has_label(const struct line *line, struct slice name)
{
    for (size_t n = 0; n < line->count; n++) {
        if (compare_names(line->labels[n].name, name) == 0) return true;
    }
    return false;
}

/* Reads one name="value" off `rest`, and the comma behind it. */
static bool take_label(struct line *line, struct slice *rest)
{
    struct slice name = slice_cut(rest, '=');
    size_t end = 1;
    if (!slice_starts(*rest, "\"")) return false;
    while (end < rest->len && rest->data[end] != '"') end += rest->data[end] == '\\' ? 2 : 1;
    if (end >= rest->len) return false;
    struct slice value = {rest->data + 1, end - 1};
    *rest = slice_from(*rest, end + 1);
    if (slice_starts(*rest, ",")) *rest = slice_from(*rest, 1);
    return add_label(line, name, value, true);
}

static bool read_value(struct slice text, double *value)
{
    if (slice_is(text, "NaN")) {
        *value = NAN;
    } else if (slice_is(text, "+Inf") || slice_is(text, "-Inf")) {
        *value = text.data[0] == '-' ? -INFINITY : INFINITY;
    } else {
        return number_parse_double(text, value);
    }
    return true;
}

static bool read_line(struct line *line, struct slice text)
{
    size_t end = 0;
    line->count = 0;
    while (end < text.len && text.data[end] != '{' && text.data[end] != ' ') end++;
    struct slice name = {text.data, end}, rest = slice_from(text, end);
    if (name.len == 0 || rest.len == 0) return false;
    if (!add_label(line, SLICE("__name__"), name, false)) return false;
    if (rest.data[0] == '{') {
        rest = slice_from(rest, 1);
        while (!slice_starts(rest, "}")) {
            if (!take_label(line, &rest)) return false;
        }
        rest = slice_from(rest, 1);
    }
    return slice_starts(rest, " ") && read_value(slice_from(rest, 1), &line->value);
}

/* --- Writing a series --- */

static void append_value(struct buffer *out, const struct line_label *label)
{
    struct slice value = label->value;
    size_t begin = wire_begin(out, LABEL_VALUE);
    for (size_t n = 0; n < value.len; n++) {
        char c = value.data[n];
        if (label->escaped && c == '\\' && n + 1 < value.len)
            c = value.data[++n] == 'n' ? '\n' : value.data[n];
        buffer_append_char(out, c);
    }
    wire_end(out, begin);
}

static void append_labels(struct buffer *out, const struct line *line)
{
    for (size_t n = 0; n < line->count; n++) {
        size_t begin = wire_begin(out, SERIES_LABELS);
        wire_put_string(out, LABEL_NAME, line->labels[n].name);
        append_value(out, &line->labels[n]);
        wire_end(out, begin);
    }
}

/* The value is written as its bits: a staleness marker must not become another NaN. */
static void append_series(struct remote_write *write, struct buffer *out, struct slice labels, uint64_t bits)
{
    size_t series = wire_begin(out, REQUEST_TIMESERIES);
    double value;
    memcpy(&value, &bits, sizeof(value));
    buffer_append_slice(out, labels);
    size_t sample = wire_begin(out, SERIES_SAMPLES);
    wire_put_double(out, SAMPLE_VALUE, value);
    wire_put_uint(out, SAMPLE_TIMESTAMP, (uint64_t) write->timestamp_ms);
    wire_end(out, sample);
    wire_end(out, series);
    write->series++;
}

static void take_line(struct remote_write *write, struct slice text, struct buffer *out)
{
    struct line line;
    uint64_t bits;
    if (text.len == 0 || text.data[0] == '#') return;
    bool good = read_line(&line, text);
    for (size_t n = 0; n < write->label_count && good; n++) {
        struct slice name = slice_of(write->labels[n].name);
        if (!has_label(&line, name)) good = add_label(&line, name, slice_of(write->labels[n].value), false);
    }
    if (!good) {
        write->skipped++;
        return;
    }
    buffer_clear(&write->labelled);
    append_labels(&write->labelled, &line);
    memcpy(&bits, &line.value, sizeof(bits));
    if (isnan(line.value)) bits = UINT64_C(0x7ff8000000000001);
    append_series(write, out, buffer_slice(&write->labelled), bits);
    if (write->labelled.failed) out->failed = true;
    remember(write, buffer_slice(&write->labelled));
}

/* --- An exposition --- */

void remote_write_init(struct remote_write *write, const struct remote_write_label *labels, size_t count)
{
    *write = (struct remote_write){.labels = labels, .label_count = count};
    buffer_init(&write->texts, REMOTE_WRITE_TEXT_MAX);
    buffer_init(&write->labelled, 1024 * 1024);
}

void remote_write_deinit(struct remote_write *write)
{
    free(write->table);
    buffer_deinit(&write->texts);
    buffer_deinit(&write->labelled);
}

void remote_write_begin(struct remote_write *write, int64_t timestamp_ms)
{
    write->timestamp_ms = timestamp_ms;
    write->round++;
    write->series = write->swept = 0;
    write->has_stale = false;
}

bool remote_write_take(struct remote_write *write, struct slice *text, struct buffer *out)
{
    const char *end;
    if (write->series == REMOTE_WRITE_SERIES) write->series = 0;
    while (write->series < REMOTE_WRITE_SERIES && text->len &&
           (end = memchr(text->data, '\n', text->len)) != NULL) {
        size_t len = (size_t) (end - text->data);
        take_line(write, (struct slice){text->data, len}, out);
        *text = slice_from(*text, len + 1);
    }
    return write->series == REMOTE_WRITE_SERIES;
}

bool remote_write_end(struct remote_write *write, struct buffer *out)
{
    if (write->series == REMOTE_WRITE_SERIES) write->series = 0;
    for (; write->swept < write->table_size; write->swept++) {
        const struct remembered_series *series = &write->table[write->swept];
        if (series->len == 0 || series->round == write->round) continue;
        if (write->series == REMOTE_WRITE_SERIES) return true;
        write->has_stale = true;
        append_series(write, out, labels_of(write, series), STALE_BITS);
    }
    /* Without memory for a smaller table, what is stale is marked again after the next exposition. */
    if (write->has_stale) rebuild(write, write->table_size, true);
    return false;
}
