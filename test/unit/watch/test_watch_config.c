/* The defaults of watching, its words, and which versions are trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "watch/watch_config.h"

static void watches_nothing_by_default(void **state)
{
    struct watch_config config;
    (void) state;
    watch_config_init(&config);
    assert_false(config.enabled);
    assert_int_equal(config.window_ns, UINT64_C(2000000000));
    assert_int_equal(config.every_ns, UINT64_C(60000000000));
    assert_int_equal(config.servers, 8);
    assert_int_equal(config.keys, WATCH_KEYS_PREFIX);
    assert_int_equal(config.trusted_count, 0);
}

static void has_a_word_for_everything(void **state)
{
    (void) state;
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++)
        assert_non_null(watch_stream_name(stream));
    for (enum watch_keys keys = 0; keys < WATCH_KEYS_COUNT; keys++) assert_non_null(watch_keys_name(keys));
    assert_string_equal(watch_stream_name(WATCH_FETCHERS), "fetchers");
    assert_string_equal(watch_keys_name(WATCH_KEYS_FULL), "full");
}

static void trusts_exactly_what_is_named(void **state)
{
    struct watch_config config;
    struct server_version old = {{1, 6, 18}}, older = {{1, 6, 17}};
    (void) state;
    watch_config_init(&config);
    assert_false(watch_config_trusts(&config, &old));
    config.trusted[config.trusted_count++] = old;
    assert_true(watch_config_trusts(&config, &old));
    assert_false(watch_config_trusts(&config, &older));
}

/* A reload keeps what runs only if nothing differs, so each setting counts. */
static void differs_in_each_setting(void **state)
{
    struct watch_config a, configs[12];
    (void) state;
    watch_config_init(&a);
    a.trusted[a.trusted_count++] = (struct server_version){{1, 6, 18}};
    for (size_t n = 0; n < ARRAY_LEN(configs); n++) configs[n] = a;
    configs[0].enabled = true;
    configs[1].streams ^= WATCH_BIT(WATCH_DELETIONS);
    configs[2].window_ns++;
    configs[3].every_ns++;
    configs[4].servers--;
    configs[5].bytes_per_second++;
    configs[6].keys = WATCH_KEYS_HASH;
    configs[7].separator = '/';
    configs[8].prefixes++;
    configs[9].hot_keys++;
    configs[10].trusted[configs[10].trusted_count++] = (struct server_version){{1, 6, 17}};
    configs[11].trusted[0] = (struct server_version){{1, 6, 17}};
    assert_true(watch_config_equals(&a, &a));
    for (size_t n = 0; n < ARRAY_LEN(configs); n++) {
        if (watch_config_equals(&a, &configs[n])) fail_msg("setting %zu makes no difference", n);
    }
}

static void census_differs_in_each_setting(void **state)
{
    struct census_config a, configs[8];
    (void) state;
    census_config_init(&a);
    a.trusted[a.trusted_count++] = (struct server_version){{1, 6, 18}};
    for (size_t n = 0; n < ARRAY_LEN(configs); n++) configs[n] = a;
    configs[0].enabled = true;
    configs[1].every_ns++;
    configs[2].max_items++;
    configs[3].time_ns++;
    configs[4].separator = '/';
    configs[5].prefixes++;
    configs[6].trusted[configs[6].trusted_count++] = (struct server_version){{1, 6, 17}};
    configs[7].trusted[0] = (struct server_version){{1, 6, 17}};
    assert_true(census_config_equals(&a, &a));
    for (size_t n = 0; n < ARRAY_LEN(configs); n++) {
        if (census_config_equals(&a, &configs[n])) fail_msg("setting %zu makes no difference", n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watches_nothing_by_default),     cmocka_unit_test(has_a_word_for_everything),
        cmocka_unit_test(trusts_exactly_what_is_named),   cmocka_unit_test(differs_in_each_setting),
        cmocka_unit_test(census_differs_in_each_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
