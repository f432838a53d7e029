/* Decides which families are wanted, and passes each sample to the functions of the output format. */
#include "metrics/encoder.h"

#include "metrics/format.h"

#include <assert.h>

static const struct format_operations *const formats[FORMAT_COUNT] = {
    [FORMAT_TEXT] = &text_operations,
    [FORMAT_OPENMETRICS] = &text_operations,
    [FORMAT_PROTOBUF] = &protobuf_operations,
};

void encoder_init(struct encoder *encoder, enum format format, struct slice filter)
{
    *encoder = (struct encoder){.format = format,
                                .operations = formats[format],
                                .form = formats[format]->form,
                                .filters = filter.len};
    set_init(&encoder->names);
    while (filter.len && !encoder->filter_failed) {
        bool is_new;
        encoder->filter_failed = !set_add(&encoder->names, slice_cut(&filter, '\0'), &is_new);
    }
    protobuf_init(&encoder->protobuf);
}

void encoder_deinit(struct encoder *encoder)
{
    set_deinit(&encoder->names);
    protobuf_deinit(&encoder->protobuf);
}

void encoder_set_out(struct encoder *encoder, struct buffer *out)
{
    encoder->out = out;
}

void encoder_family(struct encoder *encoder, const struct family *family)
{
    encoder_family_ready(encoder, family, NULL);
}

void encoder_family_ready(struct encoder *encoder, const struct family *family,
                          const struct family_head *head)
{
    if (encoder->family == family) return;
    encoder->operations->end_family(encoder);
    encoder->family = family;
    encoder->head = head;
    encoder->announced = false;
    encoder->muted = encoder->filters && !family_has_name_in(family, &encoder->names);
    if (encoder->filter_failed) encoder->out->failed = true;
}

void family_append_head(const struct family *family, enum format format, struct buffer *out)
{
    formats[format]->append_head(family, format, out);
}

void encoder_sample(struct encoder *encoder, struct slice target_labels, struct slice labels,
                    struct slice value)
{
    if (!encoder->muted) encoder->operations->write_line(encoder, target_labels, labels, value);
}

void encoder_sample_u64(struct encoder *encoder, struct slice target_labels, struct slice labels,
                        uint64_t value)
{
    if (!encoder->muted) encoder->operations->write_u64(encoder, target_labels, labels, value);
}

void encoder_sample_double(struct encoder *encoder, struct slice target_labels, struct slice labels,
                           double value)
{
    if (!encoder->muted) encoder->operations->write_double(encoder, target_labels, labels, value);
}

void encoder_set_since(struct encoder *encoder, uint32_t since)
{
    encoder->since = since;
    if (encoder->form == SERIES_METRIC) protobuf_set_since(&encoder->protobuf, since);
}

struct slice encoder_target_labels(struct encoder *encoder, struct slice labels, struct arena *arena)
{
    if (encoder->form == SERIES_METRIC) labels = protobuf_pairs(&encoder->protobuf, labels);
    char *copy = labels.data ? arena_alloc(arena, labels.len + SLICE_BLOCKS, 1) : NULL;
    if (!copy) {
        encoder->out->failed = true;
        return SLICE("");
    }
    if (labels.len) memcpy(copy, labels.data, labels.len);
    return (struct slice){copy, labels.len};
}

/* Sets the room of a run to the free room of the output. */
static void set_room(struct encoder_run *run)
{
    struct buffer *out = run->encoder->out;
    size_t room = out->size - out->len, left = out->len < run->bytes ? run->bytes - out->len : 0;
    size_t short_room = room > run->most ? room - run->most : 0;
    run->at = out->data + out->len;
    run->end = run->at + room;
    run->limit = run->at + (short_room < left ? short_room : left);
}

struct encoder_run encoder_run_begin(struct encoder *encoder, size_t most, size_t bytes)
{
    struct encoder_run run = {.encoder = encoder, .most = most, .bytes = bytes};
    assert(!encoder->muted && encoder->constant_labels.len == 0);
    if (encoder->announced && !encoder->out->failed) set_room(&run);
    return run;
}

void encoder_run_end(struct encoder_run run)
{
    run.encoder->out->len = encoder_run_length(run);
}

/* Makes room for a line of `most` bytes. Returns false if there is none. */
static bool make_line_room(struct encoder_run *run, size_t most)
{
    struct encoder *encoder = run->encoder;
    if ((size_t) (run->end - run->at) >= most) return true;
    encoder_run_end(*run);
    if (!encoder->announced) encoder->operations->announce(encoder);
    run->at = run->limit = run->end = NULL;
    if (!buffer_reserve(encoder->out, most)) return false;
    set_room(run);
    return true;
}

bool encoder_run_renew(struct encoder_run *run)
{
    return encoder_run_goes_on(*run) && make_line_room(run, run->most);
}

void encoder_run_metric(struct encoder *encoder, const struct series *series, struct slice target,
                        uint32_t number, struct slice value)
{
    encoder->operations->write_series(encoder, series, target, number, value);
}

void encoder_run_sample(struct encoder_run *run, const struct series *series, struct slice target,
                        uint32_t number, struct slice value)
{
    if (run->encoder->form == SERIES_METRIC)
        encoder_run_metric(run->encoder, series, target, number, value);
    else if (make_line_room(run, series->most + target.len + value.len))
        run->at = series_put_line(run->at, series, target, number, value);
}

void encoder_run_created(struct encoder_run *run, const struct series *series, struct slice target,
                         uint32_t number)
{
    static const struct slice total = {"_total", 6}, created = {"_created", 8};
    const struct encoder *encoder = run->encoder;
    const struct family *family = encoder->family;
    char digits[DIGITS_MAX + SLICE_BLOCK] = "";
    if (!encoder->created_lines || !encoder->since || family->type != METRIC_COUNTER) return;
    struct slice stem = family_stem(family);
    if (encoder->format != FORMAT_OPENMETRICS || slice_is(stem, family->name)) return;
    struct slice value = digits_of(encoder->since, digits);
    /* The line of the sample is written a little further, and then gets the longer name. */
    size_t further = created.len - total.len;
    size_t most = series->most + target.len + value.len + further;
    if (!make_line_room(run, most)) return;
    char *begin = run->at;
    run->at = series_put_line(begin + further, series, target, number, value);
    slice_put(slice_put(begin, stem), created);
}

void encoder_histogram(struct encoder *encoder, struct slice target_labels, struct slice labels,
                       const struct histogram_view *view)
{
    if (!encoder->muted) encoder->operations->write_histogram(encoder, target_labels, labels, view);
}

void encoder_summary(struct encoder *encoder, struct slice target_labels, struct slice labels,
                     const struct summary_view *view)
{
    if (!encoder->muted) encoder->operations->write_summary(encoder, target_labels, labels, view);
}

void encoder_finish(struct encoder *encoder)
{
    encoder->operations->end_family(encoder);
    encoder->operations->end_exposition(encoder);
}
