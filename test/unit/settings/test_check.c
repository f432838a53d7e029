/* --config.check: what it shows and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "directory.h"
#include "parsed_options.h"
#include "settings/check.h"

static int setup(void **state)
{
    (void) state;
    directory_open();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    directory_close();
    return 0;
}

/* Checks the file under these flags; the text is the caller's. */
static bool check(const char *text, const char *flag, struct buffer *out)
{
    struct outcome outcome;
    char file[PATH_MAX + 32];
    if (text) write_file("e.yml", text);
    snprintf(file, sizeof(file), "--config.file=%s", path_of("e.yml"));
    parse(&outcome, ARGUMENTS(file, flag), NO_ENVIRONMENT);
    assert_runs(&outcome);
    buffer_init(out, 1 << 20);
    bool good = check_config(&outcome.options, out);
    buffer_append_char(out, '\0');
    assert_false(out->failed);
    release(&outcome);
    return good;
}

static void expect_good(const char *text, const char *flag, const char *line)
{
    struct buffer out;
    if (!check(text, flag, &out)) fail_msg("%s", out.data);
    if (!strstr(out.data, line)) fail_msg("no %s in:\n%s", line, out.data);
    buffer_deinit(&out);
}

static void expect_bad(const char *text, const char *flag, const char *error)
{
    struct buffer out;
    if (check(text, flag, &out)) fail_msg("%s", out.data);
    assert_true(slice_starts(slice_of(out.data), "memcached_fleet_exporter: "));
    if (!strstr(out.data, error)) fail_msg("no %s in: %s", error, out.data);
    assert_ptr_equal(strchr(out.data, '\n'), out.data + out.len - 2);
    buffer_deinit(&out);
}

static void test_good(void **unused)
{
    static const char text[] = "groups: [{name: a, targets: [h:1, h:2, h:3, h:4, h:5, h:6, h:7, h:8]}]";
    (void) unused;
    expect_good(text, NULL, "\ngroup \"a\": 8 targets, module \"default\": timeout 1s, ");
    expect_good(text, NULL, "\nin force: target label instance, shard 0/1, which has 8 of the 8 targets\n");
    expect_good(text, "--web.target-label=server", "\nin force: target label server, ");
    expect_good("target_label: server", NULL, "\nin force: target label server, ");
}

/* The shards have all targets between them, and each has some. */
static void test_shards(void **unused)
{
    unsigned sum = 0;
    (void) unused;
    for (unsigned shard = 0; shard < 2; shard++) {
        struct buffer out;
        char flag[32];
        unsigned count, all;
        snprintf(flag, sizeof(flag), "--shard=%u/2", shard);
        assert_true(
            check("groups: [{name: a, targets: [h:1, h:2, h:3, h:4, h:5, h:6, h:7, h:8]}]", flag, &out));
        assert_int_equal(
            sscanf(strstr(out.data, ", which has "), ", which has %u of the %u targets", &count, &all), 2);
        assert_int_equal(all, 8);
        assert_in_range(count, 1, 7);
        sum += count;
        buffer_deinit(&out);
    }
    assert_int_equal(sum, 8);
}

static void test_flags_beside_the_file(void **unused)
{
    (void) unused;
    expect_good("groups: [{name: a, targets: [h:1]}]", "--memcached.address=b",
                "\nthe file overrides --memcached.address\n");
    expect_good("modules: {m: {}}", "--memcached.address=b", "\n  target b\n");
    expect_good("modules: {m: {}}", "--push.job=b",
                "\nwarning: no effect of --push.job: nothing is pushed without --push.url\n");
    expect_bad("modules: {m: {}}", "--memcached.address=b:c",
               ": --memcached.address: \"b:c\": expected a port");
}

static void test_bad(void **unused)
{
    (void) unused;
    expect_bad(NULL, NULL, "/e.yml: No such file or directory");
    expect_bad("gruops: []", NULL, "/e.yml:1:1: gruops: unknown key");
    expect_bad("outputs: {push: {url: 'http://g', ca_file: nowhere}}", NULL,
               "/e.yml:1:44: outputs.push.ca_file: expected a readable file");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_shards),
        TEST(test_flags_beside_the_file),
        TEST(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
