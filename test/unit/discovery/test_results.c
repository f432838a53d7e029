#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/results.h"

#include <stdio.h>
#include <stdlib.h>

static struct results one, other;

static int set_up(void **state)
{
    (void) state;
    results_init(&one);
    results_init(&other);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    results_deinit(&one);
    results_deinit(&other);
    return 0;
}

/* With a label "zone", or without labels. */
static void add(struct results *found, const char *address, const char *zone)
{
    struct results_label label = {"zone", zone};
    assert_true(results_add(found, slice_of(address), &label, zone ? 1 : 0));
}

static void test_everything_is_copied(void **state)
{
    char address[] = "10.0.0.1:11211xyz", name[] = "__meta_zone", value[] = "eu-1";
    struct results_label labels[] = {{name, value}, {"b", ""}};
    (void) state;
    assert_true(results_add(&one, (struct slice){address, 14}, labels, 2));
    memset(address, '?', sizeof(address));
    memset(name, '?', sizeof(name));
    memset(value, '?', sizeof(value));
    assert_int_equal(one.count, 1);
    assert_string_equal(one.targets[0].address, "10.0.0.1:11211");
    assert_int_equal(one.targets[0].label_count, 2);
    assert_string_equal(one.targets[0].labels[0].name, "__meta_zone");
    assert_string_equal(one.targets[0].labels[0].value, "eu-1");
    assert_string_equal(one.targets[0].labels[1].name, "b");
    assert_string_equal(one.targets[0].labels[1].value, "");
}

/* Of all lengths, so that labels come to lie behind every odd number of bytes. */
static void test_thousands(void **state)
{
    char address[64], zone[64];
    (void) state;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(address, sizeof(address), "%.*s%u:1", (int) (i % 17), "aaaaaaaaaaaaaaaaa", i);
        snprintf(zone, sizeof(zone), "z%u", i);
        add(&one, address, zone);
    }
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(address, sizeof(address), "%.*s%u:1", (int) (i % 17), "aaaaaaaaaaaaaaaaa", i);
        snprintf(zone, sizeof(zone), "z%u", i);
        assert_string_equal(one.targets[i].address, address);
        assert_string_equal(one.targets[i].labels[0].value, zone);
    }
}

static void test_large_texts(void **state)
{
    char *value = malloc(100001);
    struct results_label label = {"large", value};
    (void) state;
    memset(value, 'x', 100000);
    value[100000] = '\0';
    add(&one, "a:1", NULL);
    assert_true(results_add(&one, SLICE("b:1"), &label, 1));
    add(&one, "c:1", "z");
    assert_string_equal(one.targets[1].labels[0].value, value);
    assert_string_equal(one.targets[2].labels[0].value, "z");
    free(value);
}

static void test_limit(void **state)
{
    (void) state;
    for (unsigned i = 0; i < RESULTS_MAX; i++) add(&one, "a:1", NULL);
    assert_false(results_add(&one, SLICE("b:1"), NULL, 0));
    assert_int_equal(one.count, RESULTS_MAX);
}

static void test_equality(void **state)
{
    (void) state;
    assert_true(results_equal(&one, &other));
    add(&one, "a:1", "x");
    assert_false(results_equal(&one, &other));
    add(&other, "a:1", "x");
    assert_true(results_equal(&one, &other));
    add(&one, "b:1", "x");
    add(&other, "b:1", "y");
    assert_false(results_equal(&one, &other));
    results_deinit(&other);
    add(&other, "a:1", "x");
    add(&other, "b:1", NULL);
    assert_false(results_equal(&one, &other));
    results_deinit(&other);
    add(&other, "b:1", "x");
    add(&other, "a:1", "x");
    assert_false(results_equal(&one, &other));
}

static void test_label_names_count(void **state)
{
    struct results_label a = {"a", "v"}, b = {"b", "v"};
    (void) state;
    assert_true(results_add(&one, SLICE("x:1"), &a, 1));
    assert_true(results_add(&other, SLICE("x:1"), &b, 1));
    assert_false(results_equal(&one, &other));
}

static void test_sorting(void **state)
{
    static const char *const expected[][2] = {{"a:1", NULL}, {"a:1", "x"}, {"a:1", "y"}, {"b:1", NULL}};
    (void) state;
    results_sort(&one);
    assert_int_equal(one.count, 0);
    add(&one, "b:1", NULL);
    add(&one, "a:1", "y");
    add(&one, "a:1", "x");
    add(&one, "a:1", NULL);
    add(&one, "a:1", "y");
    add(&one, "b:1", NULL);
    results_sort(&one);
    assert_int_equal(one.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(one.targets[i].address, expected[i][0]);
        assert_int_equal(one.targets[i].label_count, expected[i][1] ? 1 : 0);
        if (expected[i][1]) assert_string_equal(one.targets[i].labels[0].value, expected[i][1]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_is_copied),
        TEST(test_thousands),
        TEST(test_large_texts),
        TEST(test_limit),
        TEST(test_equality),
        TEST(test_label_names_count),
        TEST(test_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
