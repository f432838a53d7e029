#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/duration.h"

#define SECOND UINT64_C(1000000000)

static const struct {
    const char *text;
    uint64_t nanoseconds;
} good[] = {
    {"0", 0},
    {"0s", 0},
    {"1ns", 1},
    {"1us", 1000},
    {"250ms", SECOND / 4},
    {"1s", SECOND},
    {"1m", 60 * SECOND},
    {"1h", 3600 * SECOND},
    {"1m30s", 90 * SECOND},
    {"90s", 90 * SECOND},
    {"1.5s", SECOND * 3 / 2},
    {"0.25s", SECOND / 4},
    {"1h1m1s1ms1us1ns", 3661 * SECOND + 1001001},
    {"1s1m", 61 * SECOND},
    {"1s1s", 2 * SECOND},
    {"876600h", UINT64_C(3155760000) * SECOND},
    {"0.6ns", 1},
};

static const char *const bad[] = {
    "",
    "1",
    "10",
    "s",
    "-1s",
    "+1s",
    " 1s",
    "1s ",
    "1 s",
    "1S",
    "1d",
    "1w",
    "1min",
    "1sec",
    "1s2",
    ".s",
    "1.2.3s",
    "0x1s",
    "1e1000s",
    "infs",
    "nans",
    "876601h",
    "99999999999999999999999h",
    "1s,2s",
    "00",
};

static void reads_durations(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t nanoseconds = 42;
        if (!duration_parse(slice_of(good[i].text), &nanoseconds)) fail_msg("'%s' is refused", good[i].text);
        assert_int_equal(nanoseconds, good[i].nanoseconds);
    }
}

static void refuses_what_is_none(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t nanoseconds = 42;
        if (duration_parse(slice_of(bad[i]), &nanoseconds)) fail_msg("'%s' is taken", bad[i]);
        assert_int_equal(nanoseconds, 42);
    }
}

static void refuses_a_nul(void **state)
{
    uint64_t nanoseconds = 42;
    (void) state;
    assert_false(duration_parse(SLICE("1\0s"), &nanoseconds));
    assert_false(duration_parse(SLICE("\0"), &nanoseconds));
    assert_false(duration_parse(SLICE("1s\0"), &nanoseconds));
    assert_int_equal(nanoseconds, 42);
}

/* The slice ends before the text does. */
static void reads_no_further_than_the_slice(void **state)
{
    uint64_t nanoseconds = 42;
    (void) state;
    assert_true(duration_parse((struct slice){"1ms", 2}, &nanoseconds));
    assert_int_equal(nanoseconds, 60 * SECOND);
    assert_false(duration_parse((struct slice){"1ms", 1}, &nanoseconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(reads_no_further_than_the_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
