/* Queries and paths: pairs, escapes, and what is no escape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/query.h"

#include "base/container.h"

/* "name=value" of each pair, with '|' behind it; "!" at the end when malformed. */
static void expect(const char *query, const char *expected)
{
    struct buffer storage, seen;
    struct slice rest = slice_of(query), name, value;
    enum query_outcome outcome;
    buffer_init(&storage, 4096);
    buffer_init(&seen, 4096);
    while ((outcome = query_next(&rest, &storage, &name, &value)) == QUERY_PAIR) {
        buffer_append_slice(&seen, name);
        buffer_append_char(&seen, '=');
        buffer_append_slice(&seen, value);
        buffer_append_char(&seen, '|');
    }
    if (outcome == QUERY_MALFORMED) buffer_append_char(&seen, '!');
    buffer_append_char(&seen, '\0');
    assert_string_equal(seen.data, expected);
    buffer_deinit(&storage);
    buffer_deinit(&seen);
}

static void test_pairs(void **state)
{
    (void) state;
    expect("", "");
    expect("a=1", "a=1|");
    expect("target=a%3A11211&target=b", "target=a:11211|target=b|");
    expect("&&a=1&&b=2&", "a=1|b=2|");
    expect("a&b=&=c", "a=|b=|=c|");
    expect("a=b=c", "a=b=c|");
    expect("a;b=c", "a;b=c|");
}

static void test_escapes(void **state)
{
    (void) state;
    expect("collect%5B%5d=x+y%2Bz", "collect[]=x y+z|");
    expect("a%26b%3Dc=%25", "a&b=c=%|");
    expect("a=%ff%0a", "a=\xff\n|");
}

static void test_malformed(void **state)
{
    (void) state;
    expect("a=%", "!");
    expect("a=%4", "!");
    expect("a=%4g", "!");
    expect("a=%g4", "!");
    expect("a=%%41", "!");
    expect("%=1", "!");
    expect("a=x%00", "!");
    expect("ok=1&a=%zz", "ok=1|!");
    expect("a=%4&1=2", "!");
}

static void test_names_and_values_stay_where_they_are(void **state)
{
    (void) state;
    struct slice rest = SLICE("first=%31&second=2"), name, value, next_name, next_value;
    struct buffer storage;
    buffer_init(&storage, 64);
    assert_int_equal(query_next(&rest, &storage, &name, &value), QUERY_PAIR);
    assert_int_equal(query_next(&rest, &storage, &next_name, &next_value), QUERY_PAIR);
    assert_true(slice_is(name, "first") && slice_is(value, "1"));
    assert_true(slice_is(next_name, "second") && slice_is(next_value, "2"));
    buffer_deinit(&storage);
}

/* A storage that cannot hold the query. */
static void test_no_memory(void **state)
{
    (void) state;
    struct slice rest = SLICE("first=1&second=2"), name, value;
    struct buffer storage;
    buffer_init(&storage, rest.len - 1);
    assert_int_equal(query_next(&rest, &storage, &name, &value), QUERY_NO_MEMORY);
    buffer_deinit(&storage);
}

static void test_paths(void **state)
{
    (void) state;
    static const char *const rows[][2] = {
        {"/metrics", "/metrics"},
        {"/%6detrics", "/metrics"},
        {"/a+b", "/a+b"},
        {"/%2F%25", "//%"},
        {"/%", NULL},
        {"/%00", NULL},
        {"/%0", NULL},
        {"/%x0", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out;
        buffer_init(&out, 64);
        assert_int_equal(path_decode(slice_of(rows[i][0]), &out), rows[i][1] != NULL);
        if (rows[i][1]) assert_true(slice_is(buffer_slice(&out), rows[i][1]));
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_names_and_values_stay_where_they_are),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
