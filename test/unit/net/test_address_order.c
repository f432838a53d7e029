#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"
#include "net/address_order.h"
#include "net/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Routes of a host that is not this one: pairs of an address and its source. NULL: those of this host. */
static const char *const (*routes)[2];
static bool has_no_memory;

static union endpoint endpoint_of(const char *text)
{
    struct address address;
    union endpoint endpoint;
    assert_null(address_parse(&address, slice_of(text), 1));
    assert_true(address_endpoint(&address, &endpoint));
    return endpoint;
}

bool __real_route_source(const union endpoint *endpoint, union endpoint *source);
bool __wrap_route_source(const union endpoint *endpoint, union endpoint *source);
bool __wrap_route_source(const union endpoint *endpoint, union endpoint *source)
{
    if (!routes) return __real_route_source(endpoint, source);
    for (size_t n = 0; routes[n][0]; n++) {
        union endpoint known = endpoint_of(routes[n][0]);
        if (memcmp(&known, endpoint, sizeof(known)) != 0) continue;
        *source = endpoint_of(routes[n][1]);
        return true;
    }
    return false;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return has_no_memory ? NULL : __real_calloc(count, size);
}

/* The addresses after the sort, joined by blanks; the port, which is 0, left out. */
static const char *ordered(const char *list)
{
    static char all[512];
    union endpoint endpoints[8];
    size_t count = 0;
    struct buffer out;
    for (struct slice rest = slice_of(list); rest.data;) {
        struct address address;
        assert_null(address_parse(&address, slice_cut(&rest, ' '), 1));
        assert_true(address_endpoint(&address, &endpoints[count++]));
    }
    address_order(endpoints, count);
    buffer_init(&out, sizeof(all));
    for (size_t i = 0; i < count; i++) {
        if (i) buffer_append_char(&out, ' ');
        endpoint_format(&endpoints[i], &out);
    }
    snprintf(all, sizeof(all), "%.*s", SLICE_ARG(buffer_slice(&out)));
    buffer_deinit(&out);
    return all;
}

static void test_ipv6_first(void **state)
{
    (void) state;
    assert_string_equal(ordered("127.0.0.1 ::1"), "[::1]:1 127.0.0.1:1");
    assert_string_equal(ordered("::1 127.0.0.1"), "[::1]:1 127.0.0.1:1");
}

/*
 * Broadcast is forbidden to a socket that does not ask for it; a link-local address without its link is
 * nowhere.
 */
static void test_unreachable_last(void **state)
{
    (void) state;
    assert_string_equal(ordered("255.255.255.255 127.0.0.1"), "127.0.0.1:1 255.255.255.255:1");
    assert_string_equal(ordered("fe80::1 127.0.0.1"), "127.0.0.1:1 [fe80::1]:1");
}

static void test_equal_ones_keep_their_order(void **state)
{
    (void) state;
    assert_string_equal(ordered("127.0.0.3 127.0.0.1 127.0.0.2"), "127.0.0.3:1 127.0.0.1:1 127.0.0.2:1");
    assert_string_equal(ordered("127.0.0.3"), "127.0.0.3:1");
}

/* The rules of RFC 6724, section 6, on the examples of its section 10 and others. */
static void test_rules(void **state)
{
    static const struct {
        const char *const routes[4][2];
        const char *before, *after;
    } rows[] = {
        {{{"2001:db8:1::1", "2001:db8:1::2"}, {"198.51.100.121", "169.254.13.78"}},
         "198.51.100.121 2001:db8:1::1",
         "[2001:db8:1::1]:1 198.51.100.121:1"},
        {{{"2001:db8:1::1", "fe80::1"}, {"198.51.100.121", "198.51.100.117"}},
         "2001:db8:1::1 198.51.100.121",
         "198.51.100.121:1 [2001:db8:1::1]:1"},
        {{{"2001:db8:1::1", "2001:db8:1::2"}, {"10.1.2.3", "10.1.2.4"}},
         "10.1.2.3 2001:db8:1::1",
         "[2001:db8:1::1]:1 10.1.2.3:1"},
        {{{"2002:c633:6401::1", "2002:c633:6401::2"}, {"2001:db8:1::1", "2002:c633:6401::2"}},
         "2001:db8:1::1 2002:c633:6401::1",
         "[2002:c633:6401::1]:1 [2001:db8:1::1]:1"},
        {{{"2001:db8:3ffe::1", "2001:db8:3f44::2"}, {"2001:db8:1::1", "2001:db8:1::2"}},
         "2001:db8:3ffe::1 2001:db8:1::1",
         "[2001:db8:1::1]:1 [2001:db8:3ffe::1]:1"},
        {{{"fec0::1", "fec0::2"}, {"2001:db8:1::1", "2001:db8:1::2"}},
         "fec0::1 2001:db8:1::1",
         "[2001:db8:1::1]:1 [fec0::1]:1"},
        {{{"fd00::1", "fd00::2"}, {"2001:db8:1::1", "2001:db8:1::2"}},
         "fd00::1 2001:db8:1::1",
         "[2001:db8:1::1]:1 [fd00::1]:1"},
        {{{"169.254.1.1", "169.254.1.2"}, {"10.1.2.3", "10.1.2.4"}},
         "10.1.2.3 169.254.1.1",
         "169.254.1.1:1 10.1.2.3:1"},
        {{{"10.1.2.3", "10.1.2.4"}}, "2001:db8:1::1 10.1.2.3", "10.1.2.3:1 [2001:db8:1::1]:1"},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        routes = rows[n].routes;
        assert_string_equal(ordered(rows[n].before), rows[n].after);
    }
    routes = NULL;
}

static void test_without_memory_the_order_stays(void **state)
{
    (void) state;
    has_no_memory = true;
    const char *got = ordered("127.0.0.1 ::1");
    has_no_memory = false;
    assert_string_equal(got, "127.0.0.1:1 [::1]:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv6_first),
        cmocka_unit_test(test_unreachable_last),
        cmocka_unit_test(test_equal_ones_keep_their_order),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_without_memory_the_order_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
