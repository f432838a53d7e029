/*
 * The table against what is known of memcached's stats (data/stats.tsv), against the metrics of
 * prometheus/memcached_exporter (data/official-metrics.tsv) and against what real servers say (data/samples).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/reply.h"
#include "memcached/stats.h"

#include <ctype.h>

#define CLASS 7

/* --- Facts, a tab-separated line each --- */

static bool find_command(struct slice name, enum command *command)
{
    for (*command = 0; *command < COMMAND_COUNT; (*command)++) {
        if (slice_is(name, command_info(*command)->name)) return true;
    }
    return false;
}

/* The row of a key that is given with N for the class. */
static const struct stat_row *row_of(enum command command, struct slice key)
{
    char sent[128];
    size_t len = 0;
    uint32_t slab;
    for (size_t i = 0; i < key.len; i++) {
        bool mark = key.data[i] == 'N' && i + 1 < key.len && key.data[i + 1] == ':';
        sent[len++] = mark ? '0' + CLASS : key.data[i];
    }
    uint16_t row = stats_find(command, (struct slice){sent, len}, &slab);
    if (row == STAT_UNMAPPED) fail_msg("%.*s is not in the table", SLICE_ARG(key));
    assert_int_equal(slab, stats_number_label(stats_row(row)) ? CLASS : 0);
    assert_int_equal(stats_row(row)->command, command);
    return stats_row(row);
}

/* name{slab="N",x="y"}, as an exposition of the row would have it; a label without value stands alone. */
static void describe(const struct stat_row *row, char *text, size_t size)
{
    const char *number = stats_number_label(row), *comma = row->labels[0] ? "," : "";
    snprintf(text, size, "%s{%s%s%s%s%s%s}", row->family ? row->family : "-", number ? number : "",
             number ? "," : "", row->labels, comma, row->label ? row->label : "", row->label ? "," : "");
    char *end = strstr(text, ",}");
    if (end) memcpy(end, "}", 2);
    end = strstr(text, "{}");
    if (end) *end = '\0';
}

/* "a - b - c" without blanks equals the key less its `minus`. */
static void check_minus(const struct stat_row *row, struct slice formula)
{
    char expected[128] = "", given[128] = "";
    size_t len = 0;
    snprintf(expected, sizeof(expected), "%s", row->key);
    if (row->minus) snprintf(expected, sizeof(expected), "%s-%s", row->key, row->minus);
    for (char *c = expected; *c; c++) *c = *c == ' ' ? '-' : *c;
    for (size_t i = 0; i < formula.len; i++) {
        if (formula.data[i] != ' ') given[len++] = formula.data[i];
    }
    assert_string_equal(given, expected);
}

static enum stat_kind kind_of(struct slice type)
{
    if (slice_is(type, "info")) return STAT_INFO;
    assert_true(slice_is(type, "counter") || slice_is(type, "gauge"));
    return slice_is(type, "counter") ? STAT_COUNTER : STAT_GAUGE;
}

/* --- Every stat of every version --- */

/* Where a number is more than digits, and a string more than a label. */
static const struct {
    const char *key;
    enum stat_form form;
} special_forms[] = {
    {"proxy_req_active", FORM_SIGNED},
    {"proxy_await_active", FORM_SIGNED},
    {"ext_item_age", FORM_NONE_MAX},
    {"ext_max_sleep", FORM_MICROSECONDS},
    {"auth_enabled_ascii", FORM_SWITCH_PATH},
    {"slab_automove", FORM_LEVEL},
    {"slab_automove_window", FORM_DECIMAL},
    {"ssl_key", FORM_HIDDEN},
    {"sizes_status", FORM_HIDDEN},
    {"active_req_limit", FORM_SIGNED},
    {"vm_memory_kb", FORM_KIBIBYTES},
};

static enum stat_form form_of(struct slice key, struct slice form)
{
    for (size_t i = 0; i < ARRAY_LEN(special_forms); i++) {
        if (slice_is(key, special_forms[i].key)) return special_forms[i].form;
    }
    if (slice_starts(form, "bool")) return FORM_SWITCH;
    if (slice_is(form, "float") || slice_is(form, "seconds.microseconds")) return FORM_DECIMAL;
    if (slice_is(form, "microseconds")) return FORM_MICROSECONDS;
    if (slice_is(form, "string") || slice_is(form, "octal string")) return FORM_TEXT;
    assert_true(slice_starts(form, "int"));
    return FORM_UNSIGNED;
}

static unsigned facts;

static void on_stat(struct slice *columns)
{
    struct slice key = columns[1], type = columns[3], formula = columns[4];
    enum command command;
    char text[256];
    assert_true(find_command(columns[0], &command));
    const struct stat_row *row = row_of(command, key);
    facts++;
    assert_int_equal(row->form, form_of(key, columns[2]));
    if (row->form == FORM_HIDDEN) return;

    /* name{labels} = a-b-c; the formula's sign has blanks around it, those of the labels have not. */
    struct slice series = slice_cut(&formula, ' ');
    describe(row, text, sizeof(text));
    if (!slice_is(series, text)) fail_msg("%s instead of %.*s", text, SLICE_ARG(series));
    if (formula.len)
        check_minus(row, slice_from(formula, 2));
    else
        assert_null(row->minus);

    /* Two types are those of the official exporter. */
    if (slice_is(key, "uptime")) type = SLICE("counter");
    if (slice_is(key, "version")) type = SLICE("gauge");
    enum stat_kind kind = row->kind == STAT_NAMED_COUNTER ? STAT_GAUGE : row->kind;
    if (kind != kind_of(type)) fail_msg("%s has the wrong type", text);
}

static void test_every_stat_is_there(void **state)
{
    (void) state;
    facts = 0;
    data_each_line("stats.tsv", on_stat);
    assert_int_equal(facts, stats_count());
    assert_true(facts > 270);
}

/* --- The official exporter --- */

static void on_official(struct slice *columns)
{
    struct slice metric = columns[0], labels = columns[2], formula = columns[4];
    enum command command;
    char text[256], expected[256];
    if (!find_command(columns[3], &command)) return; /* of the exporter itself */
    facts++;

    struct slice key = slice_cut(&formula, ' ');
    /* The official exporter's client merges it into `stats`; every server says it in `stats slabs`. */
    if (slice_is(key, "total_malloced")) command = COMMAND_SLABS;
    const struct stat_row *row = row_of(command, key);
    if (formula.len) {
        char written[128] = "";
        size_t len = 0;
        for (size_t i = 0; i < columns[4].len; i++) {
            if (strncmp(columns[4].data + i, "N:", 2) == 0) i += 2;
            written[len++] = columns[4].data[i];
        }
        check_minus(row, (struct slice){written, len});
    }

    const char *slab = memmem(labels.data, labels.len, "slab=\"N\"", strlen("slab=\"N\""));
    if (slab) {
        /* `describe` has it first; the order in an answer is for the collector. */
        struct slice before = {labels.data, (size_t) (slab - labels.data)};
        struct slice after = slice_from(labels, before.len + strlen("slab=\"N\""));
        if (before.len == 0 && after.len) after = slice_from(after, 1);
        if (before.len && after.len == 0) before.len--;
        if (before.len && after.len) after = slice_from(after, 1);
        snprintf(expected, sizeof(expected), "%.*s{slab%s%.*s%.*s}", SLICE_ARG(metric),
                 before.len + after.len ? "," : "", SLICE_ARG(before), SLICE_ARG(after));
    } else if (slice_is(labels, "version=<value>")) {
        snprintf(expected, sizeof(expected), "%.*s{version}", SLICE_ARG(metric));
    } else {
        bool bare = labels.len == 0;
        snprintf(expected, sizeof(expected), "%.*s%s%.*s%s", SLICE_ARG(metric), bare ? "" : "{",
                 SLICE_ARG(labels), bare ? "" : "}");
    }
    describe(row, text, sizeof(text));
    assert_string_equal(text, expected);
    /* A gauge that is called a counter there is one of its own kind. */
    bool good = row->kind == kind_of(columns[1]);
    if (row->kind == STAT_NAMED_COUNTER) good = kind_of(columns[1]) == STAT_COUNTER;
    if (!good) fail_msg("%s has the wrong type", text);
}

static void test_every_official_metric_is_there(void **state)
{
    (void) state;
    facts = 0;
    data_each_line("official-metrics.tsv", on_official);
    assert_true(facts > 115);
}

/* --- Real servers --- */

static unsigned known;

static void on_capture(const char *name, struct slice bytes)
{
    static const char *const endings[COMMAND_COUNT] = {
        [COMMAND_STATS] = "-stats.txt",
        [COMMAND_SETTINGS] = "-stats-settings.txt",
        [COMMAND_ITEMS] = "-stats-items.txt",
        [COMMAND_SLABS] = "-stats-slabs.txt",
        [COMMAND_EXTSTORE] = "-stats-extstore.txt",
        [COMMAND_PROXY] = "-stats-proxy.txt",
        [COMMAND_PROXYFUNCS] = "-stats-proxyfuncs.txt",
        [COMMAND_PROXYBE] = "-stats-proxybe.txt",
    };
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        struct slice input = bytes;
        if (!endings[command] || !strstr(name, endings[command])) continue;
        for (struct reply_line line;
             (line = reply_next(&input, command_info(command)->form)).kind == REPLY_STAT; known++) {
            uint32_t slab;
            if (stats_find(command, line.key, &slab) == STAT_UNMAPPED)
                fail_msg("%s: %.*s is not in the table", name, SLICE_ARG(line.key));
        }
    }
}

static void test_every_key_of_real_servers_is_known(void **state)
{
    (void) state;
    known = 0;
    data_each_sample(on_capture);
    assert_true(known > 3000);
}

/* --- The table in itself --- */

static void test_names_are_valid(void **state)
{
    (void) state;
    for (unsigned n = 0; n < stats_count(); n++) {
        const struct stat_row *row = stats_row(n);
        assert_int_equal(row->family == NULL, row->form == FORM_HIDDEN);
        assert_int_equal(row->label != NULL, row->form == FORM_TEXT || row->scope == SCOPE_NAME);
        if (row->scope == SCOPE_NAME) assert_int_equal(strcspn(row->key, "_") + 1, strlen(row->key));
        if (!row->family) continue;
        size_t len = strlen(row->family);
        assert_int_equal(strspn(row->family, "abcdefghijklmnopqrstuvwxyz_"), len);
        assert_true(strncmp(row->family, "memcached_", 10) == 0);
        if (row->label)
            assert_int_equal(strspn(row->label, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->label));
    }
}

/* a="b",c="d": names are words, values need no escape. */
static void test_constant_labels_are_valid(void **state)
{
    (void) state;
    for (unsigned n = 0; n < stats_count(); n++) {
        struct slice rest = slice_of(stats_row(n)->labels);
        while (rest.len) {
            struct slice pair = slice_cut(&rest, ','), name = slice_cut(&pair, '=');
            assert_true(name.len > 0 && pair.len > 2);
            for (size_t i = 0; i < name.len; i++) assert_true(islower(name.data[i]));
            assert_true(pair.data[0] == '"' && pair.data[pair.len - 1] == '"');
            for (size_t i = 1; i + 1 < pair.len; i++)
                assert_true(islower(pair.data[i]) || pair.data[i] == '_');
        }
    }
}

static bool same_family(const struct stat_row *a, const struct stat_row *b)
{
    return a->family && b->family && strcmp(a->family, b->family) == 0;
}

static void test_families_stand_together(void **state)
{
    (void) state;
    for (unsigned n = 1; n < stats_count(); n++) {
        const struct stat_row *row = stats_row(n);
        bool joins = same_family(stats_row(n - 1), row);
        bool moved =
            joins && stats_preferred(n) == n - 1; /* to another command, and may have another type there */
        if (joins && !moved) assert_int_equal(row->kind, stats_row(n - 1)->kind);
        if (joins) assert_int_equal(row->scope, stats_row(n - 1)->scope);
        for (unsigned before = 0; !joins && before < n; before++) {
            if (same_family(stats_row(before), row)) fail_msg("%s stands in two places", row->family);
        }
    }
}

static void test_help_names_the_stat(void **state)
{
    (void) state;
    for (unsigned n = 0; n < stats_count(); n++) {
        const struct stat_row *row = stats_row(n);
        if (!row->family || (n > 0 && same_family(stats_row(n - 1), row))) continue;
        assert_non_null(row->help);
        assert_non_null(strstr(row->help, row->key));
        assert_null(strpbrk(row->help, "\n\\"));
        assert_true(isupper(row->help[0]));
        assert_string_equal(row->help + strlen(row->help) - 2, ").");
    }
}

/* --- Finding --- */

static void test_rows_find_themselves(void **state)
{
    (void) state;
    for (unsigned n = 0; n < stats_count(); n++) {
        const struct stat_row *row = stats_row(n);
        const char *items = row->command == COMMAND_ITEMS ? "items:" : "";
        const char *number = stats_number_label(row) ? "4294967295:" : "";
        const char *name = row->scope == SCOPE_NAME ? "some name_x:1" : "";
        char key[128];
        uint32_t slab = 1;
        snprintf(key, sizeof(key), "%s%s%s%s", items, number, row->key, name);
        assert_int_equal(stats_find(row->command, slice_of(key), &slab), n);
        assert_int_equal(slab, stats_number_label(row) ? UINT32_MAX : 0);
    }
}

static void test_strangers_are_not_found(void **state)
{
    static const struct {
        enum command command;
        const char *key;
    } strangers[] = {
        {COMMAND_STATS, ""},
        {COMMAND_STATS, "get_hit"},
        {COMMAND_STATS, "get_hitss"},
        {COMMAND_STATS, "GET_HITS"},
        {COMMAND_STATS, "1:get_hits"},
        {COMMAND_STATS, "maxconns"},
        {COMMAND_SETTINGS, "get_hits"},
        {COMMAND_ITEMS, "number"},
        {COMMAND_ITEMS, "1:number"},
        {COMMAND_ITEMS, "items"},
        {COMMAND_ITEMS, "items:1"},
        {COMMAND_ITEMS, "items:1:"},
        {COMMAND_ITEMS, "items::number"},
        {COMMAND_ITEMS, "items:x:number"},
        {COMMAND_ITEMS, "items:-1:number"},
        {COMMAND_ITEMS, "items:1:number:2"},
        {COMMAND_ITEMS, "items:4294967296:number"},
        {COMMAND_ITEMS, "sizes:1:number"},
        {COMMAND_SLABS, "chunk_size"},
        {COMMAND_SLABS, ":chunk_size"},
        {COMMAND_SLABS, "items:1:chunk_size"},
        {COMMAND_SLABS, "7:active_slabs"},
        {COMMAND_EXTSTORE, "bytes"},
        {COMMAND_EXTSTORE, "0:"},
        {COMMAND_EXTSTORE, "0:used"},
        {COMMAND_EXTSTORE, "4294967296:bytes"},
        {COMMAND_PROXY, "user"},
        {COMMAND_PROXY, "cmd_xx"},
        {COMMAND_PROXY, "0:cmd_mg"},
        {COMMAND_PROXY, "_"},
        {COMMAND_PROXYFUNCS, "user_x"},
        {COMMAND_PROXYBE, "bad"},
        {COMMAND_PROXYBE, "BAD_x"},
        {COMMAND_STATS, "user_x"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        uint32_t slab = 1;
        assert_int_equal(stats_find(strangers[i].command, slice_of(strangers[i].key), &slab), STAT_UNMAPPED);
        assert_int_equal(slab, 0);
    }
    uint32_t slab;
    assert_int_equal(stats_find(COMMAND_STATS, SLICE("pid\0"), &slab), STAT_UNMAPPED);
}

/* A name may hold anything, also what looks like the beginning of another key. */
static void test_names_are_found(void **state)
{
    static const struct {
        enum command command;
        const char *key, *row;
    } names[] = {
        {COMMAND_PROXY, "user_foo", "user_"},
        {COMMAND_PROXY, "user_bar_baz", "user_"},
        {COMMAND_PROXY, "user_", "user_"},
        {COMMAND_PROXY, "user_cmd_mg", "user_"},
        {COMMAND_PROXYFUNCS, "funcs_my func", "funcs_"},
        {COMMAND_PROXYFUNCS, "slots_1:x", "slots_"},
        {COMMAND_PROXYBE, "bad_down one", "bad_"},
        {COMMAND_PROXY, "cmd_mg", "cmd_mg"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint32_t number = 1;
        uint16_t row = stats_find(names[i].command, slice_of(names[i].key), &number);
        assert_int_not_equal(row, STAT_UNMAPPED);
        assert_string_equal(stats_row(row)->key, names[i].row);
        assert_int_equal(number, 0);
    }
}

/* --- What follows from the table --- */

static uint16_t number_of(enum command command, const char *key)
{
    uint32_t slab;
    uint16_t row = stats_find(command, slice_of(key), &slab);
    assert_int_not_equal(row, STAT_UNMAPPED);
    return row;
}

static void test_preferred(void **state)
{
    (void) state;
    uint16_t limit = number_of(COMMAND_STATS, "max_connections");
    uint16_t memory = number_of(COMMAND_ITEMS, "items:1:mem_requested");
    unsigned doubles = 0;
    assert_int_equal(stats_preferred(limit), number_of(COMMAND_SETTINGS, "maxconns"));
    assert_int_equal(stats_preferred(memory), number_of(COMMAND_SLABS, "1:mem_requested"));
    for (unsigned n = 0; n < stats_count(); n++) doubles += stats_preferred(n) != STAT_UNMAPPED;
    assert_int_equal(doubles, 2);
}

static void test_minus(void **state)
{
    uint16_t rows[STAT_MINUS_MAX];
    (void) state;
    assert_int_equal(stats_minus(number_of(COMMAND_STATS, "cmd_set"), rows), 3);
    assert_int_equal(rows[0], number_of(COMMAND_STATS, "cas_hits"));
    assert_int_equal(rows[1], number_of(COMMAND_STATS, "cas_misses"));
    assert_int_equal(rows[2], number_of(COMMAND_STATS, "cas_badval"));
    assert_int_equal(stats_minus(number_of(COMMAND_SLABS, "1:cmd_set"), rows), 2);
    assert_int_equal(rows[0], number_of(COMMAND_SLABS, "1:cas_hits"));
    assert_int_equal(rows[1], number_of(COMMAND_SLABS, "1:cas_badval"));
    assert_int_equal(stats_minus(number_of(COMMAND_STATS, "get_hits"), rows), 0);
}

/* A request that is cut or misspelt may reset a server's counters. */
static void test_requests(void **state)
{
    (void) state;
    assert_true(slice_is(command_info(COMMAND_STATS)->request, "stats\r\n"));
    assert_true(slice_is(command_info(COMMAND_SETTINGS)->request, "stats settings\r\n"));
    assert_true(slice_is(command_info(COMMAND_ITEMS)->request, "stats items\r\n"));
    assert_true(slice_is(command_info(COMMAND_SLABS)->request, "stats slabs\r\n"));
    assert_true(slice_is(command_info(COMMAND_SIZES)->request, "stats sizes\r\n"));
    assert_true(slice_is(command_info(COMMAND_CONNS)->request, "stats conns\r\n"));
    assert_true(slice_is(command_info(COMMAND_DETAIL)->request, "stats detail dump\r\n"));
    assert_true(slice_is(command_info(COMMAND_EXTSTORE)->request, "stats extstore\r\n"));
    assert_true(slice_is(command_info(COMMAND_PROXY)->request, "stats proxy\r\n"));
    assert_true(slice_is(command_info(COMMAND_PROXYFUNCS)->request, "stats proxyfuncs\r\n"));
    assert_true(slice_is(command_info(COMMAND_PROXYBE)->request, "stats proxybe\r\n"));
}

static void test_dangers(void **state)
{
    (void) state;
    unsigned dangerous = COMMAND_BIT(COMMAND_SIZES) | COMMAND_BIT(COMMAND_EXTSTORE);
    assert_int_equal(commands_harmless(), (COMMAND_BIT(COMMAND_COUNT) - 1) & ~dangerous);
    assert_int_equal(command_info(COMMAND_SIZES)->danger, DANGER_WALK);
    assert_int_equal(command_info(COMMAND_EXTSTORE)->danger, DANGER_CRASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_stat_is_there),
        cmocka_unit_test(test_every_official_metric_is_there),
        cmocka_unit_test(test_every_key_of_real_servers_is_known),
        cmocka_unit_test(test_names_are_valid),
        cmocka_unit_test(test_constant_labels_are_valid),
        cmocka_unit_test(test_families_stand_together),
        cmocka_unit_test(test_help_names_the_stat),
        cmocka_unit_test(test_rows_find_themselves),
        cmocka_unit_test(test_strangers_are_not_found),
        cmocka_unit_test(test_names_are_found),
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_minus),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_dangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
