#include "memcached/snapshot.h"

#include "base/container.h"
#include "base/digits.h"
#include "memcached/snapshot_order.h"

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

struct snapshot *snapshot_new(unsigned asked, size_t max_reply, size_t max_prefixes)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot) return NULL;
    snapshot->references = 1;
    snapshot->state = TARGET_TIMEOUT;
    memory_share_init(&snapshot->memory);
    snapshot->asked = asked;
    snapshot_builder_init(&snapshot->builder, max_reply);
    sizes_init(&snapshot->sizes);
    prefixes_init(&snapshot->prefixes, max_prefixes);
    return snapshot;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    snapshot->references++;
    return snapshot;
}

static void free_contents(struct snapshot *snapshot)
{
    snapshot_builder_deinit(&snapshot->builder);
    sizes_deinit(&snapshot->sizes);
    free(snapshot->connections);
    snapshot->connections = NULL;
    prefixes_deinit(&snapshot->prefixes);
}

void snapshot_release(struct snapshot *snapshot)
{
    if (!snapshot || --snapshot->references) return;
    memory_share_leave(&snapshot->memory);
    free_contents(snapshot);
    free(snapshot->records);
    free(snapshot);
}

/* --- Memory --- */

static void on_drop(struct memory_share *share)
{
    struct snapshot *snapshot = container_of(share, struct snapshot, memory);
    free_contents(snapshot);
    snapshot->dropped = true;
    snapshot->answered = 0;
}

void snapshot_join(struct snapshot *snapshot, struct memory_pool *pool)
{
    memory_share_join(&snapshot->memory, pool, on_drop);
}

/* The names of prefixes and the buckets of sizes are left out: they are small compared with the rest. */
bool snapshot_count_memory(struct snapshot *snapshot)
{
    const struct snapshot_builder *builder = &snapshot->builder;
    size_t bytes = builder->text.size + builder->size * sizeof(builder->entries[0]) + snapshot->records_len +
                   snapshot->prefixes.size * 2 * sizeof(snapshot->prefixes.items[0]) +
                   (snapshot->connections ? sizeof(*snapshot->connections) : 0);
    if (!snapshot->dropped) memory_share_resize(&snapshot->memory, bytes);
    return !snapshot->dropped;
}

/* --- Filling --- */

static bool add_connection(struct snapshot *snapshot, struct slice key, struct slice value, unsigned *wrong)
{
    if (!snapshot->connections) {
        snapshot->connections = malloc(sizeof(*snapshot->connections));
        if (!snapshot->connections) return false;
        conn_stats_init(snapshot->connections);
    }
    conn_stats_add(snapshot->connections, key, value, wrong);
    return true;
}

bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value)
{
    unsigned wrong = 0;
    bool added = false;
    assert(!snapshot->finished);
    if (command == COMMAND_CONNS) {
        added = add_connection(snapshot, key, value, &wrong);
        slice_cut(&key, ':'); /* the connection's number differs each time */
    } else if (command == COMMAND_DETAIL) {
        added = prefixes_add(&snapshot->prefixes, key, value, &wrong);
    } else if (command == COMMAND_SIZES && sizes_repeats(&snapshot->sizes, key)) {
        added = true;
        snapshot_builder_remark(&snapshot->builder, REMARK_REPEATED, command, key);
    } else if (command == COMMAND_SIZES && sizes_takes(key)) {
        added = sizes_add(&snapshot->sizes, key, value, &wrong);
    } else {
        if (command == COMMAND_SIZES && slice_is(key, "sizes_status"))
            snapshot->sizes.disabled = slice_is(value, "disabled");
        return snapshot_builder_add(&snapshot->builder, command, key, value);
    }
    if (wrong) snapshot_builder_reject(&snapshot->builder, command, key);
    return added;
}

void snapshot_drop(struct snapshot *snapshot, enum command command)
{
    assert(!snapshot->finished);
    snapshot_builder_drop(&snapshot->builder, command);
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
    unsigned missing = snapshot->asked & ~snapshot->answered;
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (missing & COMMAND_BIT(command)) snapshot_drop(snapshot, command);
    }
}

void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error)
{
    if (snapshot->dropped) {
        snapshot->state = TARGET_OVERLOADED;
        snprintf(snapshot->error, sizeof(snapshot->error), "%s",
                 "the answers of all servers exceed --memcached.max-memory, this was the largest one");
    } else if (snapshot->answered & COMMAND_BIT(COMMAND_STATS)) {
        snapshot->state = TARGET_UP;
    } else {
        snapshot->state = state;
        snprintf(snapshot->error, sizeof(snapshot->error), "%s", error);
    }
}

/* --- Finishing --- */

/* The rows on which the records of one row depend. */
struct related_rows {
    uint16_t row; /* STAT_UNMAPPED before the first row */
    bool has_preferred;
    unsigned minus_count;
    struct row_walk preferred, minus[STAT_MINUS_MAX];
};

/* Begins with the entries of another row. */
static void find_related(struct related_rows *related, const struct snapshot_builder *builder, uint16_t row)
{
    uint16_t preferred = stats_preferred(row), minus[STAT_MINUS_MAX];
    related->row = row;
    related->has_preferred = preferred != STAT_UNMAPPED;
    if (related->has_preferred) related->preferred = row_walk_begin(builder, preferred);
    related->minus_count = stats_minus(row, minus);
    for (unsigned i = 0; i < related->minus_count; i++) related->minus[i] = row_walk_begin(builder, minus[i]);
}

/*
 * Returns the entry's value less the values of the rows in `minus`, at least 0. The server adds up its
 * threads one by one, so a part may be newer than the total.
 */
static uint64_t rest_of(const struct snapshot_builder *builder, const struct snapshot_builder_entry *entry,
                        struct related_rows *related)
{
    uint64_t rest = digits_value(snapshot_builder_value(builder, entry));
    for (unsigned i = 0; i < related->minus_count; i++) {
        const struct snapshot_builder_entry *part = row_walk_find(&related->minus[i], entry->number);
        uint64_t taken = part ? digits_value(snapshot_builder_value(builder, part)) : 0;
        rest -= taken < rest ? taken : rest;
    }
    return rest;
}

/*
 * Packs an entry that has a name, or depends on other entries. Returns the place behind the record. Kept out
 * of the loop over all entries, which has few variables.
 */
static __attribute__((noinline)) char *pack_special(char *at, const struct snapshot_builder *builder,
                                                    const struct snapshot_builder_entry *entry,
                                                    struct related_rows *related)
{
    struct record_head head = {.row = entry->row, .detail = entry->number};
    struct slice key = snapshot_builder_key(builder, entry), value = snapshot_builder_value(builder, entry);
    char digits[DIGITS_MAX];
    bool is_mapped = !stats_is_unmapped(entry->row);
    if (is_mapped && entry->row != related->row) find_related(related, builder, entry->row);
    if (!is_mapped || stats_traits(entry->row)->scope == SCOPE_NAME) {
        head.row |= RECORD_KEYED;
        head.detail = entry->key_len | (uint32_t) entry->command << RECORD_COMMAND_SHIFT;
    }
    if (is_mapped && related->has_preferred && row_walk_find(&related->preferred, entry->number))
        head.row |= RECORD_SUPERSEDED;
    if (is_mapped && related->minus_count) value = digits_of(rest_of(builder, entry, related), digits);
    head.value_len = (uint16_t) value.len;
    memcpy(at, &head, sizeof(head));
    return slice_put_short(slice_put_short(at + sizeof(head), key), value);
}

_Static_assert(offsetof(struct record_head, value_len) ==
                       offsetof(struct snapshot_builder_entry, value_len) &&
                   offsetof(struct record_head, detail) == offsetof(struct snapshot_builder_entry, number),
               "an entry begins as its record");

/*
 * Packs all entries. Nearly all are plain and only copied. RECORD_SPARE bytes behind the records take what
 * the blocks of the last copy have too much. Returns false if out of memory.
 */
static bool pack_all(struct snapshot *snapshot)
{
    const struct snapshot_builder *builder = &snapshot->builder;
    const struct snapshot_builder_entry *entry = builder->entries, *end = entry + builder->count;
    const char *const texts = builder->text.data;
    struct related_rows related = {.row = STAT_UNMAPPED};
    struct buffer out; /* of its memory the compiler does not know the size, so that it checks no copy */
    buffer_init(&out, builder->text.len + builder->count * sizeof(struct record_head) + RECORD_SPARE);
    char *at = buffer_reserve(&out, out.cap);
    if (!at) return false;
    for (; entry < end; entry++) {
        if (entry->is_plain) {
            memcpy(at, entry, sizeof(struct record_head));
            at = slice_put_blocks(at + sizeof(struct record_head),
                                  (struct slice){texts + entry->text, entry->value_len});
        } else {
            at = pack_special(at, builder, entry, &related);
        }
    }
    memset(at, 0xff, RECORD_SPARE);
    snapshot->records_len = (size_t) (at - out.data);
    char *exact = realloc(out.data, snapshot->records_len + RECORD_SPARE);
    snapshot->records = exact ? exact : out.data;
    snapshot->count = builder->count;
    return true;
}

static void summarize_slabs(struct snapshot *snapshot)
{
    const unsigned both = COMMAND_BIT(COMMAND_ITEMS) | COMMAND_BIT(COMMAND_SLABS);
    if ((snapshot->answered & both) == both) slab_summary_make(&snapshot->slabs, &snapshot->builder);
}

size_t snapshot_finish(struct snapshot *snapshot)
{
    assert(!snapshot->finished);
    snapshot->finished = true;
    if (!snapshot_order_sort(&snapshot->builder) || !pack_all(snapshot)) {
        snapshot->answered = 0;
        snapshot_judge(snapshot, TARGET_PROTOCOL_ERROR, "no memory for the answer");
    }
    summarize_slabs(snapshot);
    tail_ages_count(&snapshot->ages, &snapshot->builder);
    size_t sorted = snapshot->builder.sorted;
    snapshot->parse_errors = snapshot->builder.parse_errors;
    snapshot->cut = snapshot->builder.cut;
    snapshot->remark = snapshot->builder.remark;
    snapshot_builder_deinit(&snapshot->builder);
    if (snapshot->connections) conn_stats_finish(snapshot->connections);
    prefixes_finish(&snapshot->prefixes);
    memory_share_settle(&snapshot->memory);
    snapshot_count_memory(snapshot);
    return sorted;
}

/* Copies the counts of sizes, connections and prefixes. Returns false if out of memory. */
static bool copy_counts(struct snapshot *copy, const struct snapshot *original)
{
    if (original->connections) {
        copy->connections = malloc(sizeof(*copy->connections));
        if (!copy->connections) return false;
        *copy->connections = *original->connections;
    }
    return sizes_copy(&copy->sizes, &original->sizes) && prefixes_copy(&copy->prefixes, &original->prefixes);
}

/* Copies lines, counts and state. Returns false if out of memory. */
static bool copy_contents(struct snapshot *copy, const struct snapshot *original)
{
    copy->state = original->state;
    memcpy(copy->error, original->error, sizeof(copy->error));
    copy->duration_ns = original->duration_ns;
    copy->probe = original->probe;
    memcpy(copy->part_ns, original->part_ns, sizeof(copy->part_ns));
    copy->answered = original->answered;
    copy->dropped = original->dropped;
    copy->reused = original->reused;
    return snapshot_builder_copy(&copy->builder, &original->builder) && copy_counts(copy, original);
}

struct snapshot *snapshot_copy(const struct snapshot *snapshot)
{
    struct snapshot *copy =
        snapshot_new(snapshot->asked, snapshot->builder.max_reply, snapshot->prefixes.max);
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

const char *snapshot_begin(const struct snapshot *snapshot)
{
    static const char nothing[RECORD_SPARE] = {'\xff', '\xff'};
    return snapshot->records ? snapshot->records : nothing;
}

const char *snapshot_seek(const struct snapshot *snapshot, uint16_t row)
{
    const char *at = snapshot_begin(snapshot);
    struct record ignored;
    assert(snapshot->finished);
    while (record_row(at) < row) at = record_read(at, &ignored);
    return at;
}
