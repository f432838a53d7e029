/* The collectors of the exporter, as they are registered: no name of theirs is taken twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "cli/options.h"
#include "collectors/build.h"
#include "collectors/fleet.h"
#include "collectors/process.h"
#include "collectors/targets.h"
#include "collectors/telemetry.h"
#include "collectors/watched.h"
#include "data.h"
#include "metrics/registry.h"

static const struct collector *collectors(size_t n)
{
    const struct collector *all[] = {fleet_collector(),    &memcached_process_collector, &build_collector,
                                     &telemetry_collector, &targets_collector,           &process_collector,
                                     &watched_collector};
    return n < ARRAY_LEN(all) ? all[n] : NULL;
}

static void add(struct registry *registry, const struct collector *collector)
{
    struct buffer error;
    buffer_init(&error, 4096);
    int result = registry_add(registry, collector, &error);
    if (result != 0) fail_msg("%d: %.*s", result, SLICE_ARG(buffer_slice(&error)));
    assert_int_equal(error.len, 0);
    buffer_deinit(&error);
}

/* Those that a push may not be grouped by. */
static void test_labels_of_the_exporter_are_known(void **unused)
{
    (void) unused;
    for (size_t n = 2; collectors(n); n++) {
        for (size_t f = 0; f < collectors(n)->count; f++) {
            for (struct slice rest = slice_of(collectors(n)->families[f]->labels); rest.len;) {
                struct slice label = slice_cut(&rest, ',');
                if (!options_label_of_exporter(label) && !options_label_reserved(label) &&
                    !(collectors(n) == &watched_collector && watch_has_label(label)))
                    fail_msg("%.*s is not listed", SLICE_ARG(label));
            }
        }
    }
    assert_true(options_label_of_exporter(SLICE("quantile")));
    assert_false(options_label_of_exporter(SLICE("instance")) || options_label_of_exporter(SLICE("team")));
}

static void test_no_name_is_taken_twice(void **unused)
{
    struct registry registry;
    (void) unused;
    registry_init(&registry);
    for (size_t n = 0; collectors(n); n++) add(&registry, collectors(n));
    assert_int_equal(registry.count, 7);
}

/* Nor in another order: a conflict is one from both sides. */
static void test_no_name_is_taken_twice_backwards(void **unused)
{
    struct registry registry;
    (void) unused;
    registry_init(&registry);
    for (size_t n = 7; n-- > 0;) add(&registry, collectors(n));
    assert_int_equal(registry.count, 7);
}

/* "memcached_process_*" stands for all names that begin so. */
static bool is_registered(struct slice name)
{
    bool start = name.len && name.data[name.len - 1] == '*';
    for (size_t n = 0; collectors(n); n++) {
        for (size_t f = 0; f < collectors(n)->count; f++) {
            const struct family *family = collectors(n)->families[f];
            if (family_has_name(family, name)) return true;
            if (start && strncmp(family->name, name.data, name.len - 1) == 0) return true;
        }
    }
    return false;
}

static unsigned official_rows;

static void on_official(struct slice *columns)
{
    official_rows++;
    if (!is_registered(columns[0])) fail_msg("%.*s is in no collector", SLICE_ARG(columns[0]));
}

/* Whoever comes from the official exporter finds every name. */
static void test_official_names_are_there(void **unused)
{
    (void) unused;
    official_rows = 0;
    data_each_line("official-metrics.tsv", on_official);
    assert_true(official_rows > 50);
}

/* The exporter itself says process_ of itself, and memcached_ of all else, its own numbers included. */
static void test_names_begin_as_they_should(void **unused)
{
    (void) unused;
    for (size_t n = 0; collectors(n); n++) {
        for (size_t f = 0; f < collectors(n)->count; f++) {
            struct slice name = slice_of(collectors(n)->families[f]->name);
            bool own = collectors(n) == &process_collector;
            assert_true(slice_starts(name, own ? "process_" : "memcached_"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_of_the_exporter_are_known),
        cmocka_unit_test(test_no_name_is_taken_twice),
        cmocka_unit_test(test_no_name_is_taken_twice_backwards),
        cmocka_unit_test(test_official_names_are_there),
        cmocka_unit_test(test_names_begin_as_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
