/* Shards: how they are written, that each address has one, and what moves when there is one more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/shard.h"

#include <stdio.h>

#define ADDRESSES 10000
#define SHARDS    16

/* Names as fleets have them: many that differ in a digit. */
static struct slice address_of(unsigned n, char text[64])
{
    static const char *const parts[][2] = {
        {"cache-", ".example.com:11211"},
        {"10.1.", ".7:11211"},
        {"127.0.0.1:", ""},
        {"memcached-", ".memcached.default.svc.cluster.local:11211"},
    };
    snprintf(text, 64, "%s%u%s", parts[n % ARRAY_LEN(parts)][0], n, parts[n % ARRAY_LEN(parts)][1]);
    return slice_of(text);
}

/* Fails unless exactly one shard of so many has it. */
static unsigned owner_of(struct slice address, unsigned count)
{
    unsigned owner = count;
    for (unsigned index = 0; index < count; index++) {
        if (!shard_owns((struct shard){index, count}, address)) continue;
        if (owner != count) fail_msg("%.*s has two shards of %u", SLICE_ARG(address), count);
        owner = index;
    }
    if (owner == count) fail_msg("%.*s has no shard of %u", SLICE_ARG(address), count);
    return owner;
}

/* Shares differ from the mean by chance: less than five times its square root. */
static void test_every_address_is_in_one_shard(void **state)
{
    char text[64];
    (void) state;
    for (unsigned count = 1; count <= SHARDS; count++) {
        unsigned shares[SHARDS] = {0};
        double mean = (double) ADDRESSES / count;
        for (unsigned n = 0; n < ADDRESSES; n++) shares[owner_of(address_of(n, text), count)]++;
        for (unsigned index = 0; index < count; index++) {
            double off = shares[index] - mean;
            if (off * off > 25 * mean) fail_msg("shard %u/%u has %u", index, count, shares[index]);
        }
    }
}

static void test_one_more_shard_takes_its_part_and_moves_nothing_else(void **state)
{
    char text[64];
    (void) state;
    for (unsigned count = 1; count < SHARDS; count++) {
        unsigned moved = 0;
        double mean = (double) ADDRESSES / (count + 1);
        for (unsigned n = 0; n < ADDRESSES; n++) {
            unsigned before = owner_of(address_of(n, text), count);
            unsigned after = owner_of(address_of(n, text), count + 1);
            if (before == after) continue;
            assert_int_equal(after, count);
            moved++;
        }
        if ((moved - mean) * (moved - mean) > 25 * mean) fail_msg("%u to %u: %u", count, count + 1, moved);
    }
}

/* A version that numbers them otherwise would move servers between exporters that are updated one by one. */
static void test_shards_stay_what_they_are(void **state)
{
    static const struct {
        const char *address;
        unsigned of_2, of_3, of_16;
    } rows[] = {
        {"localhost:11211", 0, 2, 15},
        {"10.0.0.1:11211", 1, 1, 10},
        {"cache-1:11211", 0, 0, 6},
        {"unix:/run/memcached.sock", 1, 1, 5},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct slice address = slice_of(rows[n].address);
        assert_int_equal(owner_of(address, 2), rows[n].of_2);
        assert_int_equal(owner_of(address, 3), rows[n].of_3);
        assert_int_equal(owner_of(address, 16), rows[n].of_16);
    }
}

static void test_a_shard_of_one_is_everything(void **state)
{
    char text[64];
    (void) state;
    for (unsigned n = 0; n < 100; n++) {
        assert_true(shard_owns((struct shard){0, 1}, address_of(n, text)));
        assert_true(shard_owns((struct shard){0}, address_of(n, text)));
    }
    assert_true(shard_owns((struct shard){0, 1}, (struct slice){NULL, 0}));
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        struct shard shard;
    } rows[] = {
        {"0/1", {0, 1}},          {"0/4", {0, 4}},
        {"3/4", {3, 4}},          {"4095/4096", {4095, 4096}},
        {"exporter-2/4", {2, 4}}, {"fleet-exporter-10/11", {10, 11}},
        {"03/4", {3, 4}},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct shard shard = {99, 99};
        assert_null(shard_parse(&shard, slice_of(rows[n].text)));
        assert_int_equal(shard.index, rows[n].shard.index);
        assert_int_equal(shard.count, rows[n].shard.count);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const texts[] = {"",
                                        "/",
                                        "-1/2",
                                        "1",
                                        "1/",
                                        "/4",
                                        "4/4",
                                        "5/4",
                                        "0/0",
                                        "0/4097",
                                        "1/2/3",
                                        "a/4",
                                        "2a/4",
                                        "exporter/4",
                                        "exporter-/4",
                                        "0/-",
                                        "0/+4",
                                        " 0/4",
                                        "0/4 ",
                                        "0x1/4",
                                        "-/4",
                                        "exporter-2a/4",
                                        "0.5/4",
                                        "18446744073709551616/4",
                                        "0/18446744073709551617"};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) {
        struct shard shard = {7, 9};
        const char *expected = shard_parse(&shard, slice_of(texts[n]));
        if (!expected) fail_msg("\"%s\" is taken", texts[n]);
        assert_true(slice_starts(slice_of(expected), "a shard I/N such as 0/4"));
        assert_int_equal(shard.index, 7);
        assert_int_equal(shard.count, 9);
    }
    struct shard shard;
    assert_non_null(shard_parse(&shard, (struct slice){NULL, 0}));
    assert_non_null(shard_parse(&shard, (struct slice){"0/4\0", 4}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_address_is_in_one_shard),
        cmocka_unit_test(test_one_more_shard_takes_its_part_and_moves_nothing_else),
        cmocka_unit_test(test_shards_stay_what_they_are),
        cmocka_unit_test(test_a_shard_of_one_is_everything),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
