/*
 * The order of the exposition is: what the exporter itself knows of a target, the rows of the stats table,
 * what is made of counts, then what the table does not know. The entries of a snapshot are sorted by row, and
 * the families of the table are runs of rows, so that one cursor for each target, moving forward only, finds
 * the entries of every family.
 */
#include "collectors/fleet.h"

#include "base/container.h"
#include "collectors/counts.h"
#include "memcached/stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Longer than any label set: its parts are lines of at most 2 KiB, of which escaping may make three times as
 * much. */
#define SCRATCH_MAX (16 * 1024)

/* One sample's surroundings: which target it belongs to and what that target said. */
struct place {
    size_t target; /* its number in the round */
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot; /* NULL for a target that was never asked */
};

/* --- What the exporter knows of a target --- */

static void write_up(struct fleet_walk *fleet, const struct place *place)
{
    (void) fleet;
    bool up = place->snapshot && place->snapshot->state == TARGET_UP;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), up);
}

static void write_state(struct fleet_walk *fleet, const struct place *place)
{
    enum target_state actual = place->snapshot ? place->snapshot->state : TARGET_TIMEOUT;
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++) {
        buffer_clear(&fleet->labels);
        labels_append(&fleet->labels, "memcached_target_state", slice_of(target_state_name(state)));
        encoder_sample_u64(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                           state == actual);
    }
}

static void write_duration(struct fleet_walk *fleet, const struct place *place)
{
    (void) fleet;
    double seconds = place->snapshot ? (double) place->snapshot->duration_ns / 1e9 : 0;
    encoder_sample_double(place->encoder, place->target_labels, SLICE(""), seconds);
}

static void write_reused(struct fleet_walk *fleet, const struct place *place)
{
    (void) fleet;
    bool reused = place->snapshot && place->snapshot->reused;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), reused);
}

/* A command that was not sent, for the server's sake, has neither succeeded nor failed. */
static void write_success(struct fleet_walk *fleet, const struct place *place)
{
    unsigned asked = place->snapshot ? place->snapshot->asked : commands_harmless();
    unsigned answered = place->snapshot ? place->snapshot->answered : 0;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        unsigned bit = COMMAND_BIT(command);
        if (!(fleet->commands & asked & bit)) continue;
        buffer_clear(&fleet->labels);
        labels_append(&fleet->labels, "collector", slice_of(command_info(command)->name));
        encoder_sample_u64(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                           (answered & bit) != 0);
    }
}

static void write_parse_errors(struct fleet_walk *fleet, const struct place *place)
{
    (void) fleet;
    unsigned errors = place->snapshot ? place->snapshot->parse_errors : 0;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), errors);
}

static const struct {
    struct family family;
    void (*write)(struct fleet_walk *fleet, const struct place *place);
} own_families[] = {
    {{"memcached_up", "Whether the memcached server answered stats in whole and was understood.",
      METRIC_GAUGE, ""},
     write_up},
    {{"memcached_target_state", "What the last poll of the memcached server came to.", METRIC_STATE_SET,
      "memcached_target_state"},
     write_state},
    {{"memcached_target_scrape_duration_seconds", "How long the poll of the memcached server took.",
      METRIC_GAUGE, ""},
     write_duration},
    {{"memcached_target_connection_reused",
      "Whether the poll used a connection that was kept from an earlier one.", METRIC_GAUGE, ""},
     write_reused},
    {{"memcached_target_collector_success",
      "Whether the memcached server answered the stats command of this collector.", METRIC_GAUGE,
      "collector"},
     write_success},
    {{"memcached_target_parse_errors", "Values in this poll that could not be read; each costs its sample.",
      METRIC_GAUGE, ""},
     write_parse_errors},
};

static const struct family unmapped = {"memcached_unmapped_stat",
                                       "A numeric stat that this version of the exporter has no metric for.",
                                       METRIC_UNKNOWN, "command,stat"};

/* --- The stats table as families --- */

/* Longer than the names of all labels of any row. */
#define LABEL_NAMES_MAX 48

struct table_family {
    struct family family;
    uint16_t first, end; /* rows */
    char labels[LABEL_NAMES_MAX];
};

/* Made once, from rows that live as long as the program. */
static struct {
    struct table_family families[STAT_ROWS_MAX];
    size_t count;
    struct collector collector;
    const struct family *pointers[ARRAY_LEN(own_families) + STAT_ROWS_MAX + COUNTS_FAMILIES + 1];
} table;

/* The names of a row's labels, from the pieces that its label sets are made of. */
static void append_label_names(struct table_family *family, const struct stat_row *row)
{
    struct slice rest = slice_of(row->labels);
    const char *number = stats_number_label(row);
    size_t len = 0;
    if (number) len += (size_t) snprintf(family->labels, LABEL_NAMES_MAX, "%s,", number);
    while (rest.len) {
        struct slice label = slice_cut(&rest, ',');
        struct slice name = slice_cut(&label, '=');
        len += (size_t) snprintf(family->labels + len, LABEL_NAMES_MAX - len, "%.*s,", SLICE_ARG(name));
    }
    if (row->label) len += (size_t) snprintf(family->labels + len, LABEL_NAMES_MAX - len, "%s,", row->label);
    assert(len < LABEL_NAMES_MAX);
    if (len) family->labels[len - 1] = '\0';
}

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

static void make_families(void)
{
    for (uint16_t row = 0; row < stats_count(); row++) {
        const struct stat_row *stat = stats_row(row);
        struct table_family *last = table.count ? &table.families[table.count - 1] : NULL;
        if (!stat->family) continue;
        if (last && strcmp(last->family.name, stat->family) == 0) {
            last->end = (uint16_t) (row + 1);
            continue;
        }
        last = &table.families[table.count++];
        append_label_names(last, stat);
        last->family = (struct family){stat->family, stat->help, type_of(stat->kind), last->labels};
        last->first = row;
        last->end = (uint16_t) (row + 1);
    }
}

const struct collector *fleet_collector(void)
{
    size_t count = 0;
    if (table.count) return &table.collector;
    make_families();
    for (size_t n = 0; n < ARRAY_LEN(own_families); n++) table.pointers[count++] = &own_families[n].family;
    for (size_t n = 0; n < table.count; n++) table.pointers[count++] = &table.families[n].family;
    for (size_t n = 0; n < COUNTS_FAMILIES; n++) table.pointers[count++] = &counts_families[n].family;
    table.pointers[count++] = &unmapped;
    table.collector = (struct collector){"fleet", table.pointers, count, ""};
    return &table.collector;
}

/* The label set of one entry; into the collector's scratch unless it is constant. */
static struct slice entry_labels(struct fleet_walk *fleet, const struct snapshot *snapshot,
                                 const struct stat_entry *entry, const struct stat_row *row)
{
    const char *number = stats_number_label(row);
    if (!number && !row->label) return slice_of(row->labels);
    buffer_clear(&fleet->labels);
    if (number) {
        /* On the path of most samples, where printf would take a third of the time of a scrape. */
        buffer_append_string(&fleet->labels, number);
        buffer_append_string(&fleet->labels, "=\"");
        buffer_append_u64(&fleet->labels, entry->number);
        buffer_append_string(&fleet->labels, row->labels[0] ? "\"," : "\"");
    }
    buffer_append_string(&fleet->labels, row->labels);
    if (row->form == FORM_TEXT) labels_append(&fleet->labels, row->label, stat_value(snapshot, entry));
    if (row->scope == SCOPE_NAME) labels_append(&fleet->labels, row->label, stat_key(snapshot, entry));
    return buffer_slice(&fleet->labels);
}

/* Whether an earlier row says the same of the same thing. */
static bool is_said(const struct fleet_walk *fleet, const struct snapshot *snapshot,
                    const struct stat_entry *entry)
{
    uint16_t preferred = stats_preferred(entry->row);
    if (preferred == STAT_UNMAPPED) return false;
    if (!(fleet->commands & COMMAND_BIT(stats_row(preferred)->command))) return false;
    return snapshot_find(snapshot, preferred, entry->number) != NULL;
}

static void write_entry(struct fleet_walk *fleet, const struct place *place, const struct stat_entry *entry)
{
    const struct stat_row *row = stats_row(entry->row);
    if (!(fleet->commands & COMMAND_BIT(row->command)) || is_said(fleet, place->snapshot, entry)) return;
    buffer_clear(&fleet->value);
    if (row->form == FORM_TEXT)
        buffer_append_char(&fleet->value, '1');
    else
        stat_append_number(place->snapshot, entry, &fleet->value);
    encoder_sample(place->encoder, place->target_labels, entry_labels(fleet, place->snapshot, entry, row),
                   buffer_slice(&fleet->value));
}

/*
 * One server may have thousands of entries in a family (pages of an external store, stats that nobody knows):
 * so many are written in one step, which stays small even if each of them has long labels. False when there are more.
 */
#define ENTRIES_A_STEP 32

static bool write_table_family(struct fleet_walk *fleet, const struct place *place,
                               const struct table_family *family)
{
    uint32_t *cursor = &fleet->cursors[place->target];
    const struct snapshot *snapshot = place->snapshot;
    for (unsigned n = 0; *cursor < snapshot->count && snapshot->stats[*cursor].row < family->end; n++) {
        if (n == ENTRIES_A_STEP) return false;
        const struct stat_entry *entry = &snapshot->stats[(*cursor)++];
        if (entry->row >= family->first) write_entry(fleet, place, entry);
    }
    return true;
}

/* --- What the table does not know --- */

static void write_unmapped_entry(struct fleet_walk *fleet, const struct place *place,
                                 const struct stat_entry *entry)
{
    if (entry->row != STAT_UNMAPPED || !(fleet->commands & COMMAND_BIT(entry->command))) return;
    buffer_clear(&fleet->labels);
    labels_append(&fleet->labels, "command", slice_of(command_info(entry->command)->name));
    labels_append(&fleet->labels, "stat", stat_key(place->snapshot, entry));
    encoder_sample(place->encoder, place->target_labels, buffer_slice(&fleet->labels),
                   stat_value(place->snapshot, entry));
}

/* They are the last entries of a snapshot. */
static bool write_unmapped(struct fleet_walk *fleet, const struct place *place)
{
    uint32_t *cursor = &fleet->cursors[place->target];
    for (unsigned n = 0; *cursor < place->snapshot->count; n++) {
        if (n == ENTRIES_A_STEP) return false;
        write_unmapped_entry(fleet, place, &place->snapshot->stats[(*cursor)++]);
    }
    return true;
}

/* --- What is made of counts --- */

static bool write_counts(struct fleet_walk *fleet, const struct place *place,
                         const struct counts_family *family)
{
    struct counts_place counts = {place->encoder, place->target_labels, place->snapshot, &fleet->labels};
    if (!(fleet->commands & place->snapshot->answered & COMMAND_BIT(family->command))) return true;
    return family->write(&counts, &fleet->part);
}

/* --- The walk --- */

/* False when the family has more samples of this target. */
static bool write_family(struct fleet_walk *fleet, const struct place *place)
{
    size_t own = ARRAY_LEN(own_families), n = fleet->family;
    if (n < own) {
        own_families[n].write(fleet, place);
        return true;
    }
    if (n < own + table.count) return write_table_family(fleet, place, &table.families[n - own]);
    if (n < own + table.count + COUNTS_FAMILIES) {
        return write_counts(fleet, place, &counts_families[n - own - table.count]);
    }
    return write_unmapped(fleet, place);
}

/* Only what the exporter itself knows is told of targets that said nothing. */
static size_t targets_of_family(const struct fleet_walk *fleet)
{
    return fleet->family < ARRAY_LEN(own_families) ? round_count(fleet->round) : fleet->heard_count;
}

static struct place find_place(const struct fleet_walk *fleet, struct encoder *encoder)
{
    size_t target = fleet->family < ARRAY_LEN(own_families) ? fleet->position : fleet->heard[fleet->position];
    struct place place = {.encoder = encoder,
                          .target = target,
                          .target_labels = SLICE(""),
                          .snapshot = round_snapshot(fleet->round, target)};
    if (fleet->with_labels) place.target_labels = slice_of(round_target(fleet->round, target)->labels);
    return place;
}

/* One family of one target, or a part of it; or the whole of a family that has nothing to write. */
static bool step(struct walk *walk, struct encoder *encoder)
{
    struct fleet_walk *fleet = container_of(walk, struct fleet_walk, walk);
    if (fleet->family == walk->collector->count || round_count(fleet->round) == 0) return false;

    encoder_family(encoder, walk->collector->families[fleet->family]);
    if (encoder->muted || fleet->position == targets_of_family(fleet)) {
        fleet->position = 0;
        fleet->family++;
        return true;
    }
    struct place place = find_place(fleet, encoder);
    if (!write_family(fleet, &place)) return true;
    fleet->position++;
    fleet->part = 0;
    return true;
}

/* Which targets said anything, so that the others are passed over at each of some hundred families. */
static bool find_heard(struct fleet_walk *fleet)
{
    size_t count = round_count(fleet->round);
    fleet->cursors = calloc(count + 1, sizeof(fleet->cursors[0]));
    fleet->heard = calloc(count + 1, sizeof(fleet->heard[0]));
    if (!fleet->cursors || !fleet->heard) return false;
    for (size_t n = 0; n < count; n++) {
        const struct snapshot *snapshot = round_snapshot(fleet->round, n);
        if (snapshot && snapshot->answered) fleet->heard[fleet->heard_count++] = (uint32_t) n;
    }
    return true;
}

int fleet_walk_init(struct fleet_walk *fleet, const struct round *round, unsigned commands, bool with_labels)
{
    *fleet = (struct fleet_walk){
        .walk = {fleet_collector(), step}, .round = round, .commands = commands, .with_labels = with_labels};
    buffer_init(&fleet->labels, SCRATCH_MAX);
    buffer_init(&fleet->value, SCRATCH_MAX);
    if (find_heard(fleet)) return 0;
    fleet_walk_deinit(fleet);
    return UV_ENOMEM;
}

void fleet_walk_deinit(struct fleet_walk *fleet)
{
    buffer_deinit(&fleet->labels);
    buffer_deinit(&fleet->value);
    free(fleet->cursors);
    free(fleet->heard);
}
