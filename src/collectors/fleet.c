/*
 * The order of the exposition: the exporter's own metrics of a target, the rows of the stats table, the
 * families made of counts, then unknown stats. The records of a snapshot are sorted by row, and each family
 * of the table is a run of rows. So one cursor for each target, which only moves forward, finds the records
 * of every family.
 */
#include "collectors/fleet.h"

#include "base/container.h"
#include "base/digits.h"
#include "collectors/counts.h"
#include "collectors/outcome.h"
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
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot; /* NULL for a target that was never asked */
    struct fleet_cursor *cursor;     /* NULL for one that said nothing */
    unsigned commands;               /* set of commands whose metrics are written */
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

/*
 * What the samples of a row have in common, measured once: constant labels, and among them, in the order of
 * the names, the label of the number.
 */
struct row_shape {
    struct slice before; /* constant labels: all of them where there is no number */
    struct slice number; /* the name of its number's label; empty for none */
    struct slice after;  /* constant labels */
};

#define FAMILIES_MAX (OUTCOME_FAMILIES + STAT_ROWS_MAX + COUNTS_FAMILIES + 1)
#define HEADS_MAX    (FAMILIES_MAX * 1024)

/* Made once, from rows that live as long as the program. */
static struct {
    struct table_family families[STAT_ROWS_MAX];
    struct row_shape shapes[STAT_ROWS_MAX];
    size_t count;
    struct collector collector;
    const struct family *pointers[FAMILIES_MAX];
    struct family_head heads[FAMILIES_MAX];
    struct buffer head_texts;
} table;

static void append_label_name(struct table_family *family, struct slice name)
{
    size_t len = strlen(family->labels);
    int added =
        snprintf(family->labels + len, LABEL_NAMES_MAX - len, "%s%.*s", len ? "," : "", SLICE_ARG(name));
    assert(len + (size_t) added < LABEL_NAMES_MAX);
    (void) added;
}

/* Of a set of constant labels, whose values have no comma. */
static void append_label_names(struct table_family *family, struct slice set)
{
    while (set.len) {
        struct slice label = slice_cut(&set, ',');
        append_label_name(family, slice_cut(&label, '='));
    }
}

/* Where in a set of constant labels, which are in the order of their names, another label has its place. */
static size_t find_place_of(const char *name, struct slice set)
{
    size_t at = 0;
    for (struct slice rest = set; rest.len;) {
        struct slice label = slice_cut(&rest, ','), other = slice_cut(&label, '=');
        if (strncmp(other.data, name, other.len) >= 0) break;
        at = set.len - rest.len;
    }
    return at;
}

/* The order of labels is that of the official exporter: by name. */
static struct row_shape shape_of(const struct stat_row *row)
{
    const char *number = stats_number_label(row);
    struct slice set = slice_of(row->labels);
    struct row_shape shape = {.before = set};
    if (!number) return shape;
    size_t at = find_place_of(number, set);
    shape.number = slice_of(number);
    shape.before.len = at && at < set.len ? at - 1 : at; /* without the comma */
    shape.after = slice_from(set, at);
    return shape;
}

static enum metric_type type_of(enum stat_kind kind)
{
    switch (kind) {
    case STAT_COUNTER:
        return METRIC_COUNTER;
    case STAT_NAMED_COUNTER:
        return METRIC_NAMED_COUNTER;
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
        struct row_shape *shape = &table.shapes[row];
        if (!stat->family) continue;
        *shape = shape_of(stat);
        if (last && strcmp(last->family.name, stat->family) == 0) {
            last->end = (uint16_t) (row + 1);
            continue;
        }
        last = &table.families[table.count++];
        append_label_names(last, shape->before);
        append_label_names(last, shape->number);
        append_label_names(last, shape->after);
        if (stat->label) append_label_name(last, slice_of(stat->label));
        last->family = (struct family){stat->family, stat->help, type_of(stat->kind), last->labels};
        last->first = row;
        last->end = (uint16_t) (row + 1);
    }
}

/* The heads of all families are half of the answer for a single server. */
static void make_heads(size_t count)
{
    struct buffer *texts = &table.head_texts;
    size_t ends[FAMILIES_MAX][FORMAT_PROTOBUF], start = 0;
    buffer_init(texts, HEADS_MAX);
    for (size_t n = 0; n < count; n++) {
        for (enum format format = 0; format < FORMAT_PROTOBUF; format++) {
            family_append_head(table.pointers[n], format, texts);
            ends[n][format] = texts->len;
        }
    }
    for (size_t n = 0; n < count && !texts->failed; n++) {
        for (enum format format = 0; format < FORMAT_PROTOBUF; format++) {
            table.heads[n].text[format] = (struct slice){texts->data + start, ends[n][format] - start};
            start = ends[n][format];
        }
    }
}

const struct collector *fleet_collector(void)
{
    size_t count = 0;
    if (table.count) return &table.collector;
    make_families();
    for (size_t n = 0; n < OUTCOME_FAMILIES; n++) table.pointers[count++] = &outcome_families[n].family;
    for (size_t n = 0; n < table.count; n++) table.pointers[count++] = &table.families[n].family;
    for (size_t n = 0; n < COUNTS_FAMILIES; n++) table.pointers[count++] = &counts_families[n].family;
    table.pointers[count++] = &unmapped;
    table.collector = (struct collector){"fleet", table.pointers, count, ""};
    make_heads(count);
    return &table.collector;
}

/* command="get",slab="1",status="hit": on the path of most samples. */
static void append_numbered(struct buffer *labels, const struct row_shape *shape, uint32_t number)
{
    char digits[DIGITS_MAX];
    const size_t marks = strlen(",=\"\",");
    char *at = buffer_reserve(labels, shape->before.len + shape->number.len + sizeof(digits) +
                                          shape->after.len + marks);
    if (!at) return;
    const char *start = at;
    if (shape->before.len) {
        at = slice_put(at, shape->before);
        *at++ = ',';
    }
    at = slice_put(at, shape->number);
    *at++ = '=';
    *at++ = '"';
    at = slice_put(at, digits_of(number, digits));
    *at++ = '"';
    if (shape->after.len) {
        *at++ = ',';
        at = slice_put(at, shape->after);
    }
    labels->len += (size_t) (at - start);
}

/* The label set of one record; into the collector's scratch unless it is constant. */
static struct slice record_labels(struct fleet_walk *fleet, const struct record *record,
                                  const struct stat_row *row)
{
    const struct row_shape *shape = &table.shapes[record->row];
    if (!shape->number.len && !row->label) return shape->before;
    buffer_clear(&fleet->labels);
    if (shape->number.len)
        append_numbered(&fleet->labels, shape, record->number);
    else
        buffer_append_slice(&fleet->labels, shape->before);
    if (row->form == FORM_TEXT) labels_append(&fleet->labels, row->label, record->value);
    if (row->scope == SCOPE_NAME) labels_append(&fleet->labels, row->label, record->key);
    return buffer_slice(&fleet->labels);
}

/* Whether an earlier row, of a command that is wanted too, says the same of the same thing. */
static bool is_said(const struct place *place, const struct record *record)
{
    if (!record->superseded) return false;
    return place->commands & COMMAND_BIT(stats_row(stats_preferred(record->row))->command);
}

static void write_record(struct fleet_walk *fleet, const struct place *place, const struct record *record)
{
    const struct stat_row *row = stats_row(record->row);
    if (!(place->commands & COMMAND_BIT(row->command)) || is_said(place, record)) return;
    encoder_sample(place->encoder, place->target_labels, record_labels(fleet, record, row),
                   row->form == FORM_TEXT ? SLICE("1") : record->value);
}

/*
 * One server may have thousands of records in a family (pages of an external store, stats that nobody knows):
 * so many are written in one step, which stays small even if each of them has long labels. False when there
 * are more.
 */
#define RECORDS_A_STEP 32
#define CACHE_LINE     64

static bool write_table_family(struct fleet_walk *fleet, const struct place *place,
                               const struct table_family *family)
{
    struct fleet_cursor *cursor = place->cursor;
    for (unsigned n = 0; cursor->row < family->end; n++) {
        struct record record;
        if (n == RECORDS_A_STEP) return false;
        cursor->at = record_read(cursor->at, &record);
        cursor->row = record_row(cursor->at, cursor->end);
        if (record.row >= family->first) write_record(fleet, place, &record);
    }
    /* For the next families: by then it has had the time of all other targets. */
    if (cursor->at < cursor->end) __builtin_prefetch(cursor->at + CACHE_LINE);
    return true;
}

/* --- What the table does not know --- */

static void write_unmapped_record(struct fleet_walk *fleet, const struct place *place,
                                  const struct record *record)
{
    if (record->row != STAT_UNMAPPED || !(place->commands & COMMAND_BIT(record->command))) return;
    buffer_clear(&fleet->labels);
    labels_append(&fleet->labels, "command", slice_of(command_info(record->command)->name));
    labels_append(&fleet->labels, "stat", record->key);
    encoder_sample(place->encoder, place->target_labels, buffer_slice(&fleet->labels), record->value);
}

/* They are the last records of a snapshot. */
static bool write_unmapped(struct fleet_walk *fleet, const struct place *place)
{
    struct fleet_cursor *cursor = place->cursor;
    for (unsigned n = 0; cursor->at < cursor->end; n++) {
        struct record record;
        if (n == RECORDS_A_STEP) return false;
        cursor->at = record_read(cursor->at, &record);
        write_unmapped_record(fleet, place, &record);
    }
    return true;
}

/* --- What is made of counts --- */

static bool write_counts(struct fleet_walk *fleet, const struct place *place,
                         const struct counts_family *family)
{
    struct counts_place counts = {place->encoder, place->target_labels, place->snapshot, &fleet->labels};
    if (!(place->commands & place->snapshot->answered & COMMAND_BIT(family->command))) return true;
    return family->write(&counts, &fleet->part);
}

/* --- The walk --- */

/* False when the family has more samples of this target. */
static bool write_family(struct fleet_walk *fleet, const struct place *place)
{
    size_t own = OUTCOME_FAMILIES, n = fleet->family;
    if (n < own) {
        struct outcome_place outcome = {place->encoder, place->target_labels, place->snapshot,
                                        place->commands};
        outcome_families[n].write(&outcome);
        return true;
    }
    if (n < own + table.count) return write_table_family(fleet, place, &table.families[n - own]);
    if (n < own + table.count + COUNTS_FAMILIES) {
        return write_counts(fleet, place, &counts_families[n - own - table.count]);
    }
    return write_unmapped(fleet, place);
}

/* Targets that did not answer get only the families of collectors/outcome. */
static bool is_own(const struct fleet_walk *fleet)
{
    return fleet->family < OUTCOME_FAMILIES;
}

static size_t targets_of_family(const struct fleet_walk *fleet)
{
    return is_own(fleet) ? fan_out_count(fleet->fan_out) : fleet->heard;
}

static struct slice target_labels(const struct fleet_walk *fleet, size_t target)
{
    return fleet->with_labels ? slice_of(fan_out_target(fleet->fan_out, target)->labels) : SLICE("");
}

/* `stats` is always asked, and always shown. */
static unsigned target_commands(const struct fleet_walk *fleet, size_t target)
{
    return fleet->commands &
           (fan_out_target(fleet->fan_out, target)->profile->commands | COMMAND_BIT(COMMAND_STATS));
}

/*
 * The records of a large fleet are in no cache any more when the next family comes round: those of a target
 * some places ahead are asked for while this one's are written.
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

/* A step ends after so many targets, or so many bytes. */
#define TARGETS_A_STEP 64
#define BYTES_A_STEP   (16 * 1024)

/* One family of some targets, or a part of it. */
static bool fleet_step(struct walk *walk, struct encoder *encoder)
{
    struct fleet_walk *fleet = container_of(walk, struct fleet_walk, walk);
    size_t targets = targets_of_family(fleet), bytes = encoder->out->len + BYTES_A_STEP;
    if (fleet->family == walk->collector->count || fan_out_count(fleet->fan_out) == 0) return false;

    encoder_family_ready(encoder, walk->collector->families[fleet->family], &table.heads[fleet->family]);
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
        fleet->family++;
    }
    return true;
}

/* Which targets said anything, so that the others are passed over at each of some hundred families. */
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

void fleet_walk_deinit(struct fleet_walk *fleet)
{
    buffer_deinit(&fleet->labels);
    free(fleet->cursors);
}
