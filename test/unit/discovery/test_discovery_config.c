#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "discovery/discovery_config.h"

#include <string.h>

static const char *const patterns[] = {"a/*.json", "b.yml"};
static const char *const other_patterns[] = {"a/*.json", "c.yml"};

/* One of each kind, and after each what differs from it in one thing only. */
static const struct discovery_config configs[] = {
    {.kind = DISCOVERY_DNS, .refresh_ms = 1, .dns = {"cache.test", DNS_A, 11211}},
    {.kind = DISCOVERY_DNS, .refresh_ms = 2, .dns = {"cache.test", DNS_A, 11211}},
    {.kind = DISCOVERY_DNS, .refresh_ms = 1, .dns = {"other.test", DNS_A, 11211}},
    {.kind = DISCOVERY_DNS, .refresh_ms = 1, .dns = {"cache.test", DNS_AAAA, 11211}},
    {.kind = DISCOVERY_DNS, .refresh_ms = 1, .dns = {"cache.test", DNS_A, 11212}},
    {.kind = DISCOVERY_FILE_SD, .file_sd = {patterns, 2, "/etc"}},
    {.kind = DISCOVERY_FILE_SD, .file_sd = {patterns, 1, "/etc"}},
    {.kind = DISCOVERY_FILE_SD, .file_sd = {other_patterns, 2, "/etc"}},
    {.kind = DISCOVERY_FILE_SD, .file_sd = {patterns, 2, "/tmp"}},
    {.kind = DISCOVERY_HTTP_SD, .http_sd = {"http://x/", 1}},
    {.kind = DISCOVERY_HTTP_SD, .http_sd = {"http://y/", 1}},
    {.kind = DISCOVERY_HTTP_SD, .http_sd = {"http://x/", 2}},
    {.kind = DISCOVERY_ELASTICACHE, .elasticache = {{ADDRESS_NAME, 1, "cfg"}, 1}},
    {.kind = DISCOVERY_ELASTICACHE, .elasticache = {{ADDRESS_NAME, 2, "cfg"}, 1}},
    {.kind = DISCOVERY_ELASTICACHE, .elasticache = {{ADDRESS_NAME, 1, "cfh"}, 1}},
    {.kind = DISCOVERY_ELASTICACHE, .elasticache = {{ADDRESS_NAME, 1, "cfg"}, 2}},
};

static void test_each_is_like_its_copy_alone(void **state)
{
    struct discovery_config copy;
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        assert_true(discovery_config_copy(&copy, &configs[i]));
        for (size_t j = 0; j < ARRAY_LEN(configs); j++)
            assert_int_equal(discovery_config_equal(&copy, &configs[j]), i == j);
        discovery_config_deinit(&copy);
    }
}

static void test_the_port_of_srv_does_not_matter(void **state)
{
    struct discovery_config a = {.kind = DISCOVERY_DNS, .dns = {"cache.test", DNS_SRV, 1}}, b = a;
    (void) state;
    b.dns.port = 2;
    assert_true(discovery_config_equal(&a, &b));
}

static void test_strings_are_copied(void **state)
{
    char name[] = "cache.test", file[] = "a.json", directory[] = "/etc";
    const char *const files[] = {file};
    struct discovery_config dns = {.kind = DISCOVERY_DNS, .dns = {name, DNS_A, 1}};
    struct discovery_config file_sd = {.kind = DISCOVERY_FILE_SD, .file_sd = {files, 1, directory}};
    struct discovery_config copies[2];
    (void) state;
    assert_true(discovery_config_copy(&copies[0], &dns));
    assert_true(discovery_config_copy(&copies[1], &file_sd));
    name[0] = file[0] = directory[0] = '?';
    assert_string_equal(copies[0].dns.name, "cache.test");
    assert_string_equal(copies[1].file_sd.patterns[0], "a.json");
    assert_string_equal(copies[1].file_sd.directory, "/etc");
    discovery_config_deinit(&copies[0]);
    discovery_config_deinit(&copies[1]);
}

static void check_description(const struct discovery_config *config, const char *expected)
{
    struct buffer text;
    buffer_init(&text, 256);
    discovery_config_describe(config, &text);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, expected);
    buffer_deinit(&text);
}

static void test_descriptions(void **state)
{
    (void) state;
    check_description(&configs[0], "cache.test");
    check_description(&configs[5], "a/*.json,b.yml");
    check_description(&configs[9], "http://x/");
    check_description(&configs[12], "cfg:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_like_its_copy_alone),
        cmocka_unit_test(test_the_port_of_srv_does_not_matter),
        cmocka_unit_test(test_strings_are_copied),
        cmocka_unit_test(test_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
