#include "memcached/stats.h"

#include "base/container.h"
#include "base/number.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* --- Commands --- */

static const struct command_info commands[COMMAND_COUNT] = {
    [COMMAND_STATS] = {"stats", SLICE("stats\r\n"), "general statistics"},
    [COMMAND_SETTINGS] = {"settings", SLICE("stats settings\r\n"), "settings of the server"},
    [COMMAND_ITEMS] = {"items", SLICE("stats items\r\n"), "items by slab class"},
    [COMMAND_SLABS] = {"slabs", SLICE("stats slabs\r\n"), "memory and commands by slab class"},
};

const struct command_info *command_info(enum command command)
{
    return &commands[command];
}

void commands_append_request(unsigned set, struct buffer *request)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (set & COMMAND_BIT(command)) buffer_append_slice(request, command_info(command)->request);
    }
}

/* --- The table --- */

/* Whether the stats of a command come with a slab class, and how HELP names them. */
#define PER_SLAB_STATS            false
#define PER_SLAB_SETTINGS         false
#define PER_SLAB_ITEMS            true
#define PER_SLAB_SLABS            true
#define PER_SLAB_TOTALS           false
#define NAME_STATS(stat)          "stat " stat
#define NAME_SETTINGS(stat)       "setting " stat
#define NAME_ITEMS(stat)          "stat items:N:" stat
#define NAME_SLABS(stat)          "stat N:" stat
#define NAME_TOTALS(stat)         "stat " stat
#define ABOUT(where, stat, about) about " (" NAME_##where(stat) ")."

/* The two of stats slabs that come without a class. */
#define COMMAND_TOTALS COMMAND_SLABS

/* The general row; behind the constant labels come further fields. */
#define ROW(where, stat, metric, type, shape, set, ...)                                                      \
    {                                                                                                        \
        .command = COMMAND_##where, .key = stat, .per_slab = PER_SLAB_##where, .family = metric,             \
        .kind = type, .form = shape, .labels = set, __VA_ARGS__                                              \
    }

/* A stat that is a family of its own. */
#define COUNTER(where, stat, metric, about) COUNTER_AS(FORM_UNSIGNED, where, stat, metric, about)
#define GAUGE(where, stat, metric, about)   GAUGE_AS(FORM_UNSIGNED, where, stat, metric, about)
#define COUNTER_AS(shape, where, stat, metric, about)                                                        \
    ROW(where, stat, metric, STAT_COUNTER, shape, "", .help = ABOUT(where, stat, about))
#define GAUGE_AS(shape, where, stat, metric, about)                                                          \
    ROW(where, stat, metric, STAT_GAUGE, shape, "", .help = ABOUT(where, stat, about))

/* A string that becomes the value of a label. */
#define TEXT(type, where, stat, metric, name, about)                                                         \
    ROW(where, stat, metric, type, FORM_TEXT, "", .label = name, .help = ABOUT(where, stat, about))

/* A counter that shares its family with others; the first row of the family has the help. */
#define PART(where, stat, metric, set) ROW(where, stat, metric, STAT_COUNTER, FORM_UNSIGNED, set, )
#define FIRST(where, stat, metric, set, ...)                                                                 \
    ROW(where, stat, metric, STAT_COUNTER, FORM_UNSIGNED, set, __VA_ARGS__)

/* A setting that is a string. */
#define SETTING_TEXT(stat, ...)                                                                              \
    ROW(SETTINGS, stat, "memcached_setting_info", STAT_INFO, FORM_TEXT, "setting=\"" stat "\"",              \
        .label = "value", __VA_ARGS__)

static const struct stat_row rows[] = {
#include "memcached/stats_server.inc"
#include "memcached/stats_settings.inc"
#include "memcached/stats_slabs.inc"
};

_Static_assert(ARRAY_LEN(rows) <= STAT_ROWS_MAX, "the index has no room for more");

unsigned stats_count(void)
{
    return ARRAY_LEN(rows);
}

const struct stat_row *stats_row(unsigned row)
{
    assert(row < ARRAY_LEN(rows));
    return &rows[row];
}

/* --- The index --- */

/* Open addressing; at most half of the slots are taken, so that a key that nobody knows is soon known to be
 * so. A power of two. */
#define SLOTS (2 * STAT_ROWS_MAX)

/* What follows from the table, found out on first use. */
static struct {
    bool made;
    uint16_t slots[SLOTS]; /* rows by command and key; STAT_UNMAPPED is a free slot */
    uint16_t preferred[ARRAY_LEN(rows)];
    uint16_t minus[ARRAY_LEN(rows)][STAT_MINUS_MAX];
    uint8_t minus_count[ARRAY_LEN(rows)];
} table_index;

/* FNV-1a. Stats of several commands share a key, and then a run of slots. */
static unsigned slot_of(struct slice key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++) hash = (hash ^ (unsigned char) key.data[i]) * 16777619u;
    return (hash ^ hash >> 16) % SLOTS;
}

/* The slot of that row, or the free one where it would stand. */
static uint16_t *find_slot(enum command command, bool per_slab, struct slice key)
{
    for (unsigned at = slot_of(key);; at = (at + 1) % SLOTS) {
        uint16_t *slot = &table_index.slots[at];
        if (*slot == STAT_UNMAPPED) return slot;
        const struct stat_row *row = &rows[*slot];
        if (row->command == command && row->per_slab == per_slab && slice_is(key, row->key)) return slot;
    }
}

static void index_keys(void)
{
    for (unsigned i = 0; i < SLOTS; i++) table_index.slots[i] = STAT_UNMAPPED;
    for (uint16_t i = 0; i < ARRAY_LEN(rows); i++)
        *find_slot(rows[i].command, rows[i].per_slab, slice_of(rows[i].key)) = i;
}

/* A family is per class or not as a whole. */
static bool same_series(const struct stat_row *a, const struct stat_row *b)
{
    return a->family && b->family && strcmp(a->family, b->family) == 0 && strcmp(a->labels, b->labels) == 0;
}

static uint16_t find_preferred(uint16_t row)
{
    for (uint16_t earlier = 0; earlier < row; earlier++) {
        if (same_series(&rows[earlier], &rows[row])) return earlier;
    }
    return STAT_UNMAPPED;
}

static void index_minus(uint16_t row)
{
    struct slice keys = slice_of(rows[row].minus);
    while (keys.data) {
        uint16_t found = *find_slot(rows[row].command, rows[row].per_slab, slice_cut(&keys, ' '));
        assert(found != STAT_UNMAPPED && table_index.minus_count[row] < STAT_MINUS_MAX);
        table_index.minus[row][table_index.minus_count[row]++] = found;
    }
}

static void make_index(void)
{
    if (table_index.made) return;
    index_keys();
    for (uint16_t i = 0; i < ARRAY_LEN(rows); i++) {
        table_index.preferred[i] = find_preferred(i);
        if (rows[i].minus) index_minus(i);
    }
    table_index.made = true;
}

/* Takes "items:N:" of stats items, "N:" of stats slabs off the key. False when it has no such beginning. */
static bool take_slab(enum command command, struct slice *key, uint32_t *slab)
{
    uint64_t number;
    struct slice rest = *key;
    if (command != COMMAND_ITEMS && command != COMMAND_SLABS) return false;
    if (command == COMMAND_ITEMS && !slice_is(slice_cut(&rest, ':'), "items")) return false;
    if (!number_parse_u64(slice_cut(&rest, ':'), &number) || number > UINT32_MAX || !rest.data) return false;
    *slab = (uint32_t) number;
    *key = rest;
    return true;
}

uint16_t stats_find(enum command command, struct slice key, uint32_t *slab)
{
    make_index();
    *slab = 0;
    bool per_slab = take_slab(command, &key, slab);
    uint16_t row = *find_slot(command, per_slab, key);
    if (row == STAT_UNMAPPED) *slab = 0;
    return row;
}

uint16_t stats_preferred(unsigned row)
{
    make_index();
    assert(row < ARRAY_LEN(rows));
    return table_index.preferred[row];
}

unsigned stats_minus(unsigned row, uint16_t found[STAT_MINUS_MAX])
{
    make_index();
    assert(row < ARRAY_LEN(rows));
    memcpy(found, table_index.minus[row], sizeof(table_index.minus[row]));
    return table_index.minus_count[row];
}
