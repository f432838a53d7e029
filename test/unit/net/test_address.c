#include "net/address.h"

#include "base/container.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netdb.h>

/* The canonical text of what was read; "" when it was refused. */
static const char *canonical(const char *text, bool listen)
{
    static char result[512];
    struct address address;
    struct buffer out;
    const char *expected = listen ? address_parse_listen(&address, slice_of(text), 9150)
                                  : address_parse(&address, slice_of(text), 11211);
    if (expected) return "";
    buffer_init(&out, sizeof(result) - 1);
    address_format(&address, &out);
    assert_false(out.failed);
    memcpy(result, out.data, out.len);
    result[out.len] = '\0';
    buffer_deinit(&out);
    char *copy = address_text(&address);
    assert_string_equal(copy, result);
    free(copy);
    return result;
}

static void test_forms(void **state)
{
    static const char *const cases[][2] = {
        {"cache:1", "cache:1"},
        {"cache", "cache:11211"},
        {"Cache-1.Example.ORG:65535", "cache-1.example.org:65535"},
        {"memcached_1:11212", "memcached_1:11212"},
        {"memcached.1.abc", "memcached.1.abc:11211"},
        {"absolute.name.:1", "absolute.name.:1"},
        {"1.2.3.4:5", "1.2.3.4:5"},
        {"1.2.3.4", "1.2.3.4:11211"},
        {"[::1]:5", "[::1]:5"},
        {"[::1]", "[::1]:11211"},
        {"::1", "[::1]:11211"},
        {"::", "[::]:11211"},
        {"2001:DB8:0:0::0:1", "[2001:db8::1]:11211"},
        {"[::ffff:1.2.3.4]:7", "[::ffff:1.2.3.4]:7"},
        {"fe80::1%eth0", "[fe80::1%eth0]:11211"},
        {"[FE80::1%Eth-0]:6", "[fe80::1%Eth-0]:6"},
        {"unix:/run/a.sock", "unix:/run/a.sock"},
        {"unix", "unix:11211"},
        {"unix:11211", "unix:11211"},
        {"unix:1", "unix:1"},
        {"localhost.", "localhost:11211"},
        {"LocalHost.:1", "localhost:1"},
        {"a.localhost.:1", "a.localhost:1"},
        {"cache.:1", "cache.:1"},
        {"notlocalhost.:1", "notlocalhost.:1"},
        {"/run/a.sock", "unix:/run/a.sock"},
        {"run/a.sock", "unix:run/a.sock"},
        {"./a.sock", "unix:./a.sock"},
        {"../1/a", "unix:../1/a"},
        {"unix:a.sock", "unix:a.sock"},
        {":5", "localhost:5"},
        {"cache:memcache", "cache:11211"},
        {"[::1]:Memcache", "[::1]:11211"},
        {"/run/\xc3\xa4:1", "unix:/run/\xc3\xa4:1"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(canonical(cases[i][0], false), cases[i][1]);
}

static void test_what_is_read_back_is_equal(void **state)
{
    static const char *const cases[] = {"cache:1", "1.2.3.4:5", "[::1]:5", "[fe80::1%eth0]:1", "unix:/a"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(canonical(cases[i], false), cases[i]);
}

static void test_kinds(void **state)
{
    struct address address;
    (void) state;
    assert_null(address_parse(&address, SLICE("name:1"), 2));
    assert_int_equal(address.kind, ADDRESS_NAME);
    assert_null(address_parse(&address, SLICE("1.2.3.4:1"), 2));
    assert_int_equal(address.kind, ADDRESS_IP);
    assert_null(address_parse(&address, SLICE("[::1]"), 2));
    assert_int_equal(address.kind, ADDRESS_IP);
    assert_int_equal(address.port, 2);
    assert_string_equal(address.host, "::1");
    assert_null(address_parse(&address, SLICE("/a"), 2));
    assert_int_equal(address.kind, ADDRESS_UNIX);
    assert_int_equal(address.port, 0);
}

/* As /etc/services has it, where there is one. */
static void test_named_port(void **state)
{
    struct address address;
    const struct servent *service = getservbyname("https", "tcp");
    (void) state;
    const char *expected = address_parse(&address, SLICE("cache:https"), 1);
    assert_int_equal(expected == NULL, service != NULL);
    if (service) assert_int_equal(address.port, ntohs((uint16_t) service->s_port));
}

/* Each is refused with a message that names what was expected. */
static void test_refused(void **state)
{
    static const struct {
        struct slice text;
        const char *expected;
    } cases[] = {
        {SLICE(""), "unix:/path"},
        {SLICE(":"), "a port from 1 to 65535"},
        {SLICE("host:no-such-service"), "a port from 1 to 65535"},
        {SLICE("host:memcache_"), "a port from 1 to 65535"},
        {SLICE("host/"), "a host name"},
        {SLICE("10.0.0.0/8"), "a host name"},
        {SLICE("host:"), "a port from 1 to 65535"},
        {SLICE("host:0"), "a port from 1 to 65535"},
        {SLICE("host:65536"), "a port from 1 to 65535"},
        {SLICE("host:18446744073709551617"), "a port from 1 to 65535"},
        {SLICE("host:+1"), "a port from 1 to 65535"},
        {SLICE("host:1x"), "a port from 1 to 65535"},
        {SLICE("host:-1"), "a port from 1 to 65535"},
        {SLICE("[::1]:"), "a port from 1 to 65535"},
        {SLICE("[::1]:0"), "a port from 1 to 65535"},
        {SLICE("[::1"), "IPv6"},
        {SLICE("[]:1"), "IPv6"},
        {SLICE("["), "IPv6"},
        {SLICE("[1.2.3.4]:1"), "IPv6"},
        {SLICE("[name]:1"), "IPv6"},
        {SLICE("[::1%]:1"), "IPv6"},
        {SLICE("[::1%a/b]:1"), "IPv6"},
        {SLICE("[::1%0123456789abcdef]"), "IPv6"},
        {SLICE("[::1]1"), "after the brackets"},
        {SLICE("::1]"), "IPv6"},
        {SLICE(":::"), "IPv6"},
        {SLICE("a:b:1"), "with one colon, or an IPv6 address"},
        {SLICE("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"), "IPv6"},
        {SLICE("1.2.3.4.5"), "an IPv4 address"},
        {SLICE("300.1.1.1"), "an IPv4 address"},
        {SLICE("1.2.3"), "an IPv4 address"},
        {SLICE("11211"), "host:port or :port, such as localhost:11211"},
        {SLICE("99999"), "host:port or :port"},
        {SLICE("1..2"), "an IPv4 address"},
        {SLICE("1.2.3.4."), "an IPv4 address"},
        {SLICE("."), "an IPv4 address"},
        {SLICE("a..b"), "a host name"},
        {SLICE(".a"), "a host name"},
        {SLICE("a.."), "a host name"},
        {SLICE("-a"), "a host name"},
        {SLICE("a-.b"), "a host name"},
        {SLICE("a!b"), "a host name"},
        {SLICE("a%b"), "a host name"},
        {SLICE("user@host"), "without a user"},
        {SLICE("user:word@host:11211"), "without a user"},
        {SLICE("\xc3\xa4.example"), "a host name"},
        {SLICE("a b:1"), "without blanks"},
        {SLICE(" a"), "without blanks"},
        {SLICE("a\n"), "without blanks"},
        {SLICE("a\x7f"), "without blanks"},
        {SLICE("a\0b"), "without blanks"},
        {SLICE("/a\0b"), "without blanks"},
        {SLICE("/a\xff"), "without blanks"},
        {SLICE("http://x"), "without a scheme"},
        {SLICE("tcp://1.2.3.4:5"), "without a scheme"},
        {SLICE("dns+x:1"), "dns+ and dnssrv+ are for configured addresses alone"},
        {SLICE("dnssrv+_memcached._tcp.x"), "dns+ and dnssrv+ are for configured addresses alone"},
        {SLICE("unix:"), "a path after unix:"},
        {SLICE("unix:99999"), "a port from 1 to 65535"},
        {SLICE("cache:11211/"), "a slash"},
        {SLICE("[::1]:11211/x"), "a slash"},
    };
    struct address address;
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *expected = address_parse(&address, cases[i].text, 11211);
        if (!expected || !strstr(expected, cases[i].expected))
            fail_msg("'%s': %s", cases[i].text.data, expected ? expected : "was taken");
    }
}

/* The longest that is taken, and one byte more. */
static void test_lengths(void **state)
{
    char text[300];
    (void) state;
    memset(text, 'a', sizeof(text));
    text[63] = '\0';
    assert_string_not_equal(canonical(text, false), "");
    text[63] = 'a';
    text[64] = '\0';
    assert_string_equal(canonical(text, false), "");

    for (size_t dot = 50; dot < 250; dot += 50) text[dot] = '.';
    text[64] = 'a';
    text[253] = '\0';
    assert_string_not_equal(canonical(text, false), "");
    text[253] = 'a';
    text[254] = '\0';
    assert_string_equal(canonical(text, false), "");

    text[0] = '/';
    text[107] = '\0';
    assert_string_not_equal(canonical(text, false), "");
    text[107] = 'a';
    text[108] = '\0';
    assert_string_equal(canonical(text, false), "");
}

/* Read from memory that ends with the text, so that the sanitizer sees one byte too many. */
static void test_reads_no_further_than_the_text(void **state)
{
    static const char whole[] = "[fe80::1%eth0]:11211";
    struct address address;
    (void) state;
    for (size_t len = 1; len < sizeof(whole); len++) {
        char *copy = test_malloc(len);
        memcpy(copy, whole, len);
        const char *expected = address_parse(&address, (struct slice){copy, len}, 1);
        bool complete = len == strlen("[fe80::1%eth0]") || len > strlen("[fe80::1%eth0]:");
        assert_int_equal(expected == NULL, complete);
        test_free(copy);
    }
}

static void test_listen(void **state)
{
    struct address address;
    union endpoint endpoint;
    (void) state;
    assert_string_equal(canonical(":9150", true), ":9150");
    assert_string_equal(canonical(":0", true), ":0");
    assert_string_equal(canonical("localhost:0", true), "localhost:0");
    assert_string_equal(canonical("[::]:0", true), "[::]:0");
    assert_string_equal(canonical("0.0.0.0", true), "0.0.0.0:9150");
    assert_string_equal(canonical("/run/web.sock", true), "unix:/run/web.sock");
    assert_string_equal(canonical(":65536", true), "");
    assert_string_equal(canonical(":", true), "");
    assert_string_equal(canonical("", true), "");
    assert_string_equal(address_parse_listen(&address, SLICE("a:x"), 1), "a port from 0 to 65535");

    assert_null(address_parse_listen(&address, SLICE(":9150"), 1));
    assert_int_equal(address.kind, ADDRESS_NAME);
    assert_string_equal(address.host, "");
    assert_false(address_endpoint(&address, &endpoint));
}

static void endpoint_of(const char *text, union endpoint *endpoint)
{
    struct address address;
    assert_null(address_parse(&address, slice_of(text), 11211));
    assert_true(address_endpoint(&address, endpoint));
}

static void test_endpoints(void **state)
{
    union endpoint endpoint;
    struct address address;
    (void) state;
    endpoint_of("1.2.3.4:5", &endpoint);
    assert_int_equal(endpoint.any.sa_family, AF_INET);
    assert_int_equal(endpoint.v4.sin_addr.s_addr, htonl(0x01020304));
    assert_int_equal(endpoint.v4.sin_port, htons(5));

    endpoint_of("[::1]:5", &endpoint);
    assert_int_equal(endpoint.any.sa_family, AF_INET6);
    assert_memory_equal(&endpoint.v6.sin6_addr, &in6addr_loopback, 16);
    assert_int_equal(endpoint.v6.sin6_port, htons(5));
    assert_int_equal(endpoint.v6.sin6_scope_id, 0);

    endpoint_of("/run/x", &endpoint);
    assert_int_equal(endpoint.any.sa_family, AF_UNIX);
    assert_string_equal(endpoint.local.sun_path, "/run/x");

    assert_null(address_parse(&address, SLICE("name:5"), 1));
    assert_false(address_endpoint(&address, &endpoint));
}

static void test_zones(void **state)
{
    union endpoint endpoint;
    (void) state;
    endpoint_of("[fe80::1%lo]:5", &endpoint);
    assert_int_equal(endpoint.v6.sin6_scope_id, if_nametoindex("lo"));
    endpoint_of("[fe80::1%4711]:5", &endpoint);
    assert_int_equal(endpoint.v6.sin6_scope_id, 4711);
    endpoint_of("[fe80::1%nosuch]:5", &endpoint);
    assert_int_equal(endpoint.v6.sin6_scope_id, 0);
}

static void check_format(const char *text, uint16_t port, const char *expected)
{
    union endpoint endpoint;
    struct buffer out;
    endpoint_of(text, &endpoint);
    if (port) endpoint_set_port(&endpoint, port);
    buffer_init(&out, 512);
    endpoint_format(&endpoint, &out);
    assert_true(slice_is(buffer_slice(&out), expected));
    buffer_deinit(&out);
}

static void test_endpoint_format(void **state)
{
    (void) state;
    check_format("1.2.3.4:5", 0, "1.2.3.4:5");
    check_format("1.2.3.4:5", 65535, "1.2.3.4:65535");
    check_format("[2001:DB8::1]:5", 7, "[2001:db8::1]:7");
    check_format("[fe80::1%lo]:5", 0, "[fe80::1%lo]:5");
    check_format("[fe80::1%4711]:5", 0, "[fe80::1%4711]:5");
    check_format("/run/x", 0, "unix:/run/x");
    check_format("/run/x", 9, "unix:/run/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_is_read_back_is_equal),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_named_port),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_reads_no_further_than_the_text),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_endpoint_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
