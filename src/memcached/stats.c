#include "memcached/stats.h"

#include "base/container.h"
#include "base/number.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* --- Commands --- */

static const struct command_info commands[COMMAND_COUNT] = {
    [COMMAND_STATS] = {"stats", SLICE("stats\r\n"), "general statistics", REPLY_PAIRS, DANGER_NONE},
    [COMMAND_SETTINGS] = {"settings", SLICE("stats settings\r\n"), "settings of the server", REPLY_PAIRS,
                          DANGER_NONE},
    [COMMAND_ITEMS] = {"items", SLICE("stats items\r\n"), "items by slab class", REPLY_PAIRS, DANGER_NONE},
    [COMMAND_SLABS] = {"slabs", SLICE("stats slabs\r\n"), "memory and commands by slab class", REPLY_PAIRS,
                       DANGER_NONE},
    [COMMAND_SIZES] = {"sizes", SLICE("stats sizes\r\n"), "items by size", REPLY_PAIRS, DANGER_WALK},
    [COMMAND_CONNS] = {"conns", SLICE("stats conns\r\n"), "connections by state and idle time", REPLY_PAIRS,
                       DANGER_NONE},
    [COMMAND_DETAIL] = {"detail", SLICE("stats detail dump\r\n"), "commands by key prefix", REPLY_PREFIXES,
                        DANGER_NONE},
    [COMMAND_EXTSTORE] = {"extstore", SLICE("stats extstore\r\n"), "pages of external storage", REPLY_PAIRS,
                          DANGER_CRASH},
    [COMMAND_PROXY] = {"proxy", SLICE("stats proxy\r\n"), "the built-in proxy", REPLY_PAIRS, DANGER_NONE},
    [COMMAND_PROXYFUNCS] = {"proxyfuncs", SLICE("stats proxyfuncs\r\n"), "functions of the proxy",
                            REPLY_NAMES, DANGER_NONE},
    [COMMAND_PROXYBE] = {"proxybe", SLICE("stats proxybe\r\n"), "bad backends of the proxy", REPLY_NAMES,
                         DANGER_NONE},
};

const struct command_info *command_info(enum command command)
{
    return &commands[command];
}

unsigned commands_harmless(void)
{
    unsigned harmless = 0;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (commands[command].danger == DANGER_NONE) harmless |= COMMAND_BIT(command);
    }
    return harmless;
}

/* --- Sets of collectors --- */

const char *collector_name(unsigned collector)
{
    if (collector < COMMAND_COUNT) return commands[collector].name;
    return COMMAND_BIT(collector) == SLAB_SUMMARY ? "slab-summary" : "probe";
}

unsigned collector_find(struct slice name)
{
    for (unsigned collector = 0; collector < COLLECTOR_COUNT; collector++) {
        if (slice_is(name, collector_name(collector))) return COMMAND_BIT(collector);
    }
    return 0;
}

unsigned collectors_complete(unsigned named, bool implies)
{
    unsigned missing = SLAB_COMMANDS & ~named;
    if (named & SLAB_SUMMARY) return named | missing | WITHOUT_CLASSES(missing);
    return implies && !missing ? named | SLAB_SUMMARY : named;
}

/* --- The table --- */

/* For each stats command: the scope of its stats, and the words for it in HELP texts. */
#define SCOPE_OF_STATS            SCOPE_SERVER
#define SCOPE_OF_SETTINGS         SCOPE_SERVER
#define SCOPE_OF_ITEMS            SCOPE_SLAB
#define SCOPE_OF_SLABS            SCOPE_SLAB
#define SCOPE_OF_TOTALS           SCOPE_SERVER
#define SCOPE_OF_EXTSTORE         SCOPE_PAGE
#define SCOPE_OF_PROXY            SCOPE_SERVER
#define NAME_STATS(stat)          "stat " stat
#define NAME_SETTINGS(stat)       "setting " stat
#define NAME_ITEMS(stat)          "stat items:N:" stat
#define NAME_SLABS(stat)          "stat N:" stat
#define NAME_TOTALS(stat)         "stat " stat
#define NAME_EXTSTORE(stat)       "stat N:" stat
#define NAME_PROXY(stat)          "stat " stat
#define ABOUT(where, stat, about) about " (" NAME_##where(stat) ")."

/* The two stats of `stats slabs` that have no slab class. */
#define COMMAND_TOTALS COMMAND_SLABS

/* The general row. More fields may follow the constant labels. */
#define ROW(where, stat, metric, type, shape, set, ...)                                                      \
    {                                                                                                        \
        .command = COMMAND_##where, .key = stat, .scope = SCOPE_OF_##where, .family = metric, .kind = type,  \
        .form = shape, .labels = set, __VA_ARGS__                                                            \
    }

/* A stat that has a family of its own. */
#define COUNTER(where, stat, metric, about) COUNTER_AS(FORM_UNSIGNED, where, stat, metric, about)
#define GAUGE(where, stat, metric, about)   GAUGE_AS(FORM_UNSIGNED, where, stat, metric, about)
#define COUNTER_AS(shape, where, stat, metric, about)                                                        \
    ROW(where, stat, metric, STAT_COUNTER, shape, "", .help = ABOUT(where, stat, about))
#define GAUGE_AS(shape, where, stat, metric, about)                                                          \
    ROW(where, stat, metric, STAT_GAUGE, shape, "", .help = ABOUT(where, stat, about))

/* A gauge that prometheus/memcached_exporter calls a counter. */
#define NAMED_COUNTER(where, stat, metric, about)                                                            \
    ROW(where, stat, metric, STAT_NAMED_COUNTER, FORM_UNSIGNED, "", .help = ABOUT(where, stat, about))

/* A string that becomes the value of a label. */
#define TEXT(type, where, stat, metric, name, about)                                                         \
    ROW(where, stat, metric, type, FORM_TEXT, "", .label = name, .help = ABOUT(where, stat, about))

/* A counter that shares its family with others. The first row of the family has the help. */
#define PART(where, stat, metric, set) ROW(where, stat, metric, STAT_COUNTER, FORM_UNSIGNED, set, )
#define FIRST(where, stat, metric, set, ...)                                                                 \
    ROW(where, stat, metric, STAT_COUNTER, FORM_UNSIGNED, set, __VA_ARGS__)

/* A setting that is a string. */
#define SETTING_TEXT(stat, ...)                                                                              \
    ROW(SETTINGS, stat, "memcached_setting_info", STAT_INFO, FORM_TEXT, "setting=\"" stat "\"",              \
        .label = "value", __VA_ARGS__)

/* A number for each thing that users named. The label `name_label` takes the name. */
#define NAMED(type, where, stat, metric, name_label, about)                                                  \
    {                                                                                                        \
        .command = COMMAND_##where, .key = stat, .scope = SCOPE_NAME, .family = metric, .kind = type,        \
        .form = FORM_UNSIGNED, .labels = "", .label = name_label, .help = about " (stat " stat "NAME)."      \
    }

static const struct stat_row rows[] = {
#include "memcached/stats_proxy.inc"
#include "memcached/stats_server.inc"
#include "memcached/stats_settings.inc"
#include "memcached/stats_slabs.inc"
#include "memcached/stats_storage.inc"
};

_Static_assert(ARRAY_LEN(rows) <= STAT_ROWS_MAX, "the index has no room for more");

uint16_t stats_count(void)
{
    return ARRAY_LEN(rows);
}

const struct stat_row *stats_row(unsigned row)
{
    assert(row < ARRAY_LEN(rows));
    return &rows[row];
}

/* --- The index --- */

/*
 * Size of the index, a power of two. It uses open addressing. At most half of the slots are taken, so that
 * the search for an unknown key ends soon.
 */
#define SLOTS (2 * STAT_ROWS_MAX)

/* The key of a row, kept apart from the rest of the row. So all keys stay in the CPU's first cache. */
struct row_key {
    const char *text;
    uint8_t len, command, scope;
};

/* Facts derived from the table on first use. */
static struct {
    bool made;
    uint16_t slots[SLOTS]; /* row numbers, found by command and key; STAT_UNMAPPED is a free slot */
    struct row_key keys[ARRAY_LEN(rows)];
    struct stat_traits traits[ARRAY_LEN(rows)];
    uint16_t preferred[ARRAY_LEN(rows)];
    uint16_t minus[ARRAY_LEN(rows)][STAT_MINUS_MAX];
    uint8_t minus_count[ARRAY_LEN(rows)];
} table_index;

/*
 * Returns the first slot for a key, by FNV-1a. The command is not hashed: stats of several commands may have
 * the same key and share a run of slots.
 */
static unsigned slot_of(struct slice key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++) hash = (hash ^ (unsigned char) key.data[i]) * 16777619u;
    return (hash ^ hash >> 16) % SLOTS;
}

static bool is_row(uint16_t row, enum command command, enum stat_scope scope, struct slice key)
{
    const struct row_key *own = &table_index.keys[row];
    return own->len == key.len && own->command == command && own->scope == scope &&
           memcmp(own->text, key.data, key.len) == 0;
}

/* Returns the slot of that row, or the free slot where the row belongs. */
static uint16_t *find_slot(enum command command, enum stat_scope scope, struct slice key)
{
    for (unsigned at = slot_of(key);; at = (at + 1) % SLOTS) {
        uint16_t *slot = &table_index.slots[at];
        if (*slot == STAT_UNMAPPED || is_row(*slot, command, scope, key)) return slot;
    }
}

static void index_keys(void)
{
    for (unsigned i = 0; i < SLOTS; i++) table_index.slots[i] = STAT_UNMAPPED;
    for (uint16_t i = 0; i < stats_count(); i++) {
        struct slice key = slice_of(rows[i].key);
        table_index.keys[i] =
            (struct row_key){key.data, (uint8_t) key.len, (uint8_t) rows[i].command, (uint8_t) rows[i].scope};
        *find_slot(rows[i].command, rows[i].scope, key) = i;
    }
}

/* Compares no scopes: all rows of a family have the same scope. */
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
        uint16_t found = *find_slot(rows[row].command, rows[row].scope, slice_cut(&keys, ' '));
        assert(found != STAT_UNMAPPED && table_index.minus_count[row] < STAT_MINUS_MAX);
        table_index.minus[row][table_index.minus_count[row]++] = found;
    }
}

/* Returns true if a session must see the lines of a row, see session.c. */
static bool is_told(const struct stat_row *row)
{
    return row->command == COMMAND_STATS &&
           (strcmp(row->key, "version") == 0 || strcmp(row->key, "extstore_limit_maxbytes") == 0);
}

static void index_traits(uint16_t row)
{
    bool alone = table_index.minus_count[row] == 0 && table_index.preferred[row] == STAT_UNMAPPED;
    table_index.traits[row] = (struct stat_traits){
        .form = (uint8_t) rows[row].form,
        .scope = (uint8_t) rows[row].scope,
        .may_be_planned = rows[row].scope != SCOPE_NAME && !is_told(&rows[row]),
        .plain = alone && rows[row].scope != SCOPE_NAME,
    };
}

static void make_index(void)
{
    if (table_index.made) return;
    index_keys();
    for (uint16_t i = 0; i < stats_count(); i++) {
        table_index.preferred[i] = find_preferred(i);
        if (rows[i].minus) index_minus(i);
        index_traits(i);
    }
    table_index.made = true;
}

/*
 * Removes "items:N:" (stats items) or "N:" (other commands) from the start of the key. Returns false if the
 * key does not begin like that.
 */
static bool take_number(enum command command, struct slice *key, uint32_t *number)
{
    uint64_t parsed;
    struct slice rest = *key;
    if (command == COMMAND_ITEMS) {
        if (!slice_starts(rest, "items:")) return false;
        rest = slice_from(rest, strlen("items:"));
    }
    size_t digits = number_scan_u64(rest, &parsed);
    if (digits == 0 || parsed > UINT32_MAX || digits == rest.len || rest.data[digits] != ':') return false;
    rest = slice_from(rest, digits + 1);
    *number = (uint32_t) parsed;
    *key = rest;
    return true;
}

/* Returns the scope of the numbers in a command's keys, or SCOPE_SERVER. */
static enum stat_scope number_scope(enum command command)
{
    if (command == COMMAND_ITEMS || command == COMMAND_SLABS) return SCOPE_SLAB;
    return command == COMMAND_EXTSTORE ? SCOPE_PAGE : SCOPE_SERVER;
}

/* Finds a SCOPE_NAME row whose key the given key begins with: "user_" for "user_x". */
static uint16_t find_named(enum command command, struct slice key)
{
    const char *end = key.len ? memchr(key.data, '_', key.len) : NULL;
    if (!end) return STAT_UNMAPPED;
    key.len = (size_t) (end - key.data) + 1;
    return *find_slot(command, SCOPE_NAME, key);
}

uint16_t stats_find(enum command command, struct slice key, uint32_t *number)
{
    enum stat_scope scope = number_scope(command);
    make_index();
    *number = 0;
    if (scope != SCOPE_SERVER && !take_number(command, &key, number)) scope = SCOPE_SERVER;
    uint16_t row = *find_slot(command, scope, key);
    if (row == STAT_UNMAPPED && scope == SCOPE_SERVER) row = find_named(command, key);
    if (row == STAT_UNMAPPED) *number = 0;
    return row;
}

const struct stat_traits *stats_traits(unsigned row)
{
    make_index();
    assert(row < ARRAY_LEN(rows));
    return &table_index.traits[row];
}

const char *stats_number_label(const struct stat_row *row)
{
    switch (row->scope) {
    case SCOPE_SLAB:
        return "slab";
    case SCOPE_PAGE:
        return "page";
    default:
        return NULL;
    }
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
