#include "collectors/fleet_rows.h"

#include "memcached/stats.h"

/*
 * Bytes of records written per step for one server. It may have thousands of records in a family (pages of an
 * external store). This limit keeps a step short, even if every record has long labels.
 */
#define RECORD_BYTES_A_STEP 512

#define CACHE_LINE 64

#define ALWAYS_INLINE inline __attribute__((always_inline))

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

/* Writes a record that is superseded, has a name, or is no sample of a series, between two runs. */
static struct encoder_run write_special(struct fleet_walk *fleet, struct encoder_run run,
                                        const struct fleet_cursor *cursor, const struct record *record)
{
    const struct fleet_row *row = &fleet->rows[record->row];
    if (!(cursor->commands & row->shown_by)) return run;
    if (record->superseded && is_said(cursor->commands, record->row)) return run;
    if (row->series.text) {
        encoder_run_sample(&run, run.encoder->form, &row->series, cursor->rendered, record->number,
                           record->value);
        encoder_run_created(&run, &row->series, cursor->rendered, record->number);
        return run;
    }
    encoder_run_end(run);
    write_with_text(fleet, run.encoder, cursor->labels, record);
    return encoder_run_begin(run.encoder);
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
        if (head.row & RECORD_FLAGS || !row->series.text) {
            struct record record;
            at = record_read(at, &record);
            *run = write_special(fleet, *run, cursor, &record);
        } else {
            const struct slice value = {at + sizeof(head), head.value_len};
            if (commands & row->shown_by) {
                encoder_run_sample(run, form, &row->series, target, head.detail, value);
                if (created) encoder_run_created(run, &row->series, target, head.detail);
            }
            at = value.data + value.len;
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
    struct encoder_run run = encoder_run_begin(encoder);
    uint16_t next_row = fleet->next_row;
    for (; cursor < last && encoder_run_length(run) < bytes; cursor++) {
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
    fleet->next_row = next_row;
    encoder_run_end(run);
    if (since) encoder_set_since(encoder, 0);
}

static __attribute__((noinline)) void write_lines(struct fleet_walk *fleet, struct encoder *encoder,
                                                  const struct table_family *family, size_t end, size_t bytes)
{
    write_rows(fleet, encoder, SERIES_LINE, false, family, end, bytes);
}

static __attribute__((noinline)) void write_created_lines(struct fleet_walk *fleet, struct encoder *encoder,
                                                          const struct table_family *family, size_t end,
                                                          size_t bytes)
{
    write_rows(fleet, encoder, SERIES_LINE, true, family, end, bytes);
}

static __attribute__((noinline)) void write_metrics(struct fleet_walk *fleet, struct encoder *encoder,
                                                    const struct table_family *family, size_t end,
                                                    size_t bytes)
{
    write_rows(fleet, encoder, SERIES_METRIC, false, family, end, bytes);
}

void fleet_rows_write(struct fleet_walk *fleet, struct encoder *encoder, const struct table_family *family,
                      size_t end, size_t bytes)
{
    if (encoder->form == SERIES_METRIC)
        write_metrics(fleet, encoder, family, end, bytes);
    else if (encoder->created_lines)
        write_created_lines(fleet, encoder, family, end, bytes);
    else
        write_lines(fleet, encoder, family, end, bytes);
}
