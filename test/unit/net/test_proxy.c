/* Through a proxy or not, as Go decides it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/proxy.h"

#include <stdlib.h>
#include <string.h>

static int clear(void **state)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                        "ALL_PROXY",  "all_proxy",  "NO_PROXY",    "no_proxy"};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) unsetenv(names[n]);
    return 0;
}

static const char *find(bool https, const char *host, const char *port)
{
    return proxy_for(https, slice_of(host), slice_of(port));
}

static void test_variables(void **state)
{
    (void) state;
    assert_null(find(false, "a.example", "80"));
    setenv("ALL_PROXY", "all:1", 1);
    assert_null(find(false, "a.example", "80"));
    setenv("http_proxy", "lower:1", 1);
    assert_string_equal(find(false, "a.example", "80"), "lower:1");
    assert_null(find(true, "a.example", "443"));
    setenv("HTTP_PROXY", "upper:1", 1);
    assert_string_equal(find(false, "a.example", "80"), "upper:1");
    setenv("HTTP_PROXY", "", 1);
    assert_string_equal(find(false, "a.example", "80"), "lower:1");
    setenv("HTTPS_PROXY", "http://tls:2", 1);
    assert_string_equal(find(true, "a.example", "443"), "http://tls:2");
}

static void test_loopback(void **state)
{
    static const char *const hosts[] = {"localhost", "LocalHost", "127.0.0.1",
                                        "127.9.9.9", "::1",       "::ffff:127.0.0.1"};
    (void) state;
    setenv("HTTP_PROXY", "p:1", 1);
    setenv("HTTPS_PROXY", "p:1", 1);
    for (size_t n = 0; n < ARRAY_LEN(hosts); n++) {
        assert_null(find(false, hosts[n], "9091"));
        assert_null(find(true, hosts[n], "9091"));
    }
    assert_non_null(find(false, "128.0.0.1", "9091"));
    assert_non_null(find(false, "localhost.example", "9091"));
}

static const struct {
    const char *list, *host, *port;
    bool direct;
} cases[] = {
    {"*", "a.example", "80", true},
    {"example", "a.example", "80", true},
    {"a.example", "a.example", "80", true},
    {"A.Example", "a.exAMPle", "80", true},
    {"a.example", "b.a.example", "80", true},
    {"a.example", "ba.example", "80", false},
    {".example", "a.example", "80", true},
    {".a.example", "a.example", "80", false},
    {"*.example", "a.example", "80", true},
    {"*.a.example", "a.example", "80", false},
    {"b, a.example ,c", "a.example", "80", true},
    {",,", "a.example", "80", false},
    {"a.example:80", "a.example", "80", true},
    {"a.example:81", "a.example", "80", false},
    {"10.0.0.0/8", "10.1.2.3", "80", true},
    {"10.0.0.0/8", "11.1.2.3", "80", false},
    {"10.0.0.0/9", "10.128.0.1", "80", false},
    {"10.0.0.0/33", "10.0.0.1", "80", false},
    {"0.0.0.0/0", "10.0.0.1", "80", true},
    {"10.1.2.3", "10.1.2.3", "80", true},
    {"10.1.2.3:81", "10.1.2.3", "80", false},
    {"10.1.2.3:80", "10.1.2.3", "80", true},
    {"fd00::/8", "fd12::1", "80", true},
    {"fd00::/8", "fe12::1", "80", false},
    {"fd00::1", "fd00::1", "80", true},
    {"[fd00::1]:80", "fd00::1", "80", true},
    {"[fd00::1]:81", "fd00::1", "80", false},
    {"3", "10.1.2.3", "80", false},
};

static void test_no_proxy(void **state)
{
    (void) state;
    setenv("HTTP_PROXY", "p:1", 1);
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        setenv(n % 2 ? "no_proxy" : "NO_PROXY", cases[n].list, 1);
        if (cases[n].direct != !find(false, cases[n].host, cases[n].port))
            fail_msg("%s for %s:%s", cases[n].list, cases[n].host, cases[n].port);
        unsetenv("no_proxy");
        unsetenv("NO_PROXY");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_variables, clear, clear),
        cmocka_unit_test_setup_teardown(test_loopback, clear, clear),
        cmocka_unit_test_setup_teardown(test_no_proxy, clear, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
