/* The group of --memcached.address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "parsed_options.h"
#include "settings/from_flags.h"
#include "settings/settings.h"

#include <uv.h>

/* A configuration of these addresses; the result of config_add_flags. */
static int add(struct config *config, const char *addresses, struct buffer *error)
{
    struct outcome flags;
    char argument[256];
    snprintf(argument, sizeof(argument), "--memcached.address=%s", addresses);
    parse(&flags, ARGUMENTS(argument), NO_ENVIRONMENT);
    assert_runs(&flags);
    struct config_rules rules = settings_rules(&flags.options);
    buffer_init(error, 4096);
    assert_int_equal(config_init(config, &rules), 0);
    int result = config_add_flags(config, &flags.options, error);
    release(&flags);
    return result;
}

static void drop(struct config *config, struct buffer *error)
{
    config_deinit(config);
    buffer_deinit(error);
}

static void test_none(void **unused)
{
    struct config config;
    struct buffer error;
    (void) unused;
    assert_int_equal(add(&config, "", &error), 0);
    assert_int_equal(config.group_count, 1);
    assert_int_equal(config.target_count, 0);
    assert_null(config.groups[0].sources);
    assert_ptr_equal(config.groups[0].module, &config.modules[0]);
    assert_false(config.has_groups);
    drop(&config, &error);
}

/* Names stay as they were written, and lists of DNS are sources of the group. */
static void test_targets_and_sources(void **unused)
{
    struct config config;
    struct buffer error;
    (void) unused;
    assert_int_equal(add(&config, "Cache-1,dns+c:5,[::1]:7,dnssrv+_m._tcp.d,/run/a.sock", &error), 0);
    const struct config_group *group = &config.groups[0];
    assert_int_equal(config.target_count, 3);
    assert_string_equal(group->name, "");
    assert_string_equal(group->targets[0].name, "Cache-1");
    assert_int_equal(group->targets[0].address.port, MEMCACHED_PORT);
    assert_string_equal(group->targets[1].address.host, "::1");
    assert_int_equal(group->targets[2].address.kind, ADDRESS_UNIX);
    const struct config_source *source = group->sources;
    assert_string_equal(source->asks.dns.name, "c");
    assert_int_equal(source->asks.dns.port, 5);
    assert_int_equal(source->asks.dns.type, DNS_ADDRESSES);
    source = source->next;
    assert_string_equal(source->asks.dns.name, "_m._tcp.d");
    assert_int_equal(source->asks.dns.type, DNS_SRV);
    assert_null(source->next);
    drop(&config, &error);
}

static void test_bad_addresses(void **unused)
{
    static const struct {
        const char *address, *error;
    } cases[] = {
        {"h:x", "--memcached.address: \"h:x\": expected a port"},
        {"a,h:0", "--memcached.address: \"h:0\": expected a port from 1 to 65535"},
        {"dns+1.2.3.4", "--memcached.address: \"dns+1.2.3.4\": expected a host name behind dns+"},
        {"dnssrv+h:1", "--memcached.address: \"dnssrv+h:1\": expected a host name without a port"},
        {"http://h", "--memcached.address: \"http://h\": expected "},
        {"a\nb", "--memcached.address: \"a\\nb\": expected an address without blanks"},
    };
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct config config;
        struct buffer error;
        assert_int_equal(add(&config, cases[n].address, &error), UV_EINVAL);
        if (!slice_starts(buffer_slice(&error), cases[n].error))
            fail_msg("%s is not: %.*s", cases[n].error, SLICE_ARG(buffer_slice(&error)));
        drop(&config, &error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_targets_and_sources),
        cmocka_unit_test(test_bad_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
