#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/dns_message.h"

#include <stdlib.h>
#include <string.h>

/* The question for _a.b, an alias to c, two services of c; 3.c by way of a pointer. */
static const uint8_t message[] = {
    0,    1,    0x81, 0x80, 0,   1,    0,  4,  0, 0, 0, 0,             /* head: one question, four records */
    2,    '_',  'a',  1,    'b', 0,    0,  33, 0, 1,                   /* _a.b SRV IN */
    0xc0, 12,   0,    5,    0,   1,    0,  0,  0, 9, 0, 3,  1, 'c', 0, /* _a.b CNAME c, for 9 s */
    0xc0, 34,   0,    33,   0,   1,    0,  0,  0, 7, 0, 9,  0, 1,   0,
    2,    0x2b, 0xcb, 1,    '3', 0, /* 3:11211, for 7 s */
    0xc0, 34,   0,    33,   0,   1,    0,  0,  0, 8, 0, 10, 0, 1,   0,
    2,    0x2b, 0xcc, 1,    '4', 0xc0, 34,                        /* 4.c:11212 */
    1,    'x',  0,    0,    16,  0,    1,  0,  0, 0, 1, 0,  1, 0, /* x TXT, for 1 s: not about services */
};

/* Where the first service's TTL and target stand, and the last byte of the alias' TTL. */
#define TTL_AT       43
#define TARGET_AT    55
#define ALIAS_TTL_AT 31

static struct dns_records records;

static int read_services(const uint8_t *bytes, size_t len)
{
    return dns_message_read(bytes, len, DNS_SRV, &records);
}

static int tear_down(void **state)
{
    (void) state;
    free(records.services);
    free(records.endpoints);
    records = (struct dns_records){0};
    return 0;
}

static void test_services_and_aliases(void **state)
{
    (void) state;
    assert_int_equal(read_services(message, sizeof(message)), 0);
    assert_int_equal(records.count, 2);
    assert_string_equal(records.services[0].host, "3");
    assert_int_equal(records.services[0].port, 11211);
    assert_string_equal(records.services[1].host, "4.c");
    assert_int_equal(records.services[1].port, 11212);
    assert_int_equal(records.ttl, 7);
}

/* RFC 2181, 8. */
static void test_impossible_ttl_is_none(void **state)
{
    uint8_t changed[sizeof(message)];
    (void) state;
    memcpy(changed, message, sizeof(message));
    changed[TTL_AT] = 0x80;
    assert_int_equal(read_services(changed, sizeof(changed)), 0);
    assert_int_equal(records.ttl, 0);
}

static void test_aliases_hold_for_a_time_too(void **state)
{
    uint8_t changed[sizeof(message)];
    (void) state;
    memcpy(changed, message, sizeof(message));
    changed[ALIAS_TTL_AT] = 3;
    assert_int_equal(read_services(changed, sizeof(changed)), 0);
    assert_int_equal(records.ttl, 3);
}

/* The root, and two bytes that belong to nothing. */
static void test_a_record_longer_than_its_target(void **state)
{
    uint8_t changed[sizeof(message)];
    (void) state;
    memcpy(changed, message, sizeof(message));
    changed[TARGET_AT] = 0;
    assert_int_equal(read_services(changed, sizeof(changed)), UV_EPROTO);
}

static void test_no_records(void **state)
{
    static const uint8_t empty[12] = {0};
    (void) state;
    assert_int_equal(read_services(empty, sizeof(empty)), 0);
    assert_int_equal(records.count, 0);
}

/* Copied, so that reading behind the end is seen. */
static int read_copy(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, bytes, len);
    int status = read_services(copy, len);
    free(copy);
    if (status == 0) tear_down(NULL);
    return status;
}

static void test_cut_anywhere(void **state)
{
    (void) state;
    for (size_t len = 0; len < sizeof(message); len++) assert_int_equal(read_copy(message, len), UV_EPROTO);
}

/* Whatever a byte says, nothing but the message is read. */
static void test_any_byte_changed(void **state)
{
    uint8_t changed[sizeof(message)];
    unsigned bad = 0;
    (void) state;
    for (size_t at = 0; at < sizeof(message); at++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(changed, message, sizeof(message));
            changed[at] = (uint8_t) value;
            int status = read_copy(changed, sizeof(changed));
            assert_true(status == 0 || status == UV_EPROTO);
            bad += status != 0;
        }
    }
    assert_in_range(bad, 1000, sizeof(message) * 256);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_services_and_aliases),
        TEST(test_impossible_ttl_is_none),
        TEST(test_aliases_hold_for_a_time_too),
        TEST(test_a_record_longer_than_its_target),
        TEST(test_no_records),
        TEST(test_cut_anywhere),
        TEST(test_any_byte_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
