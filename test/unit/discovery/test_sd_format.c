#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/sd_format.h"

#include "base/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct results found;
static struct buffer error;

static int read_text(enum sd_syntax syntax, struct slice text)
{
    results_init(&found);
    buffer_init(&error, 4096);
    int result = sd_format_read(&found, text, syntax, (struct results_label){"__meta_url", "here"}, &error);
    buffer_append_char(&error, '\0');
    return result;
}

static void release(void)
{
    results_deinit(&found);
    buffer_deinit(&error);
}

/* What was found, in one line: "a:1{x=1,__meta_url=here} b{...}". */
static void assert_reads(enum sd_syntax syntax, const char *text, const char *expected)
{
    char line[1024] = "";
    size_t len = 0;
    int result = read_text(syntax, slice_of(text));
    if (result != 0) fail_msg("%s: %s", text, error.data);
    for (size_t n = 0; n < found.count; n++) {
        const struct results_target *target = &found.targets[n];
        len += (size_t) sprintf(line + len, "%s%s{", n ? " " : "", target->address);
        for (size_t i = 0; i < target->label_count; i++)
            len += (size_t) sprintf(line + len, "%s%s=%s", i ? "," : "", target->labels[i].name,
                                    target->labels[i].value);
        len += (size_t) sprintf(line + len, "}");
    }
    assert_string_equal(line, expected);
    release();
}

static void assert_refused(enum sd_syntax syntax, const char *text, const char *expected)
{
    assert_int_equal(read_text(syntax, slice_of(text)), -EINVAL);
    assert_string_equal(error.data, expected);
    release();
}

static void test_json(void **state)
{
    (void) state;
    assert_reads(SD_JSON, "[]", "");
    assert_reads(SD_JSON, "[{}]", "");
    assert_reads(SD_JSON, "[{\"targets\": [\"a:1\", \"[::1]:2\"]}]",
                 "a:1{__meta_url=here} [::1]:2{__meta_url=here}");
    assert_reads(SD_JSON,
                 "[{\"targets\": [\"a\"], \"labels\": {\"zone\": \"1\", \"__meta_x\": \"\"}},"
                 " {\"labels\": {\"zone\": \"2\"}, \"targets\": [\"b\"]}]",
                 "a{zone=1,__meta_x=,__meta_url=here} b{zone=2,__meta_url=here}");
}

static void test_yaml(void **state)
{
    (void) state;
    assert_reads(SD_YAML, "[]", "");
    assert_reads(SD_YAML,
                 "# servers\n"
                 "- targets: [cache-1, 'cache-2:1']\n"
                 "  labels: {zone: 1, debug: true}\n"
                 "- targets:\n"
                 "  - unix:/run/memcached.sock\n",
                 "cache-1{zone=1,debug=true,__meta_url=here} cache-2:1{zone=1,debug=true,__meta_url=here} "
                 "unix:/run/memcached.sock{__meta_url=here}");
}

/* As Go writes lists and maps that are nil. */
static void test_null(void **state)
{
    (void) state;
    assert_reads(SD_JSON, "[{\"targets\": [\"a\"], \"labels\": null}, {\"targets\": null}]",
                 "a{__meta_url=here}");
    assert_reads(SD_YAML, "- targets: [a]\n  labels:\n- targets: ~\n", "a{__meta_url=here}");
    assert_reads(SD_YAML, "- targets: [a]\n  labels: {zone: , x: ~, y: \"\", z: 1}\n",
                 "a{y=,z=1,__meta_url=here}");
    assert_reads(SD_JSON, "[{\"targets\": [\"a\"], \"labels\": {\"zone\": null}}]", "a{__meta_url=here}");
}

static void test_origin_takes_the_place(void **state)
{
    (void) state;
    assert_reads(SD_JSON, "[{\"targets\": [\"a\"], \"labels\": {\"__meta_url\": \"there\", \"x\": \"1\"}}]",
                 "a{x=1,__meta_url=here}");
}

static void test_wrong_types(void **state)
{
    (void) state;
    assert_refused(SD_JSON, "{}", "a mapping: expected a list");
    assert_refused(SD_JSON, "[[]]", "[0]: a list: expected a mapping with targets and labels");
    assert_refused(SD_JSON, "[{}, null]", "[1]: \"null\": expected a mapping with targets and labels");
    assert_refused(SD_JSON, "[{\"targets\": \"a\"}]", "[0].targets: \"a\": expected a list");
    assert_refused(SD_JSON, "[{\"targets\": \"null\"}]", "[0].targets: \"null\": expected a list");
    assert_refused(SD_JSON, "[{\"labels\": []}]", "[0].labels: a list: expected a mapping");
    assert_refused(SD_JSON, "[{}, {}, {}, {\"labels\": {\"zone\": {}}}]",
                   "[3].labels.zone: a mapping: expected a string");
    assert_refused(SD_JSON, "[{\"labels\": {\"zone\": 1}}]", "[0].labels.zone: \"1\": expected a string");
    assert_refused(SD_JSON, "[{\"labels\": {\"zone\": true}}]",
                   "[0].labels.zone: \"true\": expected a string");
}

static void test_wrong_values(void **state)
{
    (void) state;
    assert_refused(SD_JSON, "[{\"target\": []}]",
                   "[0].target: a list: expected no other keys than targets and labels");
    static const char *const names[] = {"", "9a", "a-b", "a:b", "a b", "\xc3\xa9", "a\\n"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        char text[64];
        sprintf(text, "[{\"labels\": {\"%s\": \"1\"}}]", names[n]);
        assert_int_equal(read_text(SD_JSON, slice_of(text)), -EINVAL);
        assert_non_null(strstr(error.data, "expected a label name"));
        assert_null(strchr(error.data, '\n'));
        release();
    }
}

static void test_bad_targets_cost_themselves(void **state)
{
    static const char *const bad[] = {"",    "a b",  "http://a", "a:70000", "a:99999",
                                      "a:0", "a:1/", "dns+a",    "\x01"};
    (void) state;
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        char text[64];
        sprintf(text, "- targets: [\"good:1\", \"%s\", good]\n", bad[n][0] == 1 ? "\\x01" : bad[n]);
        assert_int_equal(read_text(SD_YAML, slice_of(text)), 0);
        assert_int_equal(found.count, 2);
        assert_int_equal(found.dropped, 1);
        assert_non_null(strstr(found.dropped_example, "[0].targets[1]: "));
        assert_null(strchr(found.dropped_example, '\n'));
        release();
    }
    assert_int_equal(read_text(SD_JSON, SLICE("[{\"targets\": [\"a:70000\", \"b c\"]}]")), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.dropped, 2);
    assert_string_equal(found.dropped_example,
                        "[0].targets[0]: \"a:70000\": expected a port from 1 to 65535");
    release();
}

/* Whatever stands in the place of a target. */
static void test_targets_of_other_types(void **state)
{
    static const char *const json[] = {"1", "null", "true", "[\"b\"]", "{}"}, *const yaml[] = {"~", "", "[b]",
                                                                                               "{b: c}"};
    char text[64];
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(json) + ARRAY_LEN(yaml); n++) {
        bool is_json = n < ARRAY_LEN(json);
        if (is_json)
            sprintf(text, "[{\"targets\": [\"a\", %s, \"c\"]}]", json[n]);
        else
            sprintf(text, "- targets:\n  - a\n  - %s\n  - c\n", yaml[n - ARRAY_LEN(json)]);
        assert_int_equal(read_text(is_json ? SD_JSON : SD_YAML, slice_of(text)), 0);
        assert_int_equal(found.count, 2);
        assert_int_equal(found.dropped, 1);
        assert_non_null(strstr(found.dropped_example, "[0].targets[1]: "));
        assert_non_null(strstr(found.dropped_example, "expected a string"));
        release();
    }
}

static void test_aliases(void **state)
{
    (void) state;
    assert_reads(SD_YAML, "- targets: [a]\n  labels: &x {zone: 1}\n- targets: [b]\n  labels: *x\n",
                 "a{zone=1,__meta_url=here} b{zone=1,__meta_url=here}");
    assert_reads(SD_YAML, "- &x {targets: [a], labels: {zone: 1}}\n- <<: *x\n  targets: [b]\n",
                 "a{zone=1,__meta_url=here} b{zone=1,__meta_url=here}");
}

static void test_no_format(void **state)
{
    (void) state;
    assert_reads(SD_YAML, "", "");
    assert_reads(SD_YAML, "# later\n", "");
    assert_reads(SD_JSON, "null", "");
    assert_int_equal(read_text(SD_JSON, SLICE("")), -EINVAL);
    release();
    assert_refused(SD_JSON, "[] x", "1:4: expected JSON: end of file expected near 'x'");
    assert_int_equal(read_text(SD_JSON, SLICE("- targets: [a]\n")), -EINVAL);
    release();
    assert_int_equal(read_text(SD_YAML, SLICE("- targets: [a\n")), -EINVAL);
    release();
}

/* Nothing that a half-written file holds is taken for the whole. */
static void test_every_beginning(void **state)
{
    (void) state;
    struct slice text = SLICE("[{\"targets\": [\"a:1\", \"b\"], \"labels\": {\"zone\": \"1\"}}]");
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(read_text(SD_JSON, (struct slice){text.data, len}), -EINVAL);
        assert_true(error.len > 1);
        release();
    }
    assert_int_equal(read_text(SD_JSON, text), 0);
    release();
}

static void test_too_many(void **state)
{
    (void) state;
    struct buffer text;
    buffer_init(&text, SD_TEXT_MAX);
    buffer_append_string(&text, "[{\"targets\": [\"a\"");
    for (unsigned n = 0; n < RESULTS_MAX - 1; n++) buffer_append_string(&text, ",\"a\"");
    size_t len = text.len;
    buffer_append_string(&text, "]}]");
    assert_int_equal(read_text(SD_JSON, buffer_slice(&text)), 0);
    assert_int_equal(found.count, RESULTS_MAX);
    release();
    text.len = len;
    buffer_append_string(&text, ",\"a\"]}]");
    assert_int_equal(read_text(SD_JSON, buffer_slice(&text)), -EINVAL);
    assert_string_equal(error.data, "more than 100000 targets");
    release();
    buffer_deinit(&text);
}

/* Each of them described by its place in the list would take a hundred times as long as the time-out. */
static void test_many_bad_targets(void **state)
{
    (void) state;
    struct buffer text;
    buffer_init(&text, SIZE_MAX);
    buffer_append_string(&text, "[{\"targets\":[");
    for (unsigned n = 0; n < 300000; n++) buffer_append_string(&text, "\"a:b:c\",");
    buffer_append_string(&text, "\"last:1\"]}]");
    assert_false(text.failed);
    assert_int_equal(read_text(SD_JSON, buffer_slice(&text)), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.dropped, 300000);
    assert_non_null(strstr(found.dropped_example, "[0].targets[0]: "));
    release();
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_targets_of_other_types),
        cmocka_unit_test(test_origin_takes_the_place),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_no_format),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_bad_targets_cost_themselves),
        cmocka_unit_test(test_many_bad_targets),
        cmocka_unit_test(test_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
