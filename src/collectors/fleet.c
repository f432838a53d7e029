/*
 * Order of the exposition: the exporter's own metrics of a target, the rows of the stats table, the families
 * made of counts, then unknown stats. The records of a snapshot are sorted by row, and each family of the
 * table is a range of rows. So one cursor for each target, which only moves forward, finds the records of
 * every family.
 */
#include "collectors/fleet.h"

#include "base/container.h"
#include "collectors/counts.h"
#include "collectors/fleet_rows.h"
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

/*
 * Records written per step. One server may have thousands of records in a family (pages of an external store,
 * unknown stats). This limit keeps a step short, even if every record has long labels.
 */
#define RECORDS_A_STEP 32

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
        cursor->row = record_row(cursor->at);
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

/* Writes one family of one target, except for those of the table. Returns false if samples remain. */
static bool write_family(struct fleet_walk *fleet, const struct place *place)
{
    size_t own = OUTCOME_FAMILIES, n = fleet->family;
    if (n < own) {
        struct outcome_place outcome = {place->encoder, place->target_labels, place->snapshot,
                                        place->commands};
        outcome_families[n].write(&outcome);
        return true;
    }
    if (n < own + fleet_table.count + COUNTS_FAMILIES) {
        return write_counts(fleet, place, &counts_families[n - own - fleet_table.count]);
    }
    if (n == last_family()) {
        write_truncated(fleet, place);
        return true;
    }
    return write_unmapped(fleet, place, n + 2 == last_family() ? STAT_UNMAPPED : STAT_UNMAPPED_TEXT);
}

/* Returns the current family if its samples are rows of the stats table, else NULL. */
static const struct table_family *family_of_table(const struct fleet_walk *fleet)
{
    size_t n = fleet->family - OUTCOME_FAMILIES;
    return fleet->family >= OUTCOME_FAMILIES && n < fleet_table.count ? &fleet_table.families[n] : NULL;
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

static struct place find_place(struct fleet_walk *fleet, struct encoder *encoder)
{
    size_t at = fleet->position;
    if (is_own(fleet)) {
        return (struct place){encoder, target_labels(fleet, at), fan_out_snapshot(fleet->fan_out, at), NULL,
                              target_commands(fleet, at)};
    }
    struct fleet_cursor *cursor = &fleet->cursors[at];
    return (struct place){encoder, cursor->labels, cursor->snapshot, cursor, cursor->commands};
}

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

/*
 * Skips families of the table of which no server has a row. Most of them are of commands that are not asked.
 */
static void skip_absent_families(struct fleet_walk *fleet)
{
    const struct table_family *family;
    while ((family = family_of_table(fleet)) && family->end <= fleet->next_row) fleet->family++;
}

/* Begins a family in the encoder. The head of the family is made in advance, except for an early family. */
static void announce(struct fleet_walk *fleet, struct encoder *encoder)
{
    const struct table_family *family = family_of_table(fleet);
    size_t n = fleet->family;
    fleet->announced = true;
    if (family && family->turn > family->first && !has_turned(fleet, family))
        encoder_family(encoder, &family->early);
    else
        encoder_family_ready(encoder, fleet->walk.collector->families[n], &fleet_table.heads[n]);
    if (family && !encoder->muted) fleet->next_row = UINT16_MAX;
}

/* Prepares samples of series, once the format is known. Returns false if out of memory. */
static bool prepare_series(struct fleet_walk *fleet, struct encoder *encoder)
{
    size_t longest = 0;
    fleet->rows = fleet_rows(encoder->form);
    for (size_t n = 0; n < fleet->heard; n++) {
        struct fleet_cursor *cursor = &fleet->cursors[n];
        cursor->rendered = encoder_target_labels(encoder, cursor->labels, &fleet->arena);
        if (cursor->rendered.len > longest) longest = cursor->rendered.len;
    }
    fleet->line_most = SERIES_LINE_MOST + longest;
    return fleet->rows && !encoder->out->failed;
}

/*
 * Writes one family of some targets: up to target `end`, or until the output has `bytes`. Stops at a target
 * whose samples take several steps.
 */
static void write_other_family(struct fleet_walk *fleet, struct encoder *encoder, size_t end, size_t bytes)
{
    while (fleet->position < end && encoder->out->len < bytes) {
        struct place place = find_place(fleet, encoder);
        if (!write_family(fleet, &place)) return;
        fleet->position++;
        fleet->part = 0;
    }
}

/* A step ends after this many targets, or this many bytes. */
#define TARGETS_A_STEP 64
#define BYTES_A_STEP   (16 * 1024)

/* Writes one family of some targets, or a part of it. */
static bool fleet_step(struct walk *walk, struct encoder *encoder)
{
    struct fleet_walk *fleet = container_of(walk, struct fleet_walk, walk);
    size_t bytes = encoder->out->len + BYTES_A_STEP, targets, end;
    if (!fleet->announced) skip_absent_families(fleet);
    if (fleet->family == walk->collector->count || fan_out_count(fleet->fan_out) == 0) return false;
    if (!fleet->rows && !prepare_series(fleet, encoder)) {
        encoder->out->failed = true;
        return false;
    }

    if (fleet->end_ns && !is_own(fleet) && uv_hrtime() > fleet->end_ns) {
        leave_out_rest(fleet);
        return true;
    }
    if (!fleet->announced) announce(fleet, encoder);
    targets = targets_of_family(fleet);
    end = targets - fleet->position < TARGETS_A_STEP ? targets : fleet->position + TARGETS_A_STEP;
    if (encoder->muted)
        fleet->position = targets;
    else if (family_of_table(fleet))
        fleet_rows_write(fleet, encoder, family_of_table(fleet), end, bytes);
    else
        write_other_family(fleet, encoder, end, bytes);
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
    fleet->cursors = calloc(count + FLEET_PREFETCH_AHEAD, sizeof(fleet->cursors[0]));
    if (!fleet->cursors) return false;
    for (size_t n = 0; n < count; n++) {
        const struct snapshot *snapshot = fan_out_snapshot(fleet->fan_out, n);
        if (!snapshot || !snapshot->answered) continue;
        const char *at = snapshot_begin(snapshot), *end = snapshot_end(snapshot);
        fleet->cursors[fleet->heard++] = (struct fleet_cursor){
            .at = at,
            .end = end,
            .labels = target_labels(fleet, n),
            .snapshot = snapshot,
            .target = n,
            .commands = target_commands(fleet, n),
            .row = record_row(at),
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
