#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/network.h"

#include <arpa/inet.h>

static struct network network_of(const char *prefix, unsigned bits)
{
    struct network network = {.bits = bits};
    struct in_addr v4;
    if (inet_pton(AF_INET, prefix, &v4) == 1)
        network = (struct network){network_map_v4(v4), NETWORK_MAPPED_BITS + bits};
    else
        assert_int_equal(inet_pton(AF_INET6, prefix, &network.prefix), 1);
    return network;
}

static void test_bits_are_counted_exactly(void **state)
{
    struct network network = network_of("10.128.0.0", 9);
    struct in6_addr inside = network_of("10.255.255.255", 32).prefix,
                    outside = network_of("10.127.0.0", 32).prefix;
    (void) state;
    assert_true(network_has(&network, &inside));
    assert_false(network_has(&network, &outside));
    network = network_of("::", 0);
    assert_false(network_has(&network, &inside)); /* IPv4 has no part of it */
}

static void test_counterparts_are_mutual(void **state)
{
    static const struct {
        const char *prefix;
        unsigned bits;
        const char *other;
    } rows[] = {{"127.0.0.0", 8, "::1"},
                {"0.0.0.0", 0, "::"},
                {"169.254.0.0", 16, "fe80::"},
                {"224.0.0.0", 4, "ff00::"}};
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        struct network network = network_of(rows[n].prefix, rows[n].bits);
        const struct network *other = network_counterpart(&network);
        char text[INET6_ADDRSTRLEN];
        assert_non_null(other);
        assert_string_equal(inet_ntop(AF_INET6, &other->prefix, text, sizeof(text)), rows[n].other);
        assert_true(network_equal(network_counterpart(other), &network));
    }
    struct network plain = network_of("10.0.0.0", 8);
    assert_null(network_counterpart(&plain));
}

static void test_lists_have_their_names(void **state)
{
    static const char *const names[] = {"private", "loopback", "link-local", "metadata"};
    (void) state;
    for (size_t n = 0; n < 4; n++) assert_string_equal(network_list_find(slice_of(names[n]))->name, names[n]);
    assert_null(network_list_find(SLICE("multicast")));
    assert_null(network_list_find(SLICE("")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_are_counted_exactly),
        cmocka_unit_test(test_counterparts_are_mutual),
        cmocka_unit_test(test_lists_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
