/* The requests of a probe, and what each answer means, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/probe.h"

#include <stdio.h>
#include <string.h>

#define ALL (PROBE_BIT(PROBE_MN) | PROBE_STORE)
#define KEY "memcached_fleet_exporter:probe:00000000000000ff"

static void expect_request(const struct probe *probe, const char *expected)
{
    char request[PROBE_REQUEST_MAX];
    size_t len = probe_ask(probe, request);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(request, expected, len);
}

/* Gives the answer as a whole, and byte by byte to a copy of the probe; both must come to the same. */
static enum probe_status answer(struct probe *probe, const char *text)
{
    struct probe copy = *probe;
    struct slice whole = slice_of(text);
    enum probe_status status = probe_take(probe, &whole);
    for (size_t len = 0; len <= strlen(text); len++) {
        struct slice part = {text, len};
        enum probe_status now = probe_take(&copy, &part);
        if (now == PROBE_WAITS) {
            assert_true(len < strlen(text));
            continue;
        }
        assert_int_equal(now, status);
        break;
    }
    assert_int_equal(copy.left, probe->left);
    assert_int_equal(copy.failed, probe->failed);
    return status;
}

static void test_all_operations(void **state)
{
    char key[PROBE_KEY_MAX];
    struct probe probe;
    (void) state;
    probe_write_key(key, 0xff);
    assert_string_equal(key, KEY);
    probe_init(&probe, key, ALL);
    expect_request(&probe, "mn\r\n");
    assert_int_equal(answer(&probe, "MN\r\n"), PROBE_ANSWERED);
    expect_request(&probe, "set " KEY " 0 60 47\r\n" KEY "\r\n");
    assert_int_equal(answer(&probe, "STORED\r\n"), PROBE_ANSWERED);
    expect_request(&probe, "get " KEY "\r\n");
    assert_int_equal(answer(&probe, "VALUE " KEY " 0 47\r\n" KEY "\r\nEND\r\n"), PROBE_ANSWERED);
    expect_request(&probe, "delete " KEY "\r\n");
    assert_int_equal(answer(&probe, "DELETED\r\n"), PROBE_ANSWERED);
    expect_request(&probe, "");
    assert_int_equal(probe_next(&probe), PROBE_OPERATIONS);
    assert_false(probe.failed || probe.refused);
}

/* What comes behind an answer stays in the input. */
static void test_rest_of_the_input(void **state)
{
    struct probe probe;
    struct slice input = SLICE("MN\r\nMN\r\n");
    (void) state;
    probe_init(&probe, KEY, ALL);
    assert_int_equal(probe_take(&probe, &input), PROBE_ANSWERED);
    assert_true(slice_is(input, "MN\r\n"));
}

static void test_other_answers(void **state)
{
    static const struct {
        unsigned left;
        const char *answer;
        enum probe_status status;
        unsigned refused;
        bool failed;
    } cases[] = {
        {ALL, "ERROR\r\n", PROBE_PASSED_OVER, PROBE_BIT(PROBE_MN), false},
        {ALL, "CLIENT_ERROR bad\r\n", PROBE_PASSED_OVER, PROBE_BIT(PROBE_MN), false},
        {ALL, "EN\r\n", PROBE_STOPPED, 0, true},
        {PROBE_STORE, "SERVER_ERROR no set route\r\n", PROBE_STOPPED, PROBE_STORE, false},
        {PROBE_STORE, "CLIENT_ERROR unauthenticated\r\n", PROBE_STOPPED, PROBE_STORE, false},
        {PROBE_STORE, "ERROR\r\n", PROBE_STOPPED, PROBE_STORE, false},
        {PROBE_STORE, "NOT_STORED\r\n", PROBE_STOPPED, 0, true},
        {PROBE_STORE, "SERVER_ERROR out of memory storing object\r\n", PROBE_STOPPED, 0, true},
        {PROBE_BIT(PROBE_GET), "END\r\n", PROBE_STOPPED, 0, true},
        {PROBE_BIT(PROBE_GET), "VALUE " KEY " 0 47\r\nX\r\nEND\r\n", PROBE_STOPPED, 0, true},
        {PROBE_BIT(PROBE_GET), "SERVER_ERROR backend failure\r\n", PROBE_STOPPED, 0, true},
        {PROBE_BIT(PROBE_DELETE), "SERVER_ERROR no delete route\r\n", PROBE_STOPPED, PROBE_STORE, false},
        {PROBE_BIT(PROBE_DELETE), "NOT_FOUND\r\n", PROBE_STOPPED, 0, true},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        struct probe probe;
        probe_init(&probe, KEY, cases[n].left);
        struct slice input = slice_of(cases[n].answer);
        assert_int_equal(probe_take(&probe, &input), cases[n].status);
        assert_int_equal(probe.refused, cases[n].refused);
        assert_int_equal(probe.failed, cases[n].failed);
        bool goes_on = cases[n].status == PROBE_PASSED_OVER;
        assert_int_equal(probe_next(&probe), goes_on ? PROBE_SET : PROBE_OPERATIONS);
        probe_init(&probe, KEY, cases[n].left);
        answer(&probe, cases[n].answer);
    }
}

/* A server that never ends its line is stopped at a bounded length. */
static void test_endless_line(void **state)
{
    struct probe probe;
    char text[2048];
    size_t len = 1;
    (void) state;
    memset(text, 'x', sizeof(text));
    probe_init(&probe, KEY, ALL);
    for (;; len++) {
        struct slice input = {text, len};
        assert_true(len < sizeof(text));
        if (probe_take(&probe, &input) != PROBE_WAITS) break;
    }
    assert_true(probe.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_operations),
        cmocka_unit_test(test_rest_of_the_input),
        cmocka_unit_test(test_other_answers),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
