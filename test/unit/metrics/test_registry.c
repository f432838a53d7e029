/* What may be registered, and that a refusal says why and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct registry registry;
    struct buffer error;
};

static int setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));
    if (!fixture) return -1;
    registry_init(&fixture->registry);
    buffer_init(&fixture->error, 4096);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    buffer_deinit(&fixture->error);
    free(fixture);
    return 0;
}

/* A collector of these families. */
#define COLLECTOR(name, labels, ...)                                                                         \
    ((struct collector){name, (const struct family *const[]){__VA_ARGS__},                                   \
                        sizeof((const struct family *const[]){__VA_ARGS__}) / sizeof(void *), labels})

static void expect_added(struct fixture *fixture, const struct collector *collector)
{
    size_t before = fixture->registry.count;
    int result = registry_add(&fixture->registry, collector, &fixture->error);
    if (result != 0) fail_msg("%d: %.*s", result, SLICE_ARG(buffer_slice(&fixture->error)));
    assert_int_equal(fixture->error.len, 0);
    assert_int_equal(fixture->registry.count, before + 1);
    assert_ptr_equal(fixture->registry.collectors[before], collector);
}

/* Refused with one line that holds the names of the collector and the family, and the word. */
static void expect_refused(struct fixture *fixture, const struct collector *collector, const char *family,
                           const char *word)
{
    size_t before = fixture->registry.count;
    buffer_clear(&fixture->error);
    assert_int_equal(registry_add(&fixture->registry, collector, &fixture->error), -EINVAL);
    assert_int_equal(fixture->registry.count, before);
    buffer_append_char(&fixture->error, '\0');
    const char *text = fixture->error.data;
    if (!strstr(text, collector->name) || !strstr(text, family) || !strstr(text, word)) {
        fail_msg("'%s' lacks one of '%s', '%s', '%s'", text, collector->name, family, word);
    }
    assert_null(strchr(text, '\n'));
    buffer_clear(&fixture->error);
}

static const struct family up = {"x_up", "Up.", METRIC_GAUGE, ""};
static const struct family hits = {"x_hits_total", "Hits.", METRIC_COUNTER, "command,slab"};
static const struct family duration = {"x_seconds", "Duration.", METRIC_HISTOGRAM, "group"};

static void test_keeps_the_order(void **state)
{
    struct fixture *fixture = *state;
    struct collector a = COLLECTOR("a", "", &up), b = COLLECTOR("b", "zone=\"1\"", &hits, &duration);
    struct collector none = {"none", NULL, 0, ""};
    expect_added(fixture, &b);
    expect_added(fixture, &none);
    expect_added(fixture, &a);
    assert_ptr_equal(fixture->registry.collectors[0], &b);
    assert_ptr_equal(fixture->registry.collectors[1], &none);
    assert_ptr_equal(fixture->registry.collectors[2], &a);
}

static void test_holds_as_many_as_an_exposition(void **state)
{
    struct fixture *fixture = *state;
    char names[EXPOSITION_WALKS_MAX][24];
    struct family families[EXPOSITION_WALKS_MAX];
    const struct family *pointers[EXPOSITION_WALKS_MAX];
    struct collector collectors[EXPOSITION_WALKS_MAX];
    for (size_t i = 0; i < EXPOSITION_WALKS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "x_%zu", i);
        families[i] = FAMILY(names[i], "X.", METRIC_GAUGE);
        pointers[i] = &families[i];
        collectors[i] = (struct collector){names[i], &pointers[i], 1, ""};
        expect_added(fixture, &collectors[i]);
    }
}

static void test_malformed_families(void **state)
{
    static const struct family name = {"x-y", "X.", METRIC_GAUGE, ""};
    static const struct family info = {"x_build", "X.", METRIC_INFO, ""};
    static const struct family label = {"x_y", "X.", METRIC_GAUGE, "a,__b"};
    static const struct family help = {"x_z", "Two\nlines.", METRIC_GAUGE, ""};
    struct fixture *fixture = *state;
    expect_refused(fixture, &COLLECTOR("first", "", &name), "x-y", "name");
    expect_refused(fixture, &COLLECTOR("second", "", &info), "x_build", "_info");
    expect_refused(fixture, &COLLECTOR("third", "", &label), "x_y", "label");
    expect_refused(fixture, &COLLECTOR("fourth", "", &help), "x_z", "help");
}

/* The last of its families is looked at as the first, and the first does not stay behind. */
static void test_nothing_is_registered_by_halves(void **state)
{
    static const struct family bad = {"9", "X.", METRIC_GAUGE, ""};
    struct fixture *fixture = *state;
    struct collector good = COLLECTOR("good", "", &up);
    expect_refused(fixture, &COLLECTOR("half", "", &up, &bad), "9", "name");
    expect_added(fixture, &good);
}

/* Pairs that take each other's names, in both orders, of one collector and of two. */
static void test_names_that_are_taken(void **state)
{
    static const struct family pairs[][2] = {
        {{"x", "X.", METRIC_GAUGE, ""}, {"x", "Y.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_GAUGE, "a"}, {"x", "X.", METRIC_COUNTER, "b"}},
        {{"x", "X.", METRIC_HISTOGRAM, ""}, {"x_count", "X.", METRIC_COUNTER, ""}},
        {{"x", "X.", METRIC_HISTOGRAM, ""}, {"x_bucket", "X.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_HISTOGRAM, ""}, {"x_created", "X.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_HISTOGRAM, ""}, {"x", "X.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_HISTOGRAM, ""}, {"x", "X.", METRIC_SUMMARY, ""}},
        {{"x", "X.", METRIC_SUMMARY, ""}, {"x_sum", "X.", METRIC_UNKNOWN, ""}},
        {{"x", "X.", METRIC_SUMMARY, ""}, {"x", "X.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_GAUGE_HISTOGRAM, ""}, {"x_gcount", "X.", METRIC_GAUGE, ""}},
        {{"x", "X.", METRIC_GAUGE_HISTOGRAM, ""}, {"x", "X.", METRIC_STATE_SET, ""}},
        /* Their samples differ, but OpenMetrics would head both by "x". */
        {{"x_total", "X.", METRIC_COUNTER, ""}, {"x", "X.", METRIC_GAUGE, ""}},
        {{"x_info", "X.", METRIC_INFO, ""}, {"x_total", "X.", METRIC_COUNTER, ""}},
    };
    (void) state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(pairs); i++) {
        const struct family *first = &pairs[i / 2][i % 2], *second = &pairs[i / 2][1 - i % 2];
        struct collector a = COLLECTOR("alpha", "", first), b = COLLECTOR("beta", "", second);
        struct fixture *fixture;
        assert_int_equal(setup((void **) &fixture), 0);
        expect_refused(fixture, &COLLECTOR("both", "", first, second), second->name, first->name);
        expect_added(fixture, &a);
        expect_refused(fixture, &b, second->name, first->name);
        teardown((void **) &fixture);
    }
}

static void test_twice_the_same(void **state)
{
    struct collector a = COLLECTOR("a", "", &up);
    expect_added(*state, &a);
    expect_refused(*state, &a, "x_up", "x_up");
}

static void test_names_that_are_near_but_free(void **state)
{
    static const struct family histogram = {"x", "X.", METRIC_HISTOGRAM, ""};
    static const struct family others[] = {
        {"x_counts", "X.", METRIC_GAUGE, ""}, {"x_gcount", "X.", METRIC_GAUGE, ""},
        {"x_", "X.", METRIC_GAUGE, ""},       {"xx", "X.", METRIC_GAUGE, ""},
        {"X", "X.", METRIC_GAUGE, ""},
    };
    struct collector collectors[ARRAY_LEN(others) + 1];
    const struct family *pointers[ARRAY_LEN(others)];
    collectors[ARRAY_LEN(others)] = COLLECTOR("histogram", "", &histogram);
    expect_added(*state, &collectors[ARRAY_LEN(others)]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        pointers[i] = &others[i];
        collectors[i] = (struct collector){"near", &pointers[i], 1, ""};
        expect_added(*state, &collectors[i]);
    }
}

static void test_constant_labels_that_a_family_has(void **state)
{
    struct fixture *fixture = *state;
    expect_refused(fixture, &COLLECTOR("c", "slab=\"1\"", &hits), "x_hits_total", "label");
    expect_refused(fixture, &COLLECTOR("c", "zone=\"1\",command=\"get\"", &hits), "x_hits_total", "label");
    expect_refused(fixture, &COLLECTOR("c", "group=\"\"", &up, &duration), "x_seconds", "label");
    expect_refused(fixture, &COLLECTOR("c", "a=\"\\\",\",group=\"\"", &duration), "x_seconds", "label");
}

/* A label's name in another's name or value is not that label. */
static void test_constant_labels_that_differ(void **state)
{
    static const char *const labels[] = {
        "slabs=\"1\"",     "my_slab=\"1\"",     "zone=\"slab\"",
        "zone=\",slab=\"", "zone=\"a,slab=b\"", "zone=\"\\\",slab=\\\"\"",
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        struct collector collector = COLLECTOR("c", labels[i], &hits);
        struct fixture *fixture;
        assert_int_equal(setup((void **) &fixture), 0);
        expect_added(fixture, &collector);
        teardown((void **) &fixture);
    }
}

/* What an encoder adds to a family's samples is no constant label either. */
static void test_constant_labels_that_the_encoder_writes(void **state)
{
    static const struct family summary = {"x_bytes", "X.", METRIC_SUMMARY, ""};
    static const struct family gauges = {"x_items", "X.", METRIC_GAUGE_HISTOGRAM, ""};
    struct collector free = COLLECTOR("c", "le=\"1\",quantile=\"1\"", &up);
    expect_refused(*state, &COLLECTOR("c", "le=\"1\"", &duration), "x_seconds", "label");
    expect_refused(*state, &COLLECTOR("c", "le=\"1\"", &gauges), "x_items", "label");
    expect_refused(*state, &COLLECTOR("c", "quantile=\"1\"", &summary), "x_bytes", "label");
    expect_added(*state, &free);
}

static void test_no_room_for_the_error(void **state)
{
    static const struct family bad = {"9", "X.", METRIC_GAUGE, ""};
    struct fixture *fixture = *state;
    struct buffer small;
    buffer_init(&small, 8);
    assert_int_equal(registry_add(&fixture->registry, &COLLECTOR("c", "", &bad), &small), -ENOMEM);
    assert_int_equal(fixture->registry.count, 0);
    buffer_deinit(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keeps_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holds_as_many_as_an_exposition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_families, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_registered_by_halves, setup, teardown),
        cmocka_unit_test(test_names_that_are_taken),
        cmocka_unit_test_setup_teardown(test_twice_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_near_but_free, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant_labels_that_a_family_has, setup, teardown),
        cmocka_unit_test(test_constant_labels_that_differ),
        cmocka_unit_test_setup_teardown(test_constant_labels_that_the_encoder_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_for_the_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
