#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"
#include "net/address_order.h"

#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv6_first),
        cmocka_unit_test(test_unreachable_last),
        cmocka_unit_test(test_equal_ones_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
