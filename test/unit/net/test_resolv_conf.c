#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/resolv_conf.h"

#include <net/if.h>
#include <stdio.h>

static struct resolv_conf conf;

static void read_in(const char *text, const char *localdomain, const char *options, const char *host)
{
    const struct resolv_conf_surroundings surroundings = {localdomain, options, host};
    resolv_conf_read(&conf, slice_of(text), &surroundings);
}

/* The names that are asked for one after the other, joined by blanks. */
static const char *search(const char *text, const char *name)
{
    static char all[4096];
    char candidate[ADDRESS_HOST_MAX + 1];
    read_in(text, NULL, NULL, NULL);
    all[0] = '\0';
    for (size_t step = 0; resolv_conf_candidate(&conf, name, step, candidate); step++)
        sprintf(all + strlen(all), "%s%s", step ? " " : "", candidate);
    return all;
}

static const char *servers(const char *text)
{
    static char all[1024];
    struct buffer out;
    buffer_init(&out, sizeof(all));
    read_in(text, NULL, NULL, NULL);
    for (size_t i = 0; i < conf.server_count; i++) {
        if (i) buffer_append_char(&out, ' ');
        endpoint_format(&conf.servers[i], &out);
    }
    snprintf(all, sizeof(all), "%.*s", SLICE_ARG(buffer_slice(&out)));
    buffer_deinit(&out);
    return all;
}

static void test_servers(void **state)
{
    char zone[IF_NAMESIZE], text[100], expected[100];
    (void) state;
    assert_string_equal(servers(""), "127.0.0.1:53");
    assert_string_equal(servers("# nothing\n;nameserver 192.0.2.1\n"), "127.0.0.1:53");
    assert_string_equal(servers("nameserver 192.0.2.1\nnameserver 2001:db8::1"),
                        "192.0.2.1:53 [2001:db8::1]:53");
    assert_string_equal(servers("nameserver\t192.0.2.1 # the first\r\n nameserver 127.1\n"),
                        "192.0.2.1:53 127.0.0.1:53");
    assert_string_equal(servers("nameserver\nnameserver x\nnameservers 192.0.2.2\nnameserver192.0.2.3\n"
                                "nameserver 192.0.2.1\n"),
                        "192.0.2.1:53");
    assert_non_null(if_indextoname(1, zone));
    snprintf(text, sizeof(text), "nameserver fe80::1%%%s\n", zone);
    snprintf(expected, sizeof(expected), "[fe80::1%%%s]:53", zone);
    assert_string_equal(servers(text), expected);
}

static void test_too_many_servers(void **state)
{
    char text[1024] = "";
    (void) state;
    for (int i = 1; i <= RESOLV_CONF_SERVERS_MAX + 2; i++)
        sprintf(text + strlen(text), "nameserver 192.0.2.%d\n", i);
    servers(text);
    assert_int_equal(conf.server_count, RESOLV_CONF_SERVERS_MAX);
}

static void test_no_search(void **state)
{
    (void) state;
    assert_string_equal(search("", "cache"), "cache");
    assert_string_equal(search("", "cache.test"), "cache.test");
    assert_string_equal(search("search a.test\n", "cache."), "cache");
    assert_string_equal(search("search a.test\n", "cache.test."), "cache.test");
}

/* systemd-resolved writes the root where there is no domain. */
static void test_root_in_the_search_list(void **state)
{
    (void) state;
    assert_string_equal(search("search .\n", "cache"), "cache");
    assert_string_equal(search("search .\n", "cache.test"), "cache.test");
    assert_string_equal(search("domain .\n", "cache"), "cache");
    assert_string_equal(search("search . a.test\n", "cache"), "cache cache.a.test");
    assert_string_equal(search("search a.test .\n", "cache"), "cache.a.test cache");
    assert_string_equal(search("search a.test .\n", "cache.test"), "cache.test cache.test.a.test");
}

static void test_search_lists(void **state)
{
    (void) state;
    assert_string_equal(search("search a.test b.test.\n", "cache"), "cache.a.test cache.b.test cache");
    assert_string_equal(search("search\ta.test\t b.test \r\n", "cache"), "cache.a.test cache.b.test cache");
    assert_string_equal(search("search a.test\n", "x.y"), "x.y x.y.a.test");
    assert_string_equal(search("domain a.test\nsearch b.test\n", "cache"), "cache.b.test cache");
    assert_string_equal(search("search b.test c.test\ndomain a.test ignored\n", "cache"),
                        "cache.a.test cache");
    assert_string_equal(search("search a.test\nsearch\n", "cache"), "cache.a.test cache");
    assert_string_equal(search("search a.test # b.test\n", "cache"), "cache.a.test cache");
    assert_string_equal(search("search a.test", "cache"), "cache.a.test cache");
}

static void test_ndots(void **state)
{
    static const char five[] = "search svc.test\noptions edns0 ndots:5 trust-ad\n";
    (void) state;
    assert_string_equal(search(five, "a.b.c"), "a.b.c.svc.test a.b.c");
    assert_string_equal(search(five, "a.b.c.d.e.f"), "a.b.c.d.e.f a.b.c.d.e.f.svc.test");
    assert_string_equal(search("search a.test\noptions ndots:0\n", "cache"), "cache cache.a.test");
    assert_string_equal(search("search a.test\noptions ndots:x\n", "cache"), "cache.a.test cache");
    assert_string_equal(search("search a.test\noptions no-tld-query\n", "cache"), "cache.a.test");
    assert_string_equal(search("options no-tld-query\n", "cache"), "cache");
    read_in("options ndots:99 rotate use-vc\n", NULL, NULL, NULL);
    assert_int_equal(conf.ndots, RESOLV_CONF_NDOTS_MAX);
    assert_true(conf.rotate);
    assert_true(conf.use_tcp);
}

static void test_too_long_candidates(void **state)
{
    char text[300] = "search ", candidate[ADDRESS_HOST_MAX + 1];
    (void) state;
    while (strlen(text) < 240) strcat(text, "domain.");
    strcat(text, "test\n");
    read_in(text, NULL, NULL, NULL);
    assert_true(resolv_conf_candidate(&conf, "a-name-of-some-length", 0, candidate));
    assert_string_equal(candidate, "");
    assert_true(resolv_conf_candidate(&conf, "a-name-of-some-length", 1, candidate));
    assert_string_equal(candidate, "a-name-of-some-length");
    assert_false(resolv_conf_candidate(&conf, "a-name-of-some-length", 2, candidate));
}

static void test_surroundings(void **state)
{
    (void) state;
    read_in("search a.test\n", "b.test c.test", "ndots:3 rotate", "host.d.test");
    assert_int_equal(conf.search_count, 2);
    assert_string_equal(conf.search[0], "b.test");
    assert_int_equal(conf.ndots, 3);
    assert_true(conf.rotate);
    read_in("nameserver 192.0.2.1\n", NULL, NULL, "host.d.test");
    assert_int_equal(conf.search_count, 1);
    assert_string_equal(conf.search[0], "d.test");
    read_in("search a.test\n", NULL, NULL, "host.d.test");
    assert_string_equal(conf.search[0], "a.test");
    read_in("", NULL, NULL, "host");
    assert_int_equal(conf.search_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_too_many_servers),
        cmocka_unit_test(test_no_search),
        cmocka_unit_test(test_root_in_the_search_list),
        cmocka_unit_test(test_search_lists),
        cmocka_unit_test(test_ndots),
        cmocka_unit_test(test_too_long_candidates),
        cmocka_unit_test(test_surroundings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
