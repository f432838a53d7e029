/* Every family of prometheus/memcached_exporter: its type in each format, and its labels in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "collectors/fleet.h"
#include "collectors/fleet_table.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

/* Of a stat that moved, the family of the servers that still have it where it was. */
static const struct family *find_family(struct slice name, struct slice command)
{
    const struct collector *collector = fleet_collector();
    for (size_t n = 0; n < fleet_table.count; n++) {
        const struct table_family *family = &fleet_table.families[n];
        bool early = family->turn > family->first &&
                     slice_is(command, command_info(stats_row(family->first)->command)->name);
        if (early && slice_is(name, family->family.name)) return &family->early;
    }
    for (size_t n = 0; n < collector->count; n++) {
        if (slice_is(name, collector->families[n]->name)) return collector->families[n];
    }
    return NULL;
}

/* The word of a family's TYPE line in a text format. */
static const char *type_in(const struct family *family, enum format format, char word[32])
{
    struct buffer head;
    buffer_init(&head, 4096);
    family_append_head(family, format, &head);
    buffer_append_char(&head, '\0');
    const char *line = strstr(head.data, "# TYPE ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "# TYPE %*s %31s", word), 1);
    buffer_deinit(&head);
    return word;
}

static bool is_falling(struct slice name)
{
    return slice_is(name, "memcached_extstore_bytes_used") ||
           slice_is(name, "memcached_slab_items_evicted_time_seconds") ||
           slice_is(name, "memcached_slab_mem_requested_bytes");
}

static size_t facts;

static void on_official(struct slice *columns)
{
    struct slice name = columns[0], official = columns[1], set = columns[2];
    const struct family *family = find_family(name, columns[3]);
    char labels[128] = "", word[32];
    if (!slice_starts(columns[3], "s") && !slice_starts(columns[3], "i")) return; /* of no stats command */
    if (!family) fail_msg("no %.*s", SLICE_ARG(name));
    facts++;
    /* 0.0.4 says what the official exporter says. */
    if (!slice_is(official, type_in(family, FORMAT_TEXT, word)))
        fail_msg("%s is a %s, and a %.*s there", family->name, word, SLICE_ARG(official));
    /* OpenMetrics keeps the type where the name lets it. */
    bool counter = slice_is(official, "counter"), total = slice_is(slice_from(name, name.len - 6), "_total");
    const char *expected = !counter ? "gauge" : total ? "counter" : is_falling(name) ? "gauge" : "unknown";
    assert_string_equal(type_in(family, FORMAT_OPENMETRICS, word), expected);
    while (set.len) {
        struct slice label = slice_cut(&set, ',');
        struct slice key = slice_cut(&label, '=');
        size_t len = strlen(labels);
        snprintf(labels + len, sizeof(labels) - len, "%s%.*s", len ? "," : "", SLICE_ARG(key));
    }
    assert_string_equal(family->labels, labels);
}

static void test_types_and_labels(void **state)
{
    (void) state;
    data_each_line("official-metrics.tsv", on_official);
    assert_true(facts > 115);
}

/* Beginnings of words, in lower case, but for flags and names of modes. */
static void on_official_help(struct slice *columns)
{
    const struct family *family = find_family(columns[0], SLICE(""));
    if (!family) fail_msg("no %.*s", SLICE_ARG(columns[0]));
    for (struct slice rest = columns[1]; rest.len;) {
        struct slice word = slice_cut(&rest, ' ');
        char text[64];
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(word));
        if (!strcasestr(family->help, text))
            fail_msg("%s does not say %s: %s", family->name, text, family->help);
        facts++;
    }
}

/* A help text says at least what that of the official exporter says. */
static void test_help_says_what_the_official_one_says(void **state)
{
    (void) state;
    facts = 0;
    data_each_line("official-help.tsv", on_official_help);
    assert_true(facts > 340);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_labels),
        cmocka_unit_test(test_help_says_what_the_official_one_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
