#include "collectors/fleet_rows.h"

#include "memcached/stats.h"

/*
 * Bytes of records written per step for one server. It may have thousands of records in a family (pages of an
 * external store). This limit keeps a step short, even if every record has long labels.
 */
#define RECORD_BYTES_A_STEP 512

#define CACHE_LINE 64

#define LIKELY(condition)   __builtin_expect((condition) != 0, 1)
#define UNLIKELY(condition) __builtin_expect((condition) != 0, 0)
#define ALWAYS_INLINE       inline __attribute__((always_inline))

/* Returns true if the preferred row of a superseded record is shown, which says the same. */
static bool is_said(unsigned commands, uint16_t row)
{
    return commands & fleet_table.shapes[stats_preferred(row)].shown_by;
}

/* Writes a record whose row has a text of the server among its labels. */
static void write_with_text(struct fleet_walk *fleet, struct encoder *encoder, struct slice target_labels,
                            const struct record *record)
{
    const struct stat_row *row = stats_row(record->row);
    bool is_text = row->form == FORM_TEXT;
    buffer_clear(&fleet->labels);
    buffer_append_slice(&fleet->labels, fleet_table.shapes[record->row].before);
    labels_append(&fleet->labels, row->label, is_text ? record->value : record->key);
    encoder_sample(encoder, target_labels, buffer_slice(&fleet->labels),
                   is_text ? SLICE("1") : record->value);
}

/*
 * Writes the record at `*at`, whatever it is, between two runs, and moves `at` to the next record. For
 * records that are superseded or have a name, for texts, for long values, and for output without room.
 */
static struct encoder_run write_any(struct fleet_walk *fleet, struct encoder_run run,
                                    const struct fleet_cursor *cursor, const char **at)
{
    struct record record;
    *at = record_read(*at, &record);
    const struct fleet_row *row = &fleet->rows[record.row];
    if (!(cursor->commands & fleet_table.shapes[record.row].shown_by)) return run;
    if (record.superseded && is_said(cursor->commands, record.row)) return run;
    if (row->series.text) {
        encoder_run_sample(&run, &row->series, cursor->rendered, record.number, record.value);
        encoder_run_created(&run, &row->series, cursor->rendered, record.number);
        return run;
    }
    encoder_run_end(run);
    write_with_text(fleet, run.encoder, cursor->labels, &record);
    return encoder_run_begin(run.encoder, fleet->line_most, run.bytes);
}

/*
 * Writes records of one row that need no more than to be copied: the one at `at`, and those behind it that
 * differ in number and value. Their lines begin as copies of the first one. Returns the place of the next
 * record.
 */
static ALWAYS_INLINE const char *write_numbers(struct encoder_run *run, const struct series *series,
                                               struct slice target, const char *at)
{
    struct record_head head = record_head_at(at);
    struct slice value = {at + sizeof(head), head.value_len};
    const unsigned row = head.row;
    const char *const line = run->at, *const limit = run->limit;
    const struct slice after = series_after(series);
    char *out = series_put_name(run->at, series, target);
    const size_t name_len = (size_t) (out - line);
    for (; series->number_len; out = slice_put_many_blocks(out, (struct slice){line, name_len})) {
        out = slice_put_blocks(series_put_number(out, head.detail), after);
        head = record_head_at(value.data + value.len);
        if (head.row != row || head.value_len > SLICE_BLOCK) break;
        out = series_put_short_value(out, value);
        value = (struct slice){value.data + value.len + sizeof(head), head.value_len};
        if (out >= limit) {
            run->at = out;
            return value.data - sizeof(head);
        }
    }
    run->at = series_put_short_value(out, value);
    return value.data + value.len;
}

/*
 * Writes the records that one target has before row `behind`, or some of them. All that does not vary is in
 * variables of its own: a written byte might change anything else, as far as the compiler knows.
 */
static ALWAYS_INLINE void write_records(struct fleet_walk *fleet, struct encoder_run *run,
                                        enum series_form form, bool created, struct fleet_cursor *cursor,
                                        unsigned behind)
{
    const struct fleet_row *rows = fleet->rows;
    const unsigned commands = cursor->commands;
    const struct slice target = cursor->rendered;
    const char *at = cursor->at, *const stop = at + RECORD_BYTES_A_STEP;
    unsigned next;
    do {
        const struct record_head head = record_head_at(at);
        const struct fleet_row *row = &rows[RECORD_ROW(head.row)];
        const struct slice value = {at + sizeof(head), head.value_len};
        const bool is_plain = LIKELY(!(head.row & RECORD_FLAGS)) && LIKELY(commands & row->shown_by);
        if (is_plain && form == SERIES_METRIC) {
            encoder_run_metric(run->encoder, &row->series, target, head.detail, value);
            at = value.data + value.len;
        } else if (is_plain && created) {
            encoder_run_sample(run, &row->series, target, head.detail, value);
            encoder_run_created(run, &row->series, target, head.detail);
            at = value.data + value.len;
        } else if (is_plain && LIKELY(value.len <= SLICE_BLOCK) && LIKELY(run->at < run->limit)) {
            at = write_numbers(run, &row->series, target, at);
        } else if (!(head.row & RECORD_FLAGS) && row->shown_by && !is_plain) {
            at = value.data + value.len; /* not shown */
        } else {
            const char *behind_record = at;
            *run = write_any(fleet, *run, cursor, &behind_record);
            at = behind_record;
        }
        next = record_row(at);
    } while (next < behind && at < stop);
    cursor->at = at;
    cursor->row = (uint16_t) next;
}

/* Moves to the first record at or after a row. The families before were filtered out. */
static void skip_records(struct fleet_cursor *cursor, unsigned row)
{
    struct record ignored;
    while (cursor->row < row) {
        cursor->at = record_read(cursor->at, &ignored);
        cursor->row = record_row(cursor->at);
    }
}

/*
 * Writes one family of some targets: up to target `end`, or until the output has `bytes`. `form` and
 * `created`, for lines _created, are constants for each of the callers, so that the loop has no branch for
 * them.
 */
static ALWAYS_INLINE void write_rows(struct fleet_walk *fleet, struct encoder *encoder, enum series_form form,
                                     bool created, const struct table_family *family, size_t end,
                                     size_t bytes)
{
    const unsigned first = family->first, behind = family->end;
    struct fleet_cursor *cursor = &fleet->cursors[fleet->position], *last = &fleet->cursors[end];
    const bool since = (created || form == SERIES_METRIC) && family->family.type == METRIC_COUNTER;
    struct encoder_run run = encoder_run_begin(encoder, fleet->line_most, bytes);
    unsigned next_row = fleet->next_row;
    for (; cursor < last && encoder_run_goes_on(run); cursor++) {
        if (cursor->row < first) skip_records(cursor, first);
        if (cursor->row < behind) {
            __builtin_prefetch(cursor[FLEET_PREFETCH_AHEAD].at);
            __builtin_prefetch(cursor->at + CACHE_LINE);
            if (since) encoder_set_since(encoder, cursor->snapshot->counters_since);
            write_records(fleet, &run, form, created, cursor, behind);
            if (cursor->row < behind) break;
        }
        if (cursor->row < next_row) next_row = cursor->row;
    }
    fleet->position = (size_t) (cursor - fleet->cursors);
    fleet->next_row = (uint16_t) next_row;
    encoder_run_end(run);
    if (since) encoder_set_since(encoder, 0);
}

#define NOINLINE __attribute__((noinline))

static NOINLINE void write_lines(struct fleet_walk *fleet, struct encoder *encoder,
                                 const struct table_family *family, size_t end, size_t bytes)
{
    write_rows(fleet, encoder, SERIES_LINE, false, family, end, bytes);
}

/*
 * Writes lines of a family that has one row, without a number: the lines of all targets are alike but for
 * target and value. Stops at the first target that has another record before, or whose record needs more than
 * to be copied.
 */
static NOINLINE void write_like_lines(struct fleet_walk *fleet, struct encoder *encoder,
                                      const struct table_family *family, size_t end, size_t bytes)
{
    const struct fleet_row row = fleet->rows[family->first];
    const unsigned first = family->first;
    struct fleet_cursor *cursor = &fleet->cursors[fleet->position], *last = &fleet->cursors[end];
    struct encoder_run run = encoder_run_begin(encoder, fleet->line_most, bytes);
    unsigned next_row = fleet->next_row, next;
    char *at = run.at;
    for (; cursor < last; cursor++) {
        next = cursor->row;
        if (next <= first) {
            const struct record_head head = record_head_at(cursor->at);
            const struct slice value = {cursor->at + sizeof(head), head.value_len};
            if (head.row != first || value.len > SLICE_BLOCK || !(cursor->commands & row.shown_by)) break;
            if (UNLIKELY(at >= run.limit)) {
                run.at = at;
                if (!encoder_run_renew(&run)) break;
                at = run.at;
            }
            __builtin_prefetch(cursor[FLEET_PREFETCH_AHEAD].at);
            __builtin_prefetch(cursor->at + CACHE_LINE);
            at = series_put_short_value(series_put_name(at, &row.series, cursor->rendered), value);
            cursor->at = value.data + value.len;
            cursor->row = record_row(cursor->at);
            next = cursor->row;
        }
        if (next < next_row) next_row = next;
    }
    run.at = at;
    fleet->position = (size_t) (cursor - fleet->cursors);
    fleet->next_row = (uint16_t) next_row;
    encoder_run_end(run);
}

static NOINLINE void write_created_lines(struct fleet_walk *fleet, struct encoder *encoder,
                                         const struct table_family *family, size_t end, size_t bytes)
{
    write_rows(fleet, encoder, SERIES_LINE, true, family, end, bytes);
}

static NOINLINE void write_metrics(struct fleet_walk *fleet, struct encoder *encoder,
                                   const struct table_family *family, size_t end, size_t bytes)
{
    write_rows(fleet, encoder, SERIES_METRIC, false, family, end, bytes);
}

void fleet_rows_write(struct fleet_walk *fleet, struct encoder *encoder, const struct table_family *family,
                      size_t end, size_t bytes)
{
    if (encoder->form == SERIES_METRIC) {
        write_metrics(fleet, encoder, family, end, bytes);
    } else if (encoder->created_lines) {
        write_created_lines(fleet, encoder, family, end, bytes);
    } else {
        bool is_alone = family->first + 1 == family->end && !fleet->rows[family->first].series.number_len;
        if (is_alone) write_like_lines(fleet, encoder, family, end, bytes);
        if (fleet->position < end) write_lines(fleet, encoder, family, end, bytes);
    }
}
