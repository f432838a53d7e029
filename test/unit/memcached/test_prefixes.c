#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/prefixes.h"
#include "memcached/reply.h"

#include <stdio.h>
#include <string.h>

static void add(struct prefixes *prefixes, struct slice name, unsigned gets)
{
    char counts[64];
    unsigned wrong = 0;
    snprintf(counts, sizeof(counts), "get %u hit 1 set 0 del 0", gets);
    assert_true(prefixes_add(prefixes, name, slice_of(counts), &wrong));
    assert_int_equal(wrong, 0);
}

static const struct prefix *find(const struct prefixes *prefixes, const char *name)
{
    for (size_t n = 0; n < prefixes->count; n++) {
        const struct prefix *prefix = &prefixes->items[n];
        if (slice_is((struct slice){prefix->name, prefix->len}, name)) return prefix;
    }
    return NULL;
}

static void read_sample(struct prefixes *prefixes, const char *name, const char *from)
{
    struct slice bytes = data_read(name), input = bytes;
    unsigned wrong = 0;
    const char *start = memmem(bytes.data, bytes.len, from, strlen(from));
    assert_non_null(start);
    input = slice_from(bytes, (size_t) (start - bytes.data));
    for (struct reply_line line; (line = reply_next(&input, REPLY_PREFIXES)).kind == REPLY_STAT;)
        assert_true(prefixes_add(prefixes, line.key, line.value, &wrong));
    assert_int_equal(input.len, 0);
    assert_int_equal(wrong, 0);
    prefixes_finish(prefixes);
    free((char *) bytes.data);
}

static void test_captures(void **state)
{
    struct prefixes prefixes;
    (void) state;
    prefixes_init(&prefixes, 10);
    read_sample(&prefixes, "samples/v45x-stats-detail-dump.txt", "PREFIX");
    assert_int_equal(prefixes.count, 2);
    const struct prefix *user = find(&prefixes, "user");
    assert_int_equal(user->counts.gets, 300);
    assert_int_equal(user->counts.hits, 200);
    assert_int_equal(user->counts.sets, 200);
    assert_int_equal(user->counts.deletes, 2);
    assert_false(prefixes.has_rest);
    prefixes_deinit(&prefixes);

    read_sample(&prefixes, "samples/d18-detail-dump-hostile.txt", "PREFIX");
    assert_int_equal(prefixes.count, 4);
    assert_non_null(find(&prefixes, "\xef\xbf\xbd\xc3\xa9\"\\{}"));
    assert_true(prefixes.has_rest);
    assert_int_equal(prefixes.rest.sets, 1);
    assert_int_equal(prefixes.dropped, 0);
    prefixes_deinit(&prefixes);
}

static void test_wrong_lines(void **state)
{
    static const char *const lines[] = {
        "",
        "get 1 hit 1 set 1",
        "get 1 hit 1 set 1 del",
        "get 1 hit 1 set 1 del ",
        "get 1 hit 1 set 1 del x",
        "get 1 hit 1 set -1 del 1",
        "hit 1 get 1 set 1 del 1",
        "get 1 hit 1 set 1 del 1 more 1",
        "get 1 hit 1 set 1 del 18446744073709551616",
    };
    struct prefixes prefixes;
    unsigned wrong = 0;
    (void) state;
    prefixes_init(&prefixes, 10);
    for (size_t n = 0; n < ARRAY_LEN(lines); n++)
        assert_true(prefixes_add(&prefixes, SLICE("x"), slice_of(lines[n]), &wrong));
    assert_int_equal(wrong, ARRAY_LEN(lines));
    prefixes_finish(&prefixes);
    assert_int_equal(prefixes.count, 0);
    prefixes_deinit(&prefixes);
}

/* Whatever the order in which the server names them, the same stay. */
static void test_those_with_the_most_commands_stay(void **state)
{
    (void) state;
    for (unsigned seed = 1; seed < 50; seed++) {
        struct prefixes prefixes;
        prefixes_init(&prefixes, 10);
        for (unsigned n = 0, at = seed; n < 101; n++, at = (at + seed) % 101) {
            char name[16];
            snprintf(name, sizeof(name), "p%03u", at);
            add(&prefixes, slice_of(name), at / 10);
        }
        prefixes_finish(&prefixes);
        assert_int_equal(prefixes.count, 10);
        assert_int_equal(prefixes.dropped, 91);
        /* 100 has ten commands; of those with nine the first by name. */
        for (unsigned n = 0; n < 9; n++) {
            char name[16];
            snprintf(name, sizeof(name), "p%03u", 90 + n);
            assert_true(slice_is((struct slice){prefixes.items[n].name, prefixes.items[n].len}, name));
        }
        assert_non_null(find(&prefixes, "p100"));
        assert_int_equal(prefixes.rest.gets, 10 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8) + 9);
        assert_int_equal(prefixes.rest.hits, 91);
        prefixes_deinit(&prefixes);
    }
}

/* What is dropped and the empty prefix are one series. */
static void test_empty_prefix_joins_the_rest(void **state)
{
    struct prefixes prefixes;
    (void) state;
    prefixes_init(&prefixes, 1);
    add(&prefixes, SLICE(""), 5);
    add(&prefixes, SLICE("a"), 3);
    add(&prefixes, SLICE("b"), 4);
    prefixes_finish(&prefixes);
    assert_int_equal(prefixes.count, 1);
    assert_non_null(find(&prefixes, "b"));
    assert_int_equal(prefixes.rest.gets, 8);
    assert_int_equal(prefixes.dropped, 1);
    prefixes_deinit(&prefixes);
}

static void test_none_may_stay(void **state)
{
    struct prefixes prefixes;
    (void) state;
    prefixes_init(&prefixes, 0);
    add(&prefixes, SLICE("a"), 3);
    add(&prefixes, SLICE("b"), 4);
    prefixes_finish(&prefixes);
    assert_int_equal(prefixes.count, 0);
    assert_int_equal(prefixes.rest.gets, 7);
    assert_int_equal(prefixes.dropped, 2);
    prefixes_deinit(&prefixes);
}

/* Two prefixes that make the same label value are added up. */
static void test_names_that_look_the_same(void **state)
{
    struct prefixes prefixes;
    (void) state;
    prefixes_init(&prefixes, 10);
    add(&prefixes, SLICE("x\xff"), 3);
    add(&prefixes, SLICE("y"), 1);
    add(&prefixes, SLICE("x\xfe"), 4);
    add(&prefixes, SLICE("x\xef\xbf\xbd"), 5);
    prefixes_finish(&prefixes);
    assert_int_equal(prefixes.count, 2);
    assert_int_equal(find(&prefixes, "x\xef\xbf\xbd")->counts.gets, 12);
    prefixes_deinit(&prefixes);
}

static void test_copy(void **state)
{
    struct prefixes prefixes, copy;
    (void) state;
    prefixes_init(&prefixes, 2);
    add(&prefixes, SLICE("a"), 3);
    add(&prefixes, SLICE("b"), 4);
    add(&prefixes, SLICE("c"), 5);
    assert_true(prefixes_copy(&copy, &prefixes));
    prefixes_deinit(&prefixes);
    prefixes_finish(&copy);
    assert_int_equal(copy.count, 2);
    assert_non_null(find(&copy, "b"));
    assert_non_null(find(&copy, "c"));
    assert_int_equal(copy.rest.gets, 3);
    assert_int_equal(copy.dropped, 1);
    prefixes_deinit(&copy);
}

/* As many as a server may know, with the longest names. */
static void test_many(void **state)
{
    struct prefixes prefixes;
    char name[250];
    (void) state;
    memset(name, 'n', sizeof(name));
    prefixes_init(&prefixes, 1000);
    for (unsigned n = 0; n < 65000; n++) {
        memcpy(name, (char[]){(char) (n >> 16), (char) (n >> 8), (char) n}, 3);
        add(&prefixes, (struct slice){name, sizeof(name)}, n);
    }
    assert_int_equal(prefixes.count, 1000);
    prefixes_finish(&prefixes);
    assert_int_equal(prefixes.dropped, 64000);
    prefixes_deinit(&prefixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_those_with_the_most_commands_stay),
        cmocka_unit_test(test_empty_prefix_joins_the_rest),
        cmocka_unit_test(test_none_may_stay),
        cmocka_unit_test(test_names_that_look_the_same),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
