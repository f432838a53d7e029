#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/known_addresses.h"

#define HOUR_MS (3600 * UINT64_C(1000))

static struct known_addresses known;
static union endpoint endpoints[200];

static int set_up(void **state)
{
    (void) state;
    known = (struct known_addresses){0};
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        endpoints[i] = (union endpoint){.v4 = {.sin_family = AF_INET}};
        endpoints[i].v4.sin_addr.s_addr = htonl(0x7f000000 | (uint32_t) i);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    known_addresses_deinit(&known);
    return 0;
}

static void take(size_t count, uint64_t ttl_ms, uint64_t now_ms)
{
    const struct dns_answer answer = {.endpoints = endpoints, .count = count, .ttl_ms = ttl_ms};
    known_addresses_take(&known, &answer, now_ms);
}

static void take_failure(const char *error, bool absent, uint64_t now_ms)
{
    const struct dns_answer answer = {.error = error, .absent = absent, .ttl_ms = 1000};
    known_addresses_take(&known, &answer, now_ms);
}

static void check_expiry(uint64_t ttl_ms, uint64_t expected_ms)
{
    take(1, ttl_ms, 500);
    assert_true(known_addresses_are_fresh(&known, 500 + expected_ms - 1));
    assert_false(known_addresses_are_fresh(&known, 500 + expected_ms));
}

static void test_nothing_is_known(void **state)
{
    (void) state;
    assert_false(known_addresses_are_fresh(&known, 0));
    assert_false(known_addresses_are_usable(&known, 0));
    assert_true(known_addresses_list(&known, &endpoints[0]));
    assert_int_equal(known_addresses_hand_out(&known, endpoints, 8), 0);
}

static void test_expiry(void **state)
{
    (void) state;
    check_expiry(0, 1000);
    check_expiry(5000, 5000);
    check_expiry(HOUR_MS, 10000);
    take_failure("name not found", true, 500);
    assert_true(known_addresses_are_fresh(&known, 1499));
    assert_false(known_addresses_are_fresh(&known, 1500));
}

static void test_failures_that_are_no_answer(void **state)
{
    (void) state;
    take_failure("silence", false, 100);
    assert_string_equal(known.error, "silence");
    take(2, 1000, 200);
    assert_null(known.error);
    take_failure("silence", false, 300);
    assert_int_equal(known.count, 2);
    assert_true(known_addresses_are_usable(&known, 200 + HOUR_MS - 1));
    take_failure("silence", false, 200 + HOUR_MS);
    assert_int_equal(known.count, 0);
    assert_string_equal(known.error, "silence");
    take(2, 1000, 200);
    take_failure("gone", true, 300);
    assert_int_equal(known.count, 0);
    assert_string_equal(known.error, "gone");
}

static void test_distrust(void **state)
{
    (void) state;
    take(1, HOUR_MS, 1000);
    assert_false(known_addresses_distrust(&known, 1009));
    assert_true(known_addresses_are_fresh(&known, 1009));
    assert_false(known_addresses_are_fresh(&known, 1010));
    assert_true(known_addresses_distrust(&known, 1010));
    known_addresses_deinit(&known);
    assert_true(known_addresses_take_localhost(&known));
    assert_false(known_addresses_distrust(&known, 5000));
    assert_true(known_addresses_are_fresh(&known, 5000));
    assert_int_equal(known.count, 2);
}

static void test_listed_addresses(void **state)
{
    (void) state;
    take(2, 1000, 0);
    endpoint_set_port(&endpoints[1], 11211);
    assert_true(known_addresses_list(&known, &endpoints[1]));
    assert_false(known_addresses_list(&known, &endpoints[2]));
    take_failure("silence", false, 100);
    assert_false(known_addresses_list(&known, &endpoints[2]));
    known_addresses_take(&known, &(struct dns_answer){.endpoints = endpoints, .count = 1, .incomplete = true},
                         200);
    assert_true(known_addresses_list(&known, &endpoints[2]));
    take(ARRAY_LEN(endpoints), 1000, 300);
    assert_true(known_addresses_list(&known, &endpoints[ARRAY_LEN(endpoints) - 1]));
}

/* Each of 20 addresses is handed out within three turns. */
static void test_turns(void **state)
{
    union endpoint out[KNOWN_ADDRESSES_TURN];
    bool seen[20] = {0};
    (void) state;
    take(20, 1000, 0);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(known_addresses_hand_out(&known, out, ARRAY_LEN(out)), ARRAY_LEN(out));
        for (size_t i = 0; i < ARRAY_LEN(out); i++) seen[ntohl(out[i].v4.sin_addr.s_addr) & 0xff] = true;
        known_addresses_distrust(&known, 0);
    }
    for (size_t i = 0; i < 20; i++) assert_true(seen[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_known), TEST(test_expiry),           TEST(test_failures_that_are_no_answer),
        TEST(test_distrust),         TEST(test_listed_addresses), TEST(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
