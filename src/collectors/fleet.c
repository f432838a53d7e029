/*
 * Order of the exposition: the exporter's own metrics of a target, the rows of the stats table, the families
 * made of counts, then unknown stats. The records of a snapshot are sorted by row, and each family of the
 * table is a range of rows. So one cursor for each target, which only moves forward, finds the records of
 * every family.
 */
#include "collectors/fleet.h"

#include "base/container.h"
#include "collectors/counts.h"
#include "collectors/fleet_table.h"
#include "collectors/outcome.h"
#include "memcached/stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/*
 * More than any label set needs. A label value comes from a line of at most 2 KiB; escaping may triple its
 * length.
 */
#define SCRATCH_MAX (16 * 1024)

/* Everything needed to write samples of one target. */
struct place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot; /* NULL for a target that was never asked */
    struct fleet_cursor *cursor;     /* NULL for families of collectors/outcome, and for
                                        memcached_target_truncated */
    unsigned commands;               /* set of commands whose metrics are written; also has BY_CLASS bits */
};

/* Returns the labels of one record, whose row has a text of the server among its labels. */
static struct slice record_labels(struct fleet_walk *fleet, const struct record *record,
                                  const struct stat_row *row)
{
    buffer_clear(&fleet->labels);
    buffer_append_slice(&fleet->labels, fleet_table.shapes[record->row].before);
    labels_append(&fleet->labels, row->label, row->form == FORM_TEXT ? record->value : record->key);
    return buffer_slice(&fleet->labels);
}

/* Returns true if the row that is preferred is of a command that is also shown. For a superseded record. */
static bool is_said(const struct place *place, const struct record *record)
{
    return place->commands & fleet_table.shapes[stats_preferred(record->row)].shown_by;
}

static void write_record(struct fleet_walk *fleet, const struct place *place, const struct record *record)
{
    const struct stat_row *row = stats_row(record->row);
    if (fleet_table.shapes[record->row].is_series)
        encoder_series(place->encoder, &fleet->series[record->row], place->cursor->rendered, record->number,
                       record->value);
    else
        encoder_sample(place->encoder, place->target_labels, record_labels(fleet, record, row),
                       row->form == FORM_TEXT ? SLICE("1") : record->value);
}

/*
 * Records written per step. One server may have thousands of records in a family (pages of an external store,
 * unknown stats). This limit keeps a step short, even if every record has long labels.
 */
#define RECORDS_A_STEP 32
#define CACHE_LINE     64

/* Whether the record is shown. */
static inline bool is_shown(const struct place *place, const struct record *record)
{
    if (!(place->commands & fleet_table.shapes[record->row].shown_by)) return false;
    return !record->superseded || !is_said(place, record);
}

static bool write_table_family(struct fleet_walk *fleet, const struct place *place,
                               const struct table_family *family)
{
    struct fleet_cursor *cursor = place->cursor;
    for (unsigned n = 0; cursor->row < family->end; n++) {
        struct record record;
        if (n == RECORDS_A_STEP) return false;
        cursor->at = record_read(cursor->at, &record);
        cursor->row = record_row(cursor->at, cursor->end);
        if (record.row < family->first || !is_shown(place, &record)) continue;
        encoder_begin_series(place->encoder);
        write_record(fleet, place, &record);
    }
    /*
     * Prefetches the records of the next families. They are in the cache after all other targets are written.
     */
    if (cursor->at < cursor->end) __builtin_prefetch(cursor->at + CACHE_LINE);
    return true;
}

/* --- Unknown stats --- */

static void write_unmapped_record(struct fleet_walk *fleet, const struct place *place,
                                  const struct record *record)
{
    bool is_text = record->row == STAT_UNMAPPED_TEXT;
    if (!(place->commands & BY_CLASS(COMMAND_BIT(record->command)))) return;
    buffer_clear(&fleet->labels);
    labels_append(&fleet->labels, "command", slice_of(command_info(record->command)->name));
    labels_append(&fleet->labels, "stat", record->key);
    if (is_text) labels_append(&fleet->labels, "value", record->value);
    encoder_sample(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                   is_text ? SLICE("1") : record->value);
}

/*
 * Writes unknown stats. They are the last records of a snapshot: first those with a number, then those with a
 * text. Returns false if records remain.
 */
static bool write_unmapped(struct fleet_walk *fleet, const struct place *place, uint16_t row)
{
    struct fleet_cursor *cursor = place->cursor;
    for (unsigned n = 0; cursor->row <= row; n++) {
        struct record record;
        if (n == RECORDS_A_STEP) return false;
        cursor->at = record_read(cursor->at, &record);
        cursor->row = record_row(cursor->at, cursor->end);
        if (record.row == row) write_unmapped_record(fleet, place, &record);
    }
    return true;
}

/* --- Families made of counts --- */

static bool write_counts(struct fleet_walk *fleet, const struct place *place,
                         const struct counts_family *family)
{
    struct counts_place counts = {place->encoder, place->target_labels, place->snapshot, &fleet->labels};
    unsigned commands = family->needs & COMMANDS_ALL;
    if ((place->commands & family->needs) != family->needs) return true;
    if ((place->snapshot->answered & commands) != commands) return true;
    return family->write(&counts, &fleet->part);
}

/* --- The walk --- */

static size_t last_family(void)
{
    return fleet_table.collector.count - 1;
}

/*
 * Writes how many stats were left out: stats over the limit per server, and all stats of a target that did
 * not fit. If time ran out, the stats of all targets count.
 */
static void write_truncated(const struct fleet_walk *fleet, const struct place *place)
{
    const struct snapshot *snapshot = place->snapshot;
    bool is_left_out = fleet->late || (fleet->cut && fleet->cut[fleet->position]);
    uint64_t stats = snapshot ? snapshot->cut + (is_left_out ? snapshot->count : 0) : 0;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), stats);
}

/* Writes one family of one target. Returns false if samples remain. */
static bool write_family(struct fleet_walk *fleet, const struct place *place)
{
    size_t own = OUTCOME_FAMILIES, n = fleet->family;
    if (n < own) {
        struct outcome_place outcome = {place->encoder, place->target_labels, place->snapshot,
                                        place->commands};
        outcome_families[n].write(&outcome);
        return true;
    }
    if (n < own + fleet_table.count) return write_table_family(fleet, place, &fleet_table.families[n - own]);
    if (n < own + fleet_table.count + COUNTS_FAMILIES) {
        return write_counts(fleet, place, &counts_families[n - own - fleet_table.count]);
    }
    if (n == last_family()) {
        write_truncated(fleet, place);
        return true;
    }
    return write_unmapped(fleet, place, n + 2 == last_family() ? STAT_UNMAPPED : STAT_UNMAPPED_TEXT);
}

/* Returns true for the exporter's own families. Targets that did not answer have only these. */
static bool is_own(const struct fleet_walk *fleet)
{
    return fleet->family < OUTCOME_FAMILIES || fleet->family == last_family();
}

static size_t targets_of_family(const struct fleet_walk *fleet)
{
    return is_own(fleet) ? fan_out_count(fleet->fan_out) : fleet->heard;
}

static struct slice target_labels(const struct fleet_walk *fleet, size_t target)
{
    return fleet->with_labels ? slice_of(fan_out_target(fleet->fan_out, target)->labels) : SLICE("");
}

/* Returns the collectors whose metrics are written for a target. `stats` is always sent. */
static unsigned target_commands(const struct fleet_walk *fleet, size_t target)
{
    unsigned asked = fan_out_target(fleet->fan_out, target)->profile->commands;
    unsigned shown = fleet->commands & (asked | COMMAND_BIT(COMMAND_STATS)) & COLLECTORS_ALL;
    unsigned classless = WITHOUT_CLASSES(shown) & (fleet->commands | asked);
    return shown | (BY_CLASS(shown) & ~classless);
}

/*
 * The records of a large fleet have left the caches when the next family comes. So while one target is
 * written, the records of a target some places ahead are prefetched.
 */
#define PREFETCH_AHEAD 8

static struct place find_place(struct fleet_walk *fleet, struct encoder *encoder)
{
    size_t at = fleet->position;
    if (is_own(fleet)) {
        return (struct place){encoder, target_labels(fleet, at), fan_out_snapshot(fleet->fan_out, at), NULL,
                              target_commands(fleet, at)};
    }
    struct fleet_cursor *cursor = &fleet->cursors[at];
    if (at + PREFETCH_AHEAD < fleet->heard) {
        __builtin_prefetch(cursor[PREFETCH_AHEAD].at);
        __builtin_prefetch(cursor[PREFETCH_AHEAD].labels.data);
    }
    return (struct place){encoder, cursor->labels, cursor->snapshot, cursor, cursor->commands};
}

/* A step ends after this many targets, or this many bytes. */
#define TARGETS_A_STEP 64
#define BYTES_A_STEP   (16 * 1024)

/* Skips to the last family, memcached_target_truncated. This family is written even when time has run out. */
static void leave_out_rest(struct fleet_walk *fleet)
{
    fleet->late = true;
    fleet->family = last_family();
    fleet->announced = false;
    fleet->position = fleet->part = 0;
}

/*
 * Returns true if a server has a row of the family at or after `turn`. No cursor may have passed the family
 * yet.
 */
static bool has_turned(const struct fleet_walk *fleet, const struct table_family *family)
{
    for (size_t n = 0; n < fleet->heard; n++) {
        uint16_t row = fleet->cursors[n].row;
        if (row < family->turn || row >= family->end) continue;
        if (fleet->cursors[n].commands & fleet_table.shapes[row].shown_by) return true;
    }
    return false;
}

/* Begins a family in the encoder. The head of the family is made in advance, except for an early family. */
static void announce(struct fleet_walk *fleet, struct encoder *encoder)
{
    size_t n = fleet->family;
    const struct table_family *family = n < OUTCOME_FAMILIES || n >= OUTCOME_FAMILIES + fleet_table.count
                                            ? NULL
                                            : &fleet_table.families[n - OUTCOME_FAMILIES];
    fleet->announced = true;
    if (family && family->turn > family->first && !has_turned(fleet, family))
        encoder_family(encoder, &family->early);
    else
        encoder_family_ready(encoder, fleet->walk.collector->families[n], &fleet_table.heads[n]);
}

/* Prepares samples of series, once the format is known. Returns false if out of memory. */
static bool prepare_series(struct fleet_walk *fleet, struct encoder *encoder)
{
    fleet->series = fleet_series(encoder->form);
    for (size_t n = 0; n < fleet->heard; n++) {
        struct fleet_cursor *cursor = &fleet->cursors[n];
        cursor->rendered = encoder_target_labels(encoder, cursor->labels, &fleet->arena);
    }
    return fleet->series && !encoder->out->failed;
}

/* Writes one family of some targets, or a part of it. */
static bool fleet_step(struct walk *walk, struct encoder *encoder)
{
    struct fleet_walk *fleet = container_of(walk, struct fleet_walk, walk);
    size_t targets = targets_of_family(fleet), bytes = encoder->out->len + BYTES_A_STEP;
    if (fleet->family == walk->collector->count || fan_out_count(fleet->fan_out) == 0) return false;
    if (!fleet->series && !prepare_series(fleet, encoder)) {
        encoder->out->failed = true;
        return false;
    }

    if (fleet->end_ns && !is_own(fleet) && uv_hrtime() > fleet->end_ns) {
        leave_out_rest(fleet);
        return true;
    }
    if (!fleet->announced) announce(fleet, encoder);
    if (encoder->muted) fleet->position = targets;
    for (unsigned n = 0; n < TARGETS_A_STEP && fleet->position < targets; n++) {
        struct place place = find_place(fleet, encoder);
        if (!write_family(fleet, &place)) return true;
        fleet->position++;
        fleet->part = 0;
        if (encoder->out->len >= bytes) break;
    }
    if (fleet->position == targets) {
        fleet->position = 0;
        fleet->announced = false;
        fleet->family++;
    }
    return true;
}

/*
 * Makes a cursor for each target that sent data. The other targets are then skipped in each of the roughly
 * one hundred families.
 */
static bool find_heard(struct fleet_walk *fleet)
{
    size_t count = fan_out_count(fleet->fan_out);
    fleet->cursors = calloc(count + 1, sizeof(fleet->cursors[0]));
    if (!fleet->cursors) return false;
    for (size_t n = 0; n < count; n++) {
        const struct snapshot *snapshot = fan_out_snapshot(fleet->fan_out, n);
        if (!snapshot || !snapshot->answered) continue;
        const char *at = snapshot->records, *end = snapshot_end(snapshot);
        fleet->cursors[fleet->heard++] = (struct fleet_cursor){
            .at = at,
            .end = end,
            .labels = target_labels(fleet, n),
            .snapshot = snapshot,
            .target = n,
            .commands = target_commands(fleet, n),
            .row = record_row(at, end),
        };
    }
    return true;
}

int fleet_walk_init(struct fleet_walk *fleet, const struct fan_out *fan_out, unsigned commands,
                    bool with_labels)
{
    *fleet = (struct fleet_walk){.walk = {fleet_collector(), fleet_step},
                                 .fan_out = fan_out,
                                 .commands = commands,
                                 .with_labels = with_labels};
    buffer_init(&fleet->labels, SCRATCH_MAX);
    if (find_heard(fleet)) return 0;
    fleet_walk_deinit(fleet);
    return UV_ENOMEM;
}

int fleet_walk_limit(struct fleet_walk *fleet, size_t bytes, uint64_t end_ns)
{
    size_t kept = 0;
    fleet->end_ns = end_ns;
    fleet->cut = calloc(fan_out_count(fleet->fan_out) + 1, sizeof(fleet->cut[0]));
    if (!fleet->cut) return UV_ENOMEM;
    for (size_t n = 0; n < fleet->heard; n++) {
        const struct fleet_cursor *cursor = &fleet->cursors[n];
        size_t size = (size_t) (cursor->end - cursor->at);
        fleet->cut[cursor->target] = size > bytes;
        if (size > bytes) continue;
        bytes -= size;
        fleet->cursors[kept++] = *cursor;
    }
    fleet->heard = kept;
    return 0;
}

void fleet_walk_deinit(struct fleet_walk *fleet)
{
    free(fleet->cut);
    buffer_deinit(&fleet->labels);
    arena_deinit(&fleet->arena);
    free(fleet->cursors);
}
