/* The example in src/metrics/README.md, taken from there by the build: it compiles, is short, and does what
 * it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "example.inc"

#include <stdlib.h>

static const double bounds[] = {60, 3600};

static char *expose(enum format format)
{
    struct house house = {.kitchen = 21.5, .openings = 3};
    struct buffer out;
    histogram_init(&house.visits, bounds, ARRAY_LEN(bounds), 1000);
    histogram_observe(&house.visits, 30);
    histogram_observe(&house.visits, 60);
    histogram_observe(&house.visits, 7200);
    buffer_init(&out, 1 << 20);
    house_expose(&house, format, &out);
    histogram_deinit(&house.visits);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static void test_is_well_formed(void **unused)
{
    struct registry registry;
    struct buffer error;
    (void) unused;
    registry_init(&registry);
    buffer_init(&error, 1024);
    assert_int_equal(registry_add(&registry, &house_collector, &error), 0);
    assert_true(registry_add(&registry, &house_collector, &error) < 0);
    buffer_deinit(&error);
}

static void test_text(void **unused)
{
    (void) unused;
    char *text = expose(FORMAT_TEXT);
    assert_string_equal(text, "# HELP room_celsius Temperature of a room.\n"
                              "# TYPE room_celsius gauge\n"
                              "room_celsius{street=\"High\",room=\"kitchen\"} 21.5\n"
                              "# HELP door_openings_total Openings of the door.\n"
                              "# TYPE door_openings_total counter\n"
                              "door_openings_total{street=\"High\"} 3\n"
                              "# HELP visit_seconds How long visitors stayed.\n"
                              "# TYPE visit_seconds histogram\n"
                              "visit_seconds_bucket{street=\"High\",le=\"60.0\"} 2\n"
                              "visit_seconds_bucket{street=\"High\",le=\"3600.0\"} 2\n"
                              "visit_seconds_bucket{street=\"High\",le=\"+Inf\"} 3\n"
                              "visit_seconds_count{street=\"High\"} 3\n"
                              "visit_seconds_sum{street=\"High\"} 7290\n");
    free(text);
}

static void test_openmetrics(void **unused)
{
    (void) unused;
    char *text = expose(FORMAT_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE door_openings counter\ndoor_openings_total{street=\"High\"} 3\n"));
    assert_non_null(strstr(text, "# UNIT visit_seconds seconds\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_well_formed),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_openmetrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
