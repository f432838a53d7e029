#include "memcached/snapshot.h"

#include "base/number.h"
#include "memcached/names.h"
#include "memcached/value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *target_state_name(enum target_state state)
{
    static const char *const names[TARGET_STATE_COUNT] = {
        [TARGET_UP] = "up",
        [TARGET_REFUSED] = "refused",
        [TARGET_TIMEOUT] = "timeout",
        [TARGET_UNRESOLVED] = "unresolved",
        [TARGET_UNREACHABLE] = "unreachable",
        [TARGET_PROTOCOL_ERROR] = "protocol_error",
        [TARGET_AUTH_FAILED] = "auth_failed",
        [TARGET_TLS_ERROR] = "tls_error",
        [TARGET_FORBIDDEN] = "forbidden",
        [TARGET_OVERLOADED] = "overloaded",
    };
    assert(state < TARGET_STATE_COUNT);
    return names[state];
}

/* --- Life --- */

struct snapshot *snapshot_new(unsigned asked, size_t text_cap, size_t max_prefixes)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot) return NULL;
    snapshot->references = 1;
    snapshot->state = TARGET_TIMEOUT;
    snapshot->asked = asked;
    /* Entries find their text by an offset of 32 bits. */
    buffer_init(&snapshot->text, text_cap < UINT32_MAX ? text_cap : UINT32_MAX);
    sizes_init(&snapshot->sizes);
    prefixes_init(&snapshot->prefixes, max_prefixes);
    return snapshot;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    snapshot->references++;
    return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
    if (!snapshot || --snapshot->references) return;
    buffer_deinit(&snapshot->text);
    free(snapshot->stats);
    sizes_deinit(&snapshot->sizes);
    free(snapshot->connections);
    prefixes_deinit(&snapshot->prefixes);
    free(snapshot);
}

/* --- Filling --- */

static bool make_room(struct snapshot *snapshot)
{
    if (snapshot->count < snapshot->size) return true;
    size_t size = snapshot->size ? 2 * snapshot->size : 128;
    struct stat_entry *stats = realloc(snapshot->stats, size * sizeof(stats[0]));
    if (!stats) return false;
    snapshot->stats = stats;
    snapshot->size = size;
    return true;
}

/* Keeps an entry whose key is in the text already, from `start` on. */
static bool append_entry(struct snapshot *snapshot, struct stat_entry entry, size_t start, struct slice value)
{
    size_t key_len = snapshot->text.len - start;
    if (key_len > UINT16_MAX || value.len > UINT16_MAX || !make_room(snapshot)) return false;
    buffer_append_slice(&snapshot->text, value);
    if (snapshot->text.failed) return false;
    entry.text = (uint32_t) start;
    entry.key_len = (uint16_t) key_len;
    entry.value_len = (uint16_t) value.len;
    snapshot->stats[snapshot->count++] = entry;
    return true;
}

static bool append(struct snapshot *snapshot, struct stat_entry entry, struct slice key, struct slice value)
{
    size_t start = snapshot->text.len;
    if (entry.row == STAT_UNMAPPED)
        name_append(&snapshot->text, key);
    else if (stats_row(entry.row)->scope == SCOPE_NAME)
        name_append(&snapshot->text, slice_from(key, strlen(stats_row(entry.row)->key)));
    return append_entry(snapshot, entry, start, value);
}

static bool add_stat(struct snapshot *snapshot, enum command command, struct slice key, struct slice value)
{
    struct stat_entry entry = {.command = (uint8_t) command};
    entry.row = stats_find(command, key, &entry.number);
    if (entry.row == STAT_UNMAPPED) return !number_is_decimal(value) || append(snapshot, entry, key, value);

    switch (value_judge(stats_row(entry.row)->form, value)) {
    case VALUE_KEEP:
        return append(snapshot, entry, key, value);
    case VALUE_WRONG:
        snapshot->parse_errors++;
        break;
    case VALUE_ABSENT:
        break;
    }
    return true;
}

static bool add_connection(struct snapshot *snapshot, struct slice key, struct slice value)
{
    if (!snapshot->connections) {
        snapshot->connections = malloc(sizeof(*snapshot->connections));
        if (!snapshot->connections) return false;
        connections_init(snapshot->connections);
    }
    connections_add(snapshot->connections, key, value, &snapshot->parse_errors);
    return true;
}

bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value)
{
    assert(!snapshot->finished);
    switch (command) {
    case COMMAND_SIZES:
        if (sizes_takes(key)) return sizes_add(&snapshot->sizes, key, value, &snapshot->parse_errors);
        if (slice_is(key, "sizes_status")) snapshot->sizes.disabled = slice_is(value, "disabled");
        return add_stat(snapshot, command, key, value);
    case COMMAND_CONNS:
        return add_connection(snapshot, key, value);
    case COMMAND_DETAIL:
        return prefixes_add(&snapshot->prefixes, key, value, &snapshot->parse_errors);
    default:
        return add_stat(snapshot, command, key, value);
    }
}

void snapshot_drop(struct snapshot *snapshot, enum command command)
{
    size_t kept = 0;
    assert(!snapshot->finished);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->stats[i].command != command) snapshot->stats[kept++] = snapshot->stats[i];
    }
    snapshot->count = kept;
    if (command == COMMAND_SIZES) {
        sizes_deinit(&snapshot->sizes);
    } else if (command == COMMAND_CONNS) {
        free(snapshot->connections);
        snapshot->connections = NULL;
    } else if (command == COMMAND_DETAIL) {
        prefixes_deinit(&snapshot->prefixes);
    }
}

void snapshot_drop_unanswered(struct snapshot *snapshot)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!(snapshot->answered & COMMAND_BIT(command))) snapshot_drop(snapshot, command);
    }
}

void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error)
{
    if (snapshot->answered & COMMAND_BIT(COMMAND_STATS)) {
        snapshot->state = TARGET_UP;
    } else {
        snapshot->state = state;
        snprintf(snapshot->error, sizeof(snapshot->error), "%s", error);
    }
}

/* --- Finishing --- */

/* The value of an entry whose form is a form of digits; value_judge has seen to it. */
static uint64_t read_unsigned(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    uint64_t number = 0;
    number_parse_u64(stat_value(snapshot, stat), &number);
    return number;
}

/* 0 when they are the same stat. Only entries of unmapped stats and of names have a key. */
static int compare_stats(const struct snapshot *snapshot, const struct stat_entry *a,
                         const struct stat_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->command != b->command) return a->command < b->command ? -1 : 1;
    return name_compare(stat_key(snapshot, a), stat_key(snapshot, b));
}

/* Every entry has at least one byte of text, so that the offset tells which one came first. */
static int compare_entries(const void *left, const void *right, void *snapshot)
{
    const struct stat_entry *a = left, *b = right;
    int order = compare_stats(snapshot, a, b);
    return order ? order : (a->text > b->text) - (a->text < b->text);
}

/* Adds a number to an entry of the same name, which moves to the end of the text; false if there is no room.
 */
static bool add_up(struct snapshot *snapshot, struct stat_entry *sum, const struct stat_entry *entry)
{
    uint64_t number = read_unsigned(snapshot, sum) + read_unsigned(snapshot, entry);
    struct buffer *text = &snapshot->text;
    size_t start = text->len, key = sum->text;
    char *copy = buffer_reserve(text, sum->key_len);
    if (!copy) return false;
    memcpy(copy, text->data + key, sum->key_len);
    text->len += sum->key_len;
    buffer_append_u64(text, number);
    if (text->failed) return false;
    sum->text = (uint32_t) start;
    sum->value_len = (uint16_t) (text->len - start - sum->key_len);
    return true;
}

/* What becomes of a stat that has been given before. */
static void take_double(struct snapshot *snapshot, struct stat_entry *first, const struct stat_entry *entry)
{
    bool named = entry->row != STAT_UNMAPPED && stats_row(entry->row)->scope == SCOPE_NAME;
    if (!named || !add_up(snapshot, first, entry)) snapshot->parse_errors++;
}

static void finish_entries(struct snapshot *snapshot)
{
    size_t kept = 0;
    if (snapshot->count == 0) return;
    qsort_r(snapshot->stats, snapshot->count, sizeof(snapshot->stats[0]), compare_entries, snapshot);
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct stat_entry *entry = &snapshot->stats[i];
        if (kept && compare_stats(snapshot, &snapshot->stats[kept - 1], entry) == 0)
            take_double(snapshot, &snapshot->stats[kept - 1], entry);
        else
            snapshot->stats[kept++] = *entry;
    }
    snapshot->count = kept;
}

void snapshot_finish(struct snapshot *snapshot)
{
    assert(!snapshot->finished);
    snapshot->finished = true;
    finish_entries(snapshot);
    if (snapshot->connections) connections_finish(snapshot->connections);
    prefixes_finish(&snapshot->prefixes);
}

/* Of the commands that have answered; false when out of memory. */
static bool copy_counts(struct snapshot *copy, const struct snapshot *original)
{
    if (original->connections) {
        copy->connections = malloc(sizeof(*copy->connections));
        if (!copy->connections) return false;
        *copy->connections = *original->connections;
    }
    return sizes_copy(&copy->sizes, &original->sizes) && prefixes_copy(&copy->prefixes, &original->prefixes);
}

/* Entries, text and findings; false when out of memory. */
static bool copy_contents(struct snapshot *copy, const struct snapshot *original)
{
    copy->state = original->state;
    memcpy(copy->error, original->error, sizeof(copy->error));
    copy->duration_ns = original->duration_ns;
    copy->answered = original->answered;
    copy->parse_errors = original->parse_errors;
    copy->reused = original->reused;
    buffer_append_slice(&copy->text, buffer_slice(&original->text));
    if (copy->text.failed || !copy_counts(copy, original)) return false;
    if (original->count == 0) return true;

    copy->stats = malloc(original->count * sizeof(copy->stats[0]));
    if (!copy->stats) return false;
    memcpy(copy->stats, original->stats, original->count * sizeof(copy->stats[0]));
    copy->count = copy->size = original->count;
    return true;
}

struct snapshot *snapshot_copy(const struct snapshot *snapshot)
{
    struct snapshot *copy = snapshot_new(snapshot->asked, snapshot->text.cap, snapshot->prefixes.max);
    assert(!snapshot->finished);
    if (!copy) return NULL;
    if (!copy_contents(copy, snapshot)) {
        snapshot_release(copy);
        return NULL;
    }
    snapshot_drop_unanswered(copy);
    snapshot_finish(copy);
    return copy;
}

/* --- Reading --- */

/* The first entry that is not before that row and number. */
static size_t lower_bound(const struct snapshot *snapshot, uint16_t row, uint32_t number)
{
    size_t low = 0, high = snapshot->count;
    assert(snapshot->finished);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct stat_entry *entry = &snapshot->stats[middle];
        if (entry->row < row || (entry->row == row && entry->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t snapshot_seek(const struct snapshot *snapshot, uint16_t row)
{
    return lower_bound(snapshot, row, 0);
}

const struct stat_entry *snapshot_find(const struct snapshot *snapshot, uint16_t row, uint32_t number)
{
    size_t at = lower_bound(snapshot, row, number);
    if (at == snapshot->count) return NULL;
    const struct stat_entry *entry = &snapshot->stats[at];
    return entry->row == row && entry->number == number ? entry : NULL;
}

struct slice stat_key(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    return (struct slice){snapshot->text.data + stat->text, stat->key_len};
}

struct slice stat_value(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    return (struct slice){snapshot->text.data + stat->text + stat->key_len, stat->value_len};
}

/* The parts may be newer than the whole, since the server adds them up thread by thread: not below 0. */
static void append_difference(const struct snapshot *snapshot, const struct stat_entry *stat,
                              const uint16_t *minus, unsigned count, struct buffer *out)
{
    uint64_t rest = read_unsigned(snapshot, stat);
    for (unsigned i = 0; i < count; i++) {
        const struct stat_entry *part = snapshot_find(snapshot, minus[i], stat->number);
        uint64_t taken = part ? read_unsigned(snapshot, part) : 0;
        rest -= taken < rest ? taken : rest;
    }
    buffer_append_u64(out, rest);
}

void stat_append_number(const struct snapshot *snapshot, const struct stat_entry *stat, struct buffer *out)
{
    uint16_t minus[STAT_MINUS_MAX];
    struct slice value = stat_value(snapshot, stat);
    if (stat->row == STAT_UNMAPPED) {
        buffer_append_slice(out, value);
        return;
    }
    unsigned count = stats_minus(stat->row, minus);
    if (count)
        append_difference(snapshot, stat, minus, count, out);
    else
        value_append_number(out, stats_row(stat->row)->form, value);
}
