#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/reply.h"
#include "memcached/snapshot.h"

#define ALL          (COMMAND_BIT(COMMAND_COUNT) - 1)
#define CAP          (1024 * 1024)
#define MAX_PREFIXES 3

static bool add(struct snapshot *snapshot, enum command command, const char *key, const char *value)
{
    return snapshot_add(snapshot, command, slice_of(key), slice_of(value));
}

static struct snapshot *new_snapshot(void)
{
    struct snapshot *snapshot = snapshot_new(ALL, CAP, MAX_PREFIXES);
    assert_non_null(snapshot);
    return snapshot;
}

/* The n-th record; good until the next one is asked for. */
static const struct record *record_at(const struct snapshot *snapshot, size_t n)
{
    static struct record record;
    const char *at = snapshot_begin(snapshot);
    assert_true(snapshot->finished && n < snapshot->count);
    for (size_t i = 0; i <= n; i++) {
        assert_true(at < snapshot_end(snapshot));
        at = record_read(at, &record);
    }
    assert_true((n + 1 == snapshot->count) == (at == snapshot_end(snapshot)));
    return &record;
}

static const struct record *find(const struct snapshot *snapshot, enum command command, const char *key)
{
    uint32_t slab;
    uint16_t row = stats_find(command, slice_of(key), &slab);
    assert_int_not_equal(row, STAT_UNMAPPED);
    for (size_t n = 0; n < snapshot->count; n++) {
        const struct record *record = record_at(snapshot, n);
        if (record->row == row && record->number == slab) return record;
    }
    return NULL;
}

static void assert_number(const struct record *record, const char *expected)
{
    char number[64];
    assert_non_null(record);
    snprintf(number, sizeof(number), "%.*s", SLICE_ARG(record->value));
    assert_string_equal(number, expected);
}

/* Which record the place is that of; the count for the end. */
static size_t seek(const struct snapshot *snapshot, uint16_t row)
{
    const char *sought = snapshot_seek(snapshot, row), *at = snapshot_begin(snapshot);
    struct record record;
    size_t n = 0;
    for (; at != sought; n++) at = record_read(at, &record);
    return n;
}

/* --- One value at a time --- */

static unsigned judged;

/* What becomes of a value: a number, no sample ("absent") or a parse error ("wrong"). */
static void on_value(struct slice *columns)
{
    struct slice key = columns[1], value = columns[2], result = columns[3];
    struct snapshot *snapshot = new_snapshot();
    bool wrong = slice_is(result, "wrong"), absent = slice_is(result, "absent");
    enum command command = 0;
    uint32_t slab;
    char expected[64];
    while (!slice_is(columns[0], command_info(command)->name)) command++;
    assert_int_not_equal(stats_find(command, key, &slab), STAT_UNMAPPED);

    assert_true(snapshot_add(snapshot, command, key, value));
    snapshot_finish(snapshot);
    if (snapshot->parse_errors != wrong || (snapshot->count == 1) == (wrong || absent))
        fail_msg("%.*s %.*s is not %.*s", SLICE_ARG(key), SLICE_ARG(value), SLICE_ARG(result));
    snprintf(expected, sizeof(expected), "%.*s", SLICE_ARG(result));
    if (snapshot->count) assert_number(record_at(snapshot, 0), expected);
    snapshot_release(snapshot);
    judged++;
}

static void test_values(void **state)
{
    (void) state;
    data_each_line("stat-values.tsv", on_value);
    assert_true(judged > 60);
}

static void test_text_is_kept_as_sent(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    assert_true(add(snapshot, COMMAND_STATS, "version", "1.6\"\n\xff x"));
    assert_true(add(snapshot, COMMAND_SETTINGS, "umask", "0700"));
    snapshot_finish(snapshot);
    assert_true(slice_is(find(snapshot, COMMAND_STATS, "version")->value, "1.6\"\n\xff x"));
    assert_true(slice_is(find(snapshot, COMMAND_SETTINGS, "umask")->value, "0700"));
    snapshot_release(snapshot);
}

/* The path of a private key must not even be in memory. */
static void test_hidden_is_not_kept(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    assert_true(add(snapshot, COMMAND_SETTINGS, "ssl_key", "/etc/key.pem"));
    assert_int_equal(snapshot->builder.text.len, 0);
    snapshot_release(snapshot);
}

/* --- Stats made of several --- */

static void test_sets_are_what_cas_leaves(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "cmd_set", "18446744073709551615");
    add(snapshot, COMMAND_STATS, "cas_hits", "1");
    add(snapshot, COMMAND_STATS, "cas_misses", "2");
    add(snapshot, COMMAND_STATS, "cas_badval", "4");
    add(snapshot, COMMAND_SLABS, "1:cmd_set", "10");
    add(snapshot, COMMAND_SLABS, "1:cas_badval", "3");
    add(snapshot, COMMAND_SLABS, "2:cmd_set", "5");
    add(snapshot, COMMAND_SLABS, "2:cas_hits", "4");
    add(snapshot, COMMAND_SLABS, "2:cas_badval", "3");
    snapshot_finish(snapshot);
    assert_number(find(snapshot, COMMAND_STATS, "cmd_set"), "18446744073709551608");
    assert_number(find(snapshot, COMMAND_SLABS, "1:cmd_set"), "7");
    assert_number(find(snapshot, COMMAND_SLABS, "2:cmd_set"), "0");
    assert_number(find(snapshot, COMMAND_STATS, "cas_misses"), "2");
    snapshot_release(snapshot);
}

/* --- What the table does not know --- */

static void test_unknown_numbers_are_kept(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_SLABS, "zeta", "1");
    add(snapshot, COMMAND_STATS, "new \"thing\"", "-5");
    add(snapshot, COMMAND_STATS, "new", "0.25");
    add(snapshot, COMMAND_STATS, "big", "18446744073709551615");
    add(snapshot, COMMAND_STATS, "word", "fast");
    add(snapshot, COMMAND_STATS, "nothing", "");
    add(snapshot, COMMAND_STATS, "odd", "inf");
    add(snapshot, COMMAND_STATS, "pid", "1");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->parse_errors, 0);
    assert_int_equal(snapshot->count, 7);
    assert_int_equal(seek(snapshot, STAT_UNMAPPED), 1);
    assert_int_equal(seek(snapshot, STAT_UNMAPPED_TEXT), 5);
    assert_int_equal(record_at(snapshot, 5)->row, STAT_UNMAPPED_TEXT);
    assert_true(slice_is(record_at(snapshot, 5)->key, "odd"));
    assert_true(slice_is(record_at(snapshot, 5)->value, "inf"));
    assert_true(slice_is(record_at(snapshot, 6)->value, "fast"));

    static const char *const keys[] = {"big", "new", "new \"thing\"", "zeta"};
    static const char *const numbers[] = {"18446744073709551615", "0.25", "-5", "1"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct record *entry = record_at(snapshot, 1 + i);
        assert_int_equal(entry->row, STAT_UNMAPPED);
        assert_int_equal(entry->command, i == 3 ? COMMAND_SLABS : COMMAND_STATS);
        assert_true(slice_is(entry->key, keys[i]));
        assert_true(slice_is(entry->value, numbers[i]));
        assert_number(entry, numbers[i]);
    }
    snapshot_release(snapshot);
}

/* --- Remarks --- */

static void assert_remark(const struct snapshot *snapshot, enum remark_kind kind, enum command command,
                          const char *key)
{
    assert_int_equal(snapshot->remark.kind, kind);
    assert_int_equal(snapshot->remark.command, command);
    assert_string_equal(snapshot->remark.key, key);
}

static void test_the_first_unreadable_value_is_remarked(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "curr_items", "1");
    add(snapshot, COMMAND_STATS, "curr_items", "1");
    add(snapshot, COMMAND_ITEMS, "items:7:number", "many");
    add(snapshot, COMMAND_ITEMS, "items:8:number", "many");
    struct snapshot *copy = snapshot_copy(snapshot);
    snapshot_finish(snapshot);
    assert_remark(snapshot, REMARK_UNREADABLE, COMMAND_ITEMS, "items:7:number");
    assert_remark(copy, REMARK_UNREADABLE, COMMAND_ITEMS, "items:7:number");
    snapshot_release(copy);
    snapshot_release(snapshot);
}

/* Also where lines are counted as they are read. A connection has another number in the next poll. */
static void test_unreadable_counts_are_remarked(void **state)
{
    static const struct {
        enum command command;
        const char *key, *value, *remarked;
    } rows[] = {
        {COMMAND_CONNS, "27:secs_since_last_cmd", "soon", "secs_since_last_cmd"},
        {COMMAND_SIZES, "96", "some", "96"},
        {COMMAND_DETAIL, "session", "get 1 hit x set 1 del 1", "session"},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct snapshot *snapshot = new_snapshot();
        add(snapshot, rows[n].command, rows[n].key, rows[n].value);
        snapshot_finish(snapshot);
        assert_remark(snapshot, REMARK_UNREADABLE, rows[n].command, rows[n].remarked);
        assert_int_equal(snapshot->parse_errors, 1);
        snapshot_release(snapshot);
    }
}

static void test_a_stat_given_twice_is_remarked(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_SLABS, "3:chunk_size", "96");
    add(snapshot, COMMAND_SLABS, "3:chunk_size", "0");
    snapshot_finish(snapshot);
    assert_remark(snapshot, REMARK_REPEATED, COMMAND_SLABS, "chunk_size");
    assert_int_equal(snapshot->parse_errors, 0);
    snapshot_release(snapshot);
}

/* The first one counts where lines are counted as they are read, too. */
static void test_counts_given_twice(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_SIZES, "96", "4");
    add(snapshot, COMMAND_SIZES, "96", "7");
    add(snapshot, COMMAND_SIZES, "128", "5");
    add(snapshot, COMMAND_CONNS, "9:state", "conn_read");
    add(snapshot, COMMAND_CONNS, "9:state", "conn_listening");
    add(snapshot, COMMAND_CONNS, "9:secs_since_last_cmd", "1");
    add(snapshot, COMMAND_CONNS, "9:secs_since_last_cmd", "100000");
    snapshot_finish(snapshot);
    assert_remark(snapshot, REMARK_REPEATED, COMMAND_SIZES, "96");
    assert_int_equal(snapshot->parse_errors, 0);
    assert_int_equal(snapshot->sizes.count, 2);
    assert_int_equal(snapshot->sizes.counts[0], 4);
    assert_int_equal(snapshot->sizes.counts[1], 5);
    assert_int_equal(snapshot->connections->idle[0], 1);
    assert_int_equal(snapshot->connections->idle_sum_s, 1);
    snapshot_release(snapshot);
}

/* Names that users gave are added up, which is nothing to remark. */
static void test_nothing_to_remark(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "curr_items", "1");
    add(snapshot, COMMAND_PROXY, "user_a", "1");
    add(snapshot, COMMAND_PROXY, "user_a", "1");
    snapshot_finish(snapshot);
    assert_remark(snapshot, REMARK_NONE, COMMAND_STATS, "");
    snapshot_release(snapshot);
}

static void test_a_long_key_is_cut_in_a_remark(void **state)
{
    char key[200] = "stranger_";
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    memset(key + strlen(key), 'x', 150);
    add(snapshot, COMMAND_STATS, key, "1");
    add(snapshot, COMMAND_STATS, key, "2");
    snapshot_finish(snapshot);
    assert_int_equal(strlen(snapshot->remark.key), sizeof(snapshot->remark.key) - 1);
    assert_memory_equal(snapshot->remark.key, key, sizeof(snapshot->remark.key) - 1);
    snapshot_release(snapshot);
}

/* --- Order, doubles, search --- */

static void test_entries_are_sorted(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "unknown", "1");
    add(snapshot, COMMAND_ITEMS, "items:10:number", "10");
    add(snapshot, COMMAND_ITEMS, "items:2:number", "2");
    add(snapshot, COMMAND_SETTINGS, "maxconns", "1024");
    add(snapshot, COMMAND_STATS, "uptime", "7");
    add(snapshot, COMMAND_STATS, "pid", "3");
    snapshot_finish(snapshot);
    for (size_t i = 1; i < snapshot->count; i++) {
        struct record a = *record_at(snapshot, i - 1), b = *record_at(snapshot, i);
        assert_true(a.row < b.row || (a.row == b.row && a.number < b.number));
    }
    assert_true(snapshot->finished);
    assert_int_equal(snapshot->count, 6);
    assert_number(find(snapshot, COMMAND_ITEMS, "items:2:number"), "2");
    assert_number(find(snapshot, COMMAND_ITEMS, "items:10:number"), "10");
    assert_null(find(snapshot, COMMAND_ITEMS, "items:3:number"));
    assert_null(find(snapshot, COMMAND_ITEMS, "items:11:number"));
    assert_null(find(snapshot, COMMAND_STATS, "time"));
    snapshot_release(snapshot);
}

static void test_seek(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    uint32_t slab;
    (void) state;
    uint16_t pid = stats_find(COMMAND_STATS, SLICE("pid"), &slab);
    uint16_t uptime = stats_find(COMMAND_STATS, SLICE("uptime"), &slab);
    uint16_t version = stats_find(COMMAND_STATS, SLICE("version"), &slab);
    assert_true(pid < uptime && uptime < version);
    add(snapshot, COMMAND_STATS, "version", "1");
    add(snapshot, COMMAND_STATS, "pid", "1");
    snapshot_finish(snapshot);
    assert_int_equal(seek(snapshot, pid), 0);
    assert_int_equal(seek(snapshot, uptime), 1);
    assert_int_equal(seek(snapshot, version), 1);
    assert_int_equal(seek(snapshot, (uint16_t) (version + 1)), 2);
    assert_int_equal(seek(snapshot, STAT_UNMAPPED), 2);
    snapshot_release(snapshot);
}

static void test_first_of_a_double_stays(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "pid", "1");
    add(snapshot, COMMAND_STATS, "new", "4");
    add(snapshot, COMMAND_STATS, "uptime", "9");
    for (unsigned n = 0; n < 40; n++) add(snapshot, COMMAND_STATS, "pid", "2");
    add(snapshot, COMMAND_STATS, "new", "5");
    add(snapshot, COMMAND_SLABS, "new", "6");
    add(snapshot, COMMAND_SLABS, "1:get_hits", "1");
    add(snapshot, COMMAND_SLABS, "2:get_hits", "1");
    add(snapshot, COMMAND_SLABS, "02:get_hits", "2");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->parse_errors, 0);
    assert_int_equal(snapshot->count, 6);
    assert_number(find(snapshot, COMMAND_STATS, "pid"), "1");
    assert_number(find(snapshot, COMMAND_SLABS, "2:get_hits"), "1");
    assert_number(record_at(snapshot, 4), "4");
    assert_number(record_at(snapshot, 5), "6");
    snapshot_release(snapshot);
}

static void test_empty(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    assert_int_equal(snapshot->state, TARGET_TIMEOUT);
    snapshot_finish(snapshot);
    assert_int_equal(seek(snapshot, 0), 0);
    assert_null(find(snapshot, COMMAND_STATS, "pid"));
    snapshot_release(snapshot);
    snapshot_release(NULL);
}

/* --- Limits --- */

static void test_text_is_bounded(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, 16, MAX_PREFIXES);
    (void) state;
    assert_true(add(snapshot, COMMAND_STATS, "pid", "12345678"));
    assert_true(add(snapshot, COMMAND_STATS, "ignored", ""));
    assert_true(add(snapshot, COMMAND_STATS, "words", "word word word word"));
    assert_true(add(snapshot, COMMAND_STATS, "unknown", "12"));
    assert_int_equal(snapshot->builder.count, 1);
    assert_int_equal(snapshot->builder.cut, 2);
    snapshot_release(snapshot);
}

static void test_many_entries(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    for (unsigned n = 10000; n-- > 0;) {
        char key[32], value[16];
        snprintf(key, sizeof(key), "items:%u:number", n);
        snprintf(value, sizeof(value), "%u", n + 1);
        assert_true(add(snapshot, COMMAND_ITEMS, key, value));
    }
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->count, 10000);
    const char *at = snapshot_begin(snapshot);
    for (unsigned n = 0; n < 10000; n++) {
        struct record record;
        at = record_read(at, &record);
        assert_int_equal(record.number, n);
    }
    assert_number(find(snapshot, COMMAND_ITEMS, "items:4711:number"), "4712");
    snapshot_release(snapshot);
}

/* --- Dropping and copying --- */

static void test_drop(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "pid", "1");
    add(snapshot, COMMAND_ITEMS, "items:1:number", "1");
    add(snapshot, COMMAND_ITEMS, "unknown", "1");
    add(snapshot, COMMAND_SLABS, "1:get_hits", "1");
    snapshot_drop(snapshot, COMMAND_ITEMS);
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->count, 2);
    assert_non_null(find(snapshot, COMMAND_STATS, "pid"));
    assert_non_null(find(snapshot, COMMAND_SLABS, "1:get_hits"));
    snapshot_release(snapshot);
}

static void test_copy_is_finished_and_apart(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    snapshot->state = TARGET_UP;
    snapshot->answered = COMMAND_BIT(COMMAND_STATS);
    snapshot->reused = true;
    snapshot->duration_ns = 42;
    snprintf(snapshot->error, sizeof(snapshot->error), "why");
    add(snapshot, COMMAND_STATS, "uptime", "9");
    add(snapshot, COMMAND_STATS, "pid", "1");
    add(snapshot, COMMAND_STATS, "pid", "2");
    add(snapshot, COMMAND_STATS, "time", "now");
    add(snapshot, COMMAND_SETTINGS, "maxconns", "1024");

    struct snapshot *copy = snapshot_copy(snapshot);
    assert_non_null(copy);
    assert_true(copy->finished);
    assert_int_equal(copy->references, 1);
    assert_int_equal(copy->state, TARGET_UP);
    assert_int_equal(copy->asked, ALL);
    assert_int_equal(copy->answered, COMMAND_BIT(COMMAND_STATS));
    assert_true(copy->reused);
    assert_int_equal(copy->duration_ns, 42);
    assert_string_equal(copy->error, "why");
    assert_int_equal(copy->parse_errors, 1);
    assert_int_equal(copy->count, 2);
    assert_number(find(copy, COMMAND_STATS, "pid"), "1");

    /* The original goes on as if nothing had been. */
    assert_false(snapshot->finished);
    assert_int_equal(snapshot->builder.count, 4);
    assert_int_equal(snapshot->builder.parse_errors, 1);
    assert_true(add(snapshot, COMMAND_SETTINGS, "tcpport", "11211"));
    snapshot->answered |= COMMAND_BIT(COMMAND_SETTINGS);
    snapshot_finish(snapshot);
    snapshot_release(copy);
    assert_number(find(snapshot, COMMAND_SETTINGS, "maxconns"), "1024");
    assert_number(find(snapshot, COMMAND_SETTINGS, "tcpport"), "11211");
    snapshot_release(snapshot);
}

static void test_copy_of_nothing(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    struct snapshot *copy = snapshot_copy(snapshot);
    assert_non_null(copy);
    assert_int_equal(copy->count, 0);
    snapshot_release(copy);
    snapshot_release(snapshot);
}

static void test_references(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_STATS, "pid", "1");
    snapshot_finish(snapshot);
    assert_ptr_equal(snapshot_hold(snapshot), snapshot);
    snapshot_release(snapshot);
    assert_number(find(snapshot, COMMAND_STATS, "pid"), "1");
    snapshot_release(snapshot);
}

static void test_state_names(void **state)
{
    static const char *const names[] = {"up",          "refused",        "timeout",     "unresolved",
                                        "unreachable", "protocol_error", "auth_failed", "tls_error",
                                        "forbidden",   "overloaded"};
    (void) state;
    assert_int_equal(ARRAY_LEN(names), TARGET_STATE_COUNT);
    for (enum target_state at = 0; at < TARGET_STATE_COUNT; at++)
        assert_string_equal(target_state_name(at), names[at]);
}

/* --- Names and pages --- */

static void expect_entry(const struct snapshot *snapshot, size_t at, const char *family, const char *name,
                         const char *number)
{
    assert_true(at < snapshot->count);
    const struct record *entry = record_at(snapshot, at);
    assert_string_equal(stats_row(entry->row)->family, family);
    assert_true(slice_is(entry->key, name));
    assert_number(entry, number);
}

static void test_names_are_kept_and_sorted(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_PROXYFUNCS, "slots_my func", "2");
    add(snapshot, COMMAND_PROXY, "user_foo", "3");
    add(snapshot, COMMAND_PROXY, "user_bar_baz", "18446744073709551615");
    add(snapshot, COMMAND_PROXY, "user_", "0");
    add(snapshot, COMMAND_PROXYBE, "bad_down one", "2");
    add(snapshot, COMMAND_PROXY, "user_x", "-3");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->parse_errors, 1);
    assert_int_equal(snapshot->count, 5);
    expect_entry(snapshot, 0, "memcached_proxy_user_total", "", "0");
    expect_entry(snapshot, 1, "memcached_proxy_user_total", "bar_baz", "18446744073709551615");
    expect_entry(snapshot, 2, "memcached_proxy_user_total", "foo", "3");
    expect_entry(snapshot, 3, "memcached_proxy_function_slots", "my func", "2");
    expect_entry(snapshot, 4, "memcached_proxy_backend_bad", "down one", "2");
    snapshot_release(snapshot);
}

/* Long names are cut by the server, and bytes that are no UTF-8 all look the same. */
static void test_numbers_of_the_same_name_are_added_up(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_PROXY, "user_x\xff", "3");
    add(snapshot, COMMAND_PROXY, "user_y", "1");
    add(snapshot, COMMAND_PROXY, "user_x\xfe", "40");
    add(snapshot, COMMAND_PROXY, "user_x\xef\xbf\xbd", "500");
    add(snapshot, COMMAND_PROXY, "cmd_mg", "1");
    add(snapshot, COMMAND_PROXY, "cmd_mg", "2");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->parse_errors, 0);
    assert_int_equal(snapshot->count, 3);
    expect_entry(snapshot, 0, "memcached_proxy_commands_total", "", "1");
    expect_entry(snapshot, 1, "memcached_proxy_user_total", "x\xef\xbf\xbd", "543");
    expect_entry(snapshot, 2, "memcached_proxy_user_total", "y", "1");
    snapshot_release(snapshot);
}

/* --- What one server may add to an answer --- */

#define LARGE (64 * 1024 * 1024)

static void add_numbered(struct snapshot *snapshot, enum command command, const char *key, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        char name[512];
        snprintf(name, sizeof(name), "%s%u", key, (n * 7919) % count);
        assert_true(add(snapshot, command, name, "1"));
    }
}

/* Stats that nobody knows leave room for those of the table. */
static void test_unknown_stats_are_bounded(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, LARGE, 0);
    (void) state;
    add_numbered(snapshot, COMMAND_STATS, "new_thing_", SNAPSHOT_SERIES_MAX);
    add(snapshot, COMMAND_SETTINGS, "maxconns", "1024");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->count, SNAPSHOT_SERIES_MAX / 2 + 1);
    assert_int_equal(snapshot->cut, SNAPSHOT_SERIES_MAX / 2);
    assert_int_equal(snapshot->parse_errors, 0);
    assert_number(find(snapshot, COMMAND_SETTINGS, "maxconns"), "1024");
    snapshot_release(snapshot);
}

static void test_series_are_bounded(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, LARGE, 0);
    (void) state;
    add_numbered(snapshot, COMMAND_PROXYFUNCS, "slots_", SNAPSHOT_SERIES_MAX + 5);
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->count, SNAPSHOT_SERIES_MAX);
    assert_int_equal(snapshot->cut, 5);
    snapshot_release(snapshot);
}

static void test_bytes_are_bounded(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, LARGE, 0);
    char value[1001];
    unsigned lines = 2 * SNAPSHOT_TEXT_MAX / 1000;
    (void) state;
    memset(value, 'x', 1000);
    value[1000] = '\0';
    for (unsigned n = 0; n < lines; n++) assert_true(add(snapshot, COMMAND_STATS, "version", value));
    assert_true(snapshot->builder.text.len <= SNAPSHOT_TEXT_MAX);
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->count, 1);
    assert_in_range(snapshot->cut, lines / 2 - 10, lines / 2 + 10);
    snapshot_release(snapshot);
}

/* A small --memcached.max-reply bounds them, too. */
static void test_the_reply_bounds_what_is_kept(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, 64 * 1024, 0);
    (void) state;
    add_numbered(snapshot, COMMAND_PROXYFUNCS, "slots_", SNAPSHOT_SERIES_MAX);
    assert_true(snapshot->builder.size * sizeof(snapshot->builder.entries[0]) <= 128 * 1024);
    snapshot_finish(snapshot);
    assert_in_range(snapshot->count, 1000, 5000);
    assert_int_equal(snapshot->count + snapshot->cut, SNAPSHOT_SERIES_MAX);
    snapshot_release(snapshot);
}

/* What comes in order, with doubles or without, is not compared again and again. */
static void test_only_what_is_mixed_is_sorted(void **state)
{
    struct snapshot *snapshot = snapshot_new(ALL, LARGE, 0);
    (void) state;
    for (unsigned n = 0; n < 5000; n++) add(snapshot, COMMAND_STATS, "new", "1");
    for (unsigned n = 0; n < 5000; n++) add(snapshot, COMMAND_STATS, "pid", "1");
    assert_int_equal(snapshot_finish(snapshot), 0);
    assert_int_equal(snapshot->count, 2);
    snapshot_release(snapshot);

    snapshot = snapshot_new(ALL, LARGE, 0);
    add(snapshot, COMMAND_STATS, "pid", "1");
    add_numbered(snapshot, COMMAND_STATS, "new", 100);
    assert_int_equal(snapshot_finish(snapshot), 100);
    snapshot_release(snapshot);
}

static void test_pages(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_EXTSTORE, "1:bytes", "7");
    add(snapshot, COMMAND_EXTSTORE, "0:bytes", "5");
    snapshot_finish(snapshot);
    assert_number(find(snapshot, COMMAND_EXTSTORE, "1:bytes"), "7");
    assert_number(find(snapshot, COMMAND_EXTSTORE, "0:bytes"), "5");
    assert_null(find(snapshot, COMMAND_EXTSTORE, "2:bytes"));
    snapshot_release(snapshot);
}

/* --- What is counted --- */

static void fill_counts(struct snapshot *snapshot)
{
    add(snapshot, COMMAND_SIZES, "96", "4");
    add(snapshot, COMMAND_SIZES, "new_size_thing", "4");
    add(snapshot, COMMAND_CONNS, "1:state", "conn_read");
    add(snapshot, COMMAND_CONNS, "1:secs_since_last_cmd", "3");
    add(snapshot, COMMAND_CONNS, "1:new_number", "3");
    add(snapshot, COMMAND_DETAIL, "a", "get 1 hit 1 set 1 del 1");
    add(snapshot, COMMAND_DETAIL, "b", "get 2 hit 1 set 1 del 1");
    add(snapshot, COMMAND_DETAIL, "c", "get 3 hit 1 set 1 del 1");
    add(snapshot, COMMAND_DETAIL, "d", "get 4 hit 1 set 1 del 1");
}

static void expect_counts(const struct snapshot *snapshot, bool present)
{
    assert_int_equal(snapshot->sizes.count, present);
    assert_int_equal(snapshot->connections != NULL, present);
    if (present) assert_int_equal(snapshot->connections->idle[1], 1);
    assert_int_equal(snapshot->prefixes.count, present ? MAX_PREFIXES : 0);
    assert_int_equal(snapshot->prefixes.dropped, present ? 1 : 0);
    assert_int_equal(snapshot->count, present);
}

/* No line of a connection becomes an entry; one of sizes that is no bucket does. */
static void test_counts(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    fill_counts(snapshot);
    snapshot_finish(snapshot);
    expect_counts(snapshot, true);
    assert_int_equal(record_at(snapshot, 0)->row, STAT_UNMAPPED);
    assert_false(snapshot->sizes.disabled);
    snapshot_release(snapshot);
}

static void test_sizes_are_off(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    add(snapshot, COMMAND_SIZES, "sizes_status", "disabled");
    snapshot_finish(snapshot);
    assert_true(snapshot->sizes.disabled);
    assert_int_equal(snapshot->count, 0);
    snapshot_release(snapshot);
}

static void test_counts_are_dropped_with_their_command(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    fill_counts(snapshot);
    snapshot_drop_unanswered(snapshot);
    snapshot_finish(snapshot);
    expect_counts(snapshot, false);
    snapshot_release(snapshot);
}

static void test_copy_of_counts(void **state)
{
    (void) state;
    for (int answered = 0; answered < 2; answered++) {
        struct snapshot *snapshot = new_snapshot();
        fill_counts(snapshot);
        snapshot->answered = answered ? ALL : COMMAND_BIT(COMMAND_STATS);
        struct snapshot *copy = snapshot_copy(snapshot);
        snapshot_release(snapshot);
        expect_counts(copy, answered);
        snapshot_release(copy);
    }
}

static void test_verdict(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    (void) state;
    snapshot_judge(snapshot, TARGET_OVERLOADED, "too much");
    assert_int_equal(snapshot->state, TARGET_OVERLOADED);
    assert_string_equal(snapshot->error, "too much");
    snapshot_release(snapshot);
    snapshot = new_snapshot();
    snapshot->answered = COMMAND_BIT(COMMAND_STATS);
    snapshot_judge(snapshot, TARGET_OVERLOADED, "too much");
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_string_equal(snapshot->error, "");
    snapshot_release(snapshot);
}

/* --- A real server, as a whole --- */

static void fill(struct snapshot *snapshot, enum command command, const char *file)
{
    struct slice capture = data_read(file), input = capture;
    struct reply_line line;
    while ((line = reply_next(&input, command_info(command)->form)).kind == REPLY_STAT)
        assert_true(snapshot_add(snapshot, command, line.key, line.value));
    assert_int_equal(line.kind, REPLY_END);
    snapshot->answered |= COMMAND_BIT(command);
    free((char *) capture.data);
}

/* family{class,labels} number or text, a line for each entry. */
static void list_entries(const struct snapshot *snapshot, struct buffer *out)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct record *entry = record_at(snapshot, i);
        const struct stat_row *row = stats_row(entry->row);
        buffer_append_string(out, row->family);
        if (row->scope == SCOPE_SLAB) buffer_printf(out, " slab=\"%u\"", entry->number);
        if (row->labels[0]) buffer_printf(out, " %s", row->labels);
        buffer_append_char(out, ' ');
        buffer_append_slice(out, entry->value);
        buffer_append_char(out, '\n');
    }
}

static void test_golden(void **state)
{
    struct snapshot *snapshot = new_snapshot();
    struct buffer out;
    (void) state;
    fill(snapshot, COMMAND_STATS, "samples/v1.6.33-stats.txt");
    fill(snapshot, COMMAND_SETTINGS, "samples/v1.6.33-stats-settings.txt");
    fill(snapshot, COMMAND_ITEMS, "samples/v1.6.33-stats-items.txt");
    fill(snapshot, COMMAND_SLABS, "samples/v1.6.33-stats-slabs.txt");
    snapshot_finish(snapshot);
    assert_int_equal(snapshot->parse_errors, 0);

    buffer_init(&out, CAP);
    list_entries(snapshot, &out);
    struct slice golden = data_read("golden/snapshot-1.6.33.txt"), lines = golden, given = buffer_slice(&out);
    while (lines.len) {
        struct slice expected = slice_cut(&lines, '\n'), line = slice_cut(&given, '\n');
        if (!slice_equal(line, expected))
            fail_msg("%.*s instead of %.*s", SLICE_ARG(line), SLICE_ARG(expected));
    }
    assert_int_equal(given.len, 0);
    free((char *) golden.data);
    buffer_deinit(&out);
    snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_text_is_kept_as_sent),
        cmocka_unit_test(test_hidden_is_not_kept),
        cmocka_unit_test(test_sets_are_what_cas_leaves),
        cmocka_unit_test(test_unknown_numbers_are_kept),
        cmocka_unit_test(test_the_first_unreadable_value_is_remarked),
        cmocka_unit_test(test_unreadable_counts_are_remarked),
        cmocka_unit_test(test_a_stat_given_twice_is_remarked),
        cmocka_unit_test(test_counts_given_twice),
        cmocka_unit_test(test_nothing_to_remark),
        cmocka_unit_test(test_a_long_key_is_cut_in_a_remark),
        cmocka_unit_test(test_entries_are_sorted),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_first_of_a_double_stays),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_text_is_bounded),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_copy_is_finished_and_apart),
        cmocka_unit_test(test_copy_of_nothing),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_names_are_kept_and_sorted),
        cmocka_unit_test(test_numbers_of_the_same_name_are_added_up),
        cmocka_unit_test(test_unknown_stats_are_bounded),
        cmocka_unit_test(test_series_are_bounded),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_the_reply_bounds_what_is_kept),
        cmocka_unit_test(test_only_what_is_mixed_is_sorted),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_sizes_are_off),
        cmocka_unit_test(test_counts_are_dropped_with_their_command),
        cmocka_unit_test(test_copy_of_counts),
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
