#include "memcached/snapshot.h"

#include "base/number.h"

#include <assert.h>
#include <inttypes.h>
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

struct snapshot *snapshot_new(unsigned asked, size_t text_cap)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot) return NULL;
    snapshot->references = 1;
    snapshot->state = TARGET_TIMEOUT;
    snapshot->asked = asked;
    /* Entries find their text by an offset of 32 bits. */
    buffer_init(&snapshot->text, text_cap < UINT32_MAX ? text_cap : UINT32_MAX);
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
    free(snapshot);
}

/* --- What a value may look like --- */

enum verdict {
    VERDICT_KEEP,
    VERDICT_ABSENT, /* the server says that it has no value */
    VERDICT_WRONG,
};

static bool is_null(struct slice value)
{
    return slice_is(value, "NULL") || slice_is(value, "(null)");
}

/* yes/on/1 is 1, no/off/0 is 0; false for anything else. */
static bool read_switch(struct slice value, bool *on)
{
    *on = slice_is(value, "yes") || slice_is(value, "on") || slice_is(value, "1");
    return *on || slice_is(value, "no") || slice_is(value, "off") || slice_is(value, "0");
}

static enum verdict judge_unsigned(struct slice value)
{
    uint64_t ignored;
    if (slice_is(value, "-1")) return VERDICT_ABSENT;
    return number_parse_u64(value, &ignored) ? VERDICT_KEEP : VERDICT_WRONG;
}

/* Old versions print a negative number as what it is without a sign. */
static bool read_signed(struct slice value, int64_t *number)
{
    uint64_t wrapped;
    if (number_parse_i64(value, number)) return true;
    if (!number_parse_u64(value, &wrapped)) return false;
    *number = (int64_t) wrapped;
    return true;
}

static enum verdict judge_number(enum stat_form form, struct slice value)
{
    int64_t number;
    bool on, fits = false;
    switch (form) {
    case FORM_NONE_MAX:
        return slice_is(value, "4294967295") ? VERDICT_ABSENT : judge_unsigned(value);
    case FORM_LEVEL:
        return read_switch(value, &on) ? VERDICT_KEEP : judge_unsigned(value);
    case FORM_SIGNED:
        fits = read_signed(value, &number);
        break;
    case FORM_DECIMAL:
        fits = number_is_decimal(value);
        break;
    case FORM_SWITCH:
        fits = read_switch(value, &on);
        break;
    case FORM_SWITCH_PATH:
        fits = value.len > 0;
        break;
    default:
        return judge_unsigned(value);
    }
    return fits ? VERDICT_KEEP : VERDICT_WRONG;
}

static enum verdict judge_value(enum stat_form form, struct slice value)
{
    if (form == FORM_HIDDEN || is_null(value)) return VERDICT_ABSENT;
    if (form == FORM_TEXT) return value.len ? VERDICT_KEEP : VERDICT_ABSENT;
    return judge_number(form, value);
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

static bool append(struct snapshot *snapshot, struct stat_entry entry, struct slice key, struct slice value)
{
    if (key.len > UINT16_MAX || value.len > UINT16_MAX || !make_room(snapshot)) return false;
    entry.text = (uint32_t) snapshot->text.len;
    entry.key_len = (uint16_t) key.len;
    entry.value_len = (uint16_t) value.len;
    buffer_append_slice(&snapshot->text, key);
    buffer_append_slice(&snapshot->text, value);
    if (snapshot->text.failed) return false;
    snapshot->stats[snapshot->count++] = entry;
    return true;
}

bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value)
{
    assert(!snapshot->finished);
    struct stat_entry entry = {.command = (uint8_t) command};
    entry.row = stats_find(command, key, &entry.slab);
    if (entry.row == STAT_UNMAPPED) return !number_is_decimal(value) || append(snapshot, entry, key, value);

    switch (judge_value(stats_row(entry.row)->form, value)) {
    case VERDICT_KEEP:
        return append(snapshot, entry, SLICE(""), value);
    case VERDICT_WRONG:
        snapshot->parse_errors++;
        break;
    case VERDICT_ABSENT:
        break;
    }
    return true;
}

void snapshot_drop(struct snapshot *snapshot, enum command command)
{
    size_t kept = 0;
    assert(!snapshot->finished);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->stats[i].command != command) snapshot->stats[kept++] = snapshot->stats[i];
    }
    snapshot->count = kept;
}

void snapshot_drop_unanswered(struct snapshot *snapshot)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!(snapshot->answered & COMMAND_BIT(command))) snapshot_drop(snapshot, command);
    }
}

/* --- Finishing --- */

/* Unmapped entries have no row to tell them apart: they go by command and key. */
static int compare_unmapped(const struct snapshot *snapshot, const struct stat_entry *a,
                            const struct stat_entry *b)
{
    if (a->command != b->command) return a->command < b->command ? -1 : 1;
    struct slice left = stat_key(snapshot, a), right = stat_key(snapshot, b);
    int order = memcmp(left.data, right.data, left.len < right.len ? left.len : right.len);
    if (order) return order;
    return (left.len > right.len) - (left.len < right.len);
}

/* 0 when they are the same stat. */
static int compare_stats(const struct snapshot *snapshot, const struct stat_entry *a,
                         const struct stat_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->slab != b->slab) return a->slab < b->slab ? -1 : 1;
    return a->row == STAT_UNMAPPED ? compare_unmapped(snapshot, a, b) : 0;
}

/* Every entry has at least one byte of text, so that the offset tells which one came first. */
static int compare_entries(const void *left, const void *right, void *snapshot)
{
    const struct stat_entry *a = left, *b = right;
    int order = compare_stats(snapshot, a, b);
    return order ? order : (a->text > b->text) - (a->text < b->text);
}

void snapshot_finish(struct snapshot *snapshot)
{
    size_t kept = 0;
    assert(!snapshot->finished);
    snapshot->finished = true;
    if (snapshot->count == 0) return;
    qsort_r(snapshot->stats, snapshot->count, sizeof(snapshot->stats[0]), compare_entries, snapshot);
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct stat_entry *entry = &snapshot->stats[i];
        if (kept && compare_stats(snapshot, &snapshot->stats[kept - 1], entry) == 0)
            snapshot->parse_errors++;
        else
            snapshot->stats[kept++] = *entry;
    }
    snapshot->count = kept;
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
    if (copy->text.failed) return false;
    if (original->count == 0) return true;

    copy->stats = malloc(original->count * sizeof(copy->stats[0]));
    if (!copy->stats) return false;
    memcpy(copy->stats, original->stats, original->count * sizeof(copy->stats[0]));
    copy->count = copy->size = original->count;
    return true;
}

struct snapshot *snapshot_copy(const struct snapshot *snapshot)
{
    struct snapshot *copy = snapshot_new(snapshot->asked, snapshot->text.cap);
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

/* The first entry that is not before that row and class. */
static size_t lower_bound(const struct snapshot *snapshot, uint16_t row, uint32_t slab)
{
    size_t low = 0, high = snapshot->count;
    assert(snapshot->finished);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct stat_entry *entry = &snapshot->stats[middle];
        if (entry->row < row || (entry->row == row && entry->slab < slab))
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

const struct stat_entry *snapshot_find(const struct snapshot *snapshot, uint16_t row, uint32_t slab)
{
    size_t at = lower_bound(snapshot, row, slab);
    if (at == snapshot->count) return NULL;
    const struct stat_entry *entry = &snapshot->stats[at];
    return entry->row == row && entry->slab == slab ? entry : NULL;
}

struct slice stat_key(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    return (struct slice){snapshot->text.data + stat->text, stat->key_len};
}

struct slice stat_value(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    return (struct slice){snapshot->text.data + stat->text + stat->key_len, stat->value_len};
}

/* The value of an entry whose form is a form of digits; judge_value has seen to it. */
static uint64_t read_unsigned(const struct snapshot *snapshot, const struct stat_entry *stat)
{
    uint64_t number = 0;
    number_parse_u64(stat_value(snapshot, stat), &number);
    return number;
}

/* The parts may be newer than the whole, since the server adds them up thread by thread: not below 0. */
static void append_difference(const struct snapshot *snapshot, const struct stat_entry *stat,
                              const uint16_t *minus, unsigned count, struct buffer *out)
{
    uint64_t rest = read_unsigned(snapshot, stat);
    for (unsigned i = 0; i < count; i++) {
        const struct stat_entry *part = snapshot_find(snapshot, minus[i], stat->slab);
        uint64_t taken = part ? read_unsigned(snapshot, part) : 0;
        rest -= taken < rest ? taken : rest;
    }
    buffer_append_u64(out, rest);
}

static void append_converted(enum stat_form form, struct slice value, struct buffer *out)
{
    int64_t number;
    uint64_t microseconds = 0;
    bool on;
    switch (form) {
    case FORM_SIGNED:
        if (read_signed(value, &number)) buffer_printf(out, "%" PRId64, number);
        break;
    case FORM_MICROSECONDS:
        number_parse_u64(value, &microseconds);
        number_append_scaled(out, microseconds, 6);
        break;
    case FORM_SWITCH:
        read_switch(value, &on);
        buffer_append_char(out, on ? '1' : '0');
        break;
    case FORM_SWITCH_PATH:
        buffer_append_char(out, slice_is(value, "no") ? '0' : '1');
        break;
    case FORM_LEVEL:
        if (read_switch(value, &on))
            buffer_append_char(out, on ? '1' : '0');
        else
            buffer_append_slice(out, value);
        break;
    default:
        buffer_append_slice(out, value);
    }
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
        append_converted(stats_row(stat->row)->form, value, out);
}
