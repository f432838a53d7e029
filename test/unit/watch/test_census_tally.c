/* Items by prefix: what a line says, what is added up, and that the memory is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/census_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct siphash_secret secret = {{7, 8}};

static struct census_item item;

static bool read_text(const char *text)
{
    memset(&item, 0xa5, sizeof(item));
    return census_item_read(slice_of(text), &item);
}

static void reads_lines(void **state)
{
    (void) state;
    assert_true(read_text("key=user%3A1 exp=1700000060 la=1700000000 cas=5 fetch=no cls=1 size=65 flags=0"));
    assert_true(slice_equal((struct slice){item.key, item.key_len}, SLICE("user:1")));
    assert_int_equal(item.exp_s, 1700000060);
    assert_int_equal(item.la_s, 1700000000);
    assert_int_equal(item.size, 65);
    assert_true(read_text("key=a exp=-1 la=1 cas=5 fetch=yes cls=1 size=65"));
    assert_int_equal(item.exp_s, -1);
}

static void refuses_other_lines(void **state)
{
    static const char *const texts[] = {
        "",
        "END",
        "key=a",
        "key=a exp=-1 la=1",
        "key= exp=-1 la=1 size=5",
        "key=a:b exp=-1 la=1 size=5",
        "key=a%zz exp=-1 la=1 size=5",
        "key=a exp=x la=1 size=5",
        "key=a exp=-1 la=1 size=-5",
        "key=a exp=-1 la=1 size=99999999999999999999999",
        "exp=-1 la=1 size=5",
    };
    (void) state;
    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++) {
        if (read_text(texts[n])) fail_msg("taken: %s", texts[n]);
    }
}

static void add(struct census_tally *tally, const char *key, uint64_t size, int64_t exp_s, int64_t la_s)
{
    struct census_item one = {.size = size, .exp_s = exp_s, .la_s = la_s, .key_len = strlen(key)};
    memcpy(one.key, key, one.key_len);
    census_tally_add(tally, &one, 1000);
}

static const struct census_prefix *find(const struct census_report *report, const char *name)
{
    for (size_t n = 0; n < report->count; n++) {
        if (slice_is((struct slice){report->prefixes[n].name, report->prefixes[n].len}, name))
            return &report->prefixes[n];
    }
    return NULL;
}

static void adds_up_by_prefix(void **state)
{
    struct census_config config;
    struct census_report report = {0};
    (void) state;
    census_config_init(&config);
    struct census_tally *tally = census_tally_new(&config, &secret);
    add(tally, "user:1", 100, 1030, 990);
    add(tally, "user:2", 5000, -1, 400);
    add(tally, "session:1", 60, 900, 1005);
    add(tally, "plain", 7, -1, 1000);
    assert_int_equal(census_tally_report(tally, &report), 0);
    assert_int_equal(report.count, 3);
    const struct census_prefix *user = find(&report, "user");
    assert_ptr_equal(user, &report.prefixes[1]);
    assert_int_equal(user->items, 2);
    assert_int_equal(user->bytes, 5100);
    struct histogram_view ttl = census_view(user, CENSUS_TTL), idle = census_view(user, CENSUS_IDLE);
    struct histogram_view size = census_view(user, CENSUS_SIZE);
    assert_true(ttl.sum == 30 && idle.sum == 610 && size.sum == 5100);
    assert_int_equal(ttl.counts[2], 1);
    assert_int_equal(idle.counts[1], 1);
    assert_int_equal(idle.counts[4], 1);
    assert_int_equal(size.counts[1], 1);
    assert_int_equal(size.counts[6], 1);
    /* An item that has expired, and one that was used just now by a clock that is ahead. */
    assert_true(census_view(find(&report, "session"), CENSUS_TTL).sum == 0);
    assert_true(census_view(find(&report, "session"), CENSUS_IDLE).sum == 0);
    assert_int_equal(report.prefixes[0].len, 0);
    assert_int_equal(report.prefixes[0].items, 1);
    census_report_clear(&report);
    census_tally_free(tally);
}

/* However many prefixes there are: the frequent ones are found, and nothing is lost of the sums. */
static void holds_its_limits(void **state)
{
    struct census_config config;
    struct census_report report = {0};
    uint64_t items = 0, bytes = 0;
    (void) state;
    census_config_init(&config);
    config.prefixes = 3;
    struct census_tally *tally = census_tally_new(&config, &secret);
    for (unsigned n = 0; n < 30000; n++) {
        char key[40];
        snprintf(key, sizeof(key), "rare%u:1", n);
        add(tally, key, 10, -1, 0);
        if (n % 10 == 0) add(tally, "late:1", 1000, -1, 0);
    }
    assert_int_equal(census_tally_report(tally, &report), 0);
    assert_int_equal(report.count, 4);
    assert_true(slice_is((struct slice){report.prefixes[1].name, report.prefixes[1].len}, "late"));
    assert_true(report.prefixes[1].items > 2900);
    for (size_t n = 0; n < report.count; n++) {
        items += report.prefixes[n].items;
        bytes += report.prefixes[n].bytes;
    }
    assert_int_equal(items, 33000);
    assert_int_equal(bytes, 30000 * 10 + 3000 * 1000);
    census_report_clear(&report);
    census_tally_free(tally);
}

static void needs_no_prefixes(void **state)
{
    struct census_config config;
    struct census_report report = {0};
    (void) state;
    census_config_init(&config);
    config.prefixes = 0;
    struct census_tally *tally = census_tally_new(&config, &secret);
    add(tally, "user:1", 100, -1, 0);
    assert_int_equal(census_tally_report(tally, &report), 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.prefixes[0].items, 1);
    census_report_clear(&report);
    census_tally_free(tally);
    census_tally_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines),       cmocka_unit_test(refuses_other_lines),
        cmocka_unit_test(adds_up_by_prefix), cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(needs_no_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
