/*
 * The order of the exposition is: what the exporter itself knows of a target, the rows of the stats table,
 * then what the table does not know. The entries of a snapshot are sorted by row, and the families of the
 * table are runs of rows, so that one cursor for each target, moving forward only, finds the entries of every
 * family.
 */
#include "collectors/fleet.h"

#include "base/container.h"
#include "memcached/stats.h"

#include <stdlib.h>
#include <uv.h>

/* Longer than any label set: its parts are lines of at most 2 KiB, of which escaping may make three times as
 * much. */
#define SCRATCH_MAX (16 * 1024)

/* One sample's surroundings: which target it belongs to and what that target said. */
struct place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot; /* NULL for a target that was never asked */
};

/* --- What the exporter knows of a target --- */

static void write_up(struct fleet_collector *fleet, const struct place *place)
{
    (void) fleet;
    bool up = place->snapshot && place->snapshot->state == TARGET_UP;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), up);
}

static void write_state(struct fleet_collector *fleet, const struct place *place)
{
    enum target_state actual = place->snapshot ? place->snapshot->state : TARGET_TIMEOUT;
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++) {
        buffer_clear(&fleet->labels);
        labels_append(&fleet->labels, "memcached_target_state", slice_of(target_state_name(state)));
        encoder_sample_u64(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                           state == actual);
    }
}

static void write_duration(struct fleet_collector *fleet, const struct place *place)
{
    (void) fleet;
    double seconds = place->snapshot ? (double) place->snapshot->duration_ns / 1e9 : 0;
    encoder_sample_double(place->encoder, place->target_labels, SLICE(""), seconds);
}

static void write_reused(struct fleet_collector *fleet, const struct place *place)
{
    (void) fleet;
    bool reused = place->snapshot && place->snapshot->reused;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), reused);
}

static void write_success(struct fleet_collector *fleet, const struct place *place)
{
    unsigned answered = place->snapshot ? place->snapshot->answered : 0;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        unsigned bit = COMMAND_BIT(command);
        if (!(fleet->commands & bit)) continue;
        buffer_clear(&fleet->labels);
        labels_append(&fleet->labels, "collector", slice_of(command_info(command)->name));
        encoder_sample_u64(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                           (answered & bit) != 0);
    }
}

static void write_parse_errors(struct fleet_collector *fleet, const struct place *place)
{
    (void) fleet;
    unsigned errors = place->snapshot ? place->snapshot->parse_errors : 0;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), errors);
}

static const struct {
    struct family family;
    void (*write)(struct fleet_collector *fleet, const struct place *place);
} own_families[] = {
    {{"memcached_up", "Whether the memcached server answered stats in whole and was understood.",
      METRIC_GAUGE},
     write_up},
    {{"memcached_target_state", "What the last poll of the memcached server came to.", METRIC_STATE_SET},
     write_state},
    {{"memcached_target_scrape_duration_seconds", "How long the poll of the memcached server took.",
      METRIC_GAUGE},
     write_duration},
    {{"memcached_target_connection_reused",
      "Whether the poll used a connection that was kept from an earlier one.", METRIC_GAUGE},
     write_reused},
    {{"memcached_target_collector_success",
      "Whether the memcached server answered the stats command of this collector.", METRIC_GAUGE},
     write_success},
    {{"memcached_target_parse_errors", "Values in this poll that could not be read; each costs its sample.",
      METRIC_GAUGE},
     write_parse_errors},
};

/* --- The stats table as families --- */

struct table_family {
    struct family family;
    uint16_t first, end; /* rows */
};

/* Made once, from rows that live as long as the program. */
static struct {
    struct table_family families[STAT_ROWS_MAX];
    size_t count;
} table;

static enum metric_type type_of(enum stat_kind kind)
{
    switch (kind) {
    case STAT_COUNTER:
        return METRIC_COUNTER;
    case STAT_INFO:
        return METRIC_INFO;
    case STAT_GAUGE:
        break;
    }
    return METRIC_GAUGE;
}

static void make_table(void)
{
    if (table.count) return;
    for (uint16_t row = 0; row < stats_count(); row++) {
        const struct stat_row *stat = stats_row(row);
        struct table_family *last = table.count ? &table.families[table.count - 1] : NULL;
        if (!stat->family) continue;
        if (last && strcmp(last->family.name, stat->family) == 0) {
            last->end = (uint16_t) (row + 1);
            continue;
        }
        table.families[table.count++] = (struct table_family){
            .family = {stat->family, stat->help, type_of(stat->kind)},
            .first = row,
            .end = (uint16_t) (row + 1),
        };
    }
}

/* The label set of one entry; into the collector's scratch unless it is constant. */
static struct slice entry_labels(struct fleet_collector *fleet, const struct snapshot *snapshot,
                                 const struct stat_entry *entry, const struct stat_row *row)
{
    if (!row->per_slab && row->form != FORM_TEXT) return slice_of(row->labels);
    buffer_clear(&fleet->labels);
    if (row->per_slab) {
        buffer_append_string(&fleet->labels, "slab=\"");
        buffer_append_u64(&fleet->labels, entry->slab);
        buffer_append_string(&fleet->labels, row->labels[0] ? "\"," : "\"");
    }
    buffer_append_string(&fleet->labels, row->labels);
    if (row->form == FORM_TEXT) labels_append(&fleet->labels, row->label, stat_value(snapshot, entry));
    return buffer_slice(&fleet->labels);
}

static void write_entry(struct fleet_collector *fleet, const struct place *place,
                        const struct stat_entry *entry)
{
    const struct stat_row *row = stats_row(entry->row);
    uint16_t preferred = stats_preferred(entry->row);
    if (preferred != STAT_UNMAPPED && snapshot_find(place->snapshot, preferred, entry->slab)) return;
    buffer_clear(&fleet->value);
    if (row->form == FORM_TEXT)
        buffer_append_char(&fleet->value, '1');
    else
        stat_append_number(place->snapshot, entry, &fleet->value);
    encoder_sample(place->encoder, place->target_labels, entry_labels(fleet, place->snapshot, entry, row),
                   buffer_slice(&fleet->value));
}

static void write_table_family(struct fleet_collector *fleet, const struct place *place,
                               const struct table_family *family)
{
    uint32_t *cursor = &fleet->cursors[fleet->target];
    const struct snapshot *snapshot = place->snapshot;
    while (*cursor < snapshot->count && snapshot->stats[*cursor].row < family->end) {
        const struct stat_entry *entry = &snapshot->stats[(*cursor)++];
        if (entry->row >= family->first) write_entry(fleet, place, entry);
    }
}

/* --- What the table does not know --- */

static const struct family unmapped = {"memcached_unmapped_stat",
                                       "A numeric stat that this version of the exporter has no metric for.",
                                       METRIC_UNKNOWN};

static void write_unmapped(struct fleet_collector *fleet, const struct place *place)
{
    const struct snapshot *snapshot = place->snapshot;
    for (uint32_t n = fleet->cursors[fleet->target]; n < snapshot->count; n++) {
        const struct stat_entry *entry = &snapshot->stats[n];
        if (entry->row != STAT_UNMAPPED) continue;
        buffer_clear(&fleet->labels);
        labels_append(&fleet->labels, "command", slice_of(command_info(entry->command)->name));
        labels_append(&fleet->labels, "stat", stat_key(snapshot, entry));
        encoder_sample(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                       stat_value(snapshot, entry));
    }
}

/* --- The walk --- */

static void write_family(struct fleet_collector *fleet, const struct place *place)
{
    size_t own = ARRAY_LEN(own_families), n = fleet->family;
    if (n < own) {
        encoder_family(place->encoder, &own_families[n].family);
        own_families[n].write(fleet, place);
    } else if (!place->snapshot) {
        return;
    } else if (n < own + table.count) {
        encoder_family(place->encoder, &table.families[n - own].family);
        write_table_family(fleet, place, &table.families[n - own]);
    } else {
        encoder_family(place->encoder, &unmapped);
        write_unmapped(fleet, place);
    }
}

/* One family of one target. */
static bool step(struct collector *collector, struct encoder *encoder)
{
    struct fleet_collector *fleet = container_of(collector, struct fleet_collector, collector);
    if (fleet->target == round_count(fleet->round)) {
        fleet->target = 0;
        fleet->family++;
    }
    if (fleet->family > ARRAY_LEN(own_families) + table.count || round_count(fleet->round) == 0) return false;

    struct place place = {.encoder = encoder,
                          .target_labels = SLICE(""),
                          .snapshot = round_snapshot(fleet->round, fleet->target)};
    if (fleet->with_labels) place.target_labels = slice_of(round_target(fleet->round, fleet->target)->labels);
    write_family(fleet, &place);
    fleet->target++;
    return true;
}

int fleet_collector_init(struct fleet_collector *fleet, const struct round *round, unsigned commands,
                         bool with_labels)
{
    make_table();
    *fleet = (struct fleet_collector){
        .collector.step = step, .round = round, .commands = commands, .with_labels = with_labels};
    fleet->cursors = calloc(round_count(round) + 1, sizeof(fleet->cursors[0]));
    buffer_init(&fleet->labels, SCRATCH_MAX);
    buffer_init(&fleet->value, SCRATCH_MAX);
    return fleet->cursors ? 0 : UV_ENOMEM;
}

void fleet_collector_deinit(struct fleet_collector *fleet)
{
    buffer_deinit(&fleet->labels);
    buffer_deinit(&fleet->value);
    free(fleet->cursors);
}
