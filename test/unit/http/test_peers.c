/* Who is one peer, how many connections it has, and who is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/peers.h"

#include "base/container.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct peers peers;

static int start(void **state)
{
    (void) state;
    peers_init(&peers);
    return 0;
}

static int stop(void **state)
{
    (void) state;
    peers_deinit(&peers);
    return 0;
}

static struct peer *enter(const char *address)
{
    union endpoint endpoint;
    memset(&endpoint, 0, sizeof(endpoint));
    if (address[0] == '/') {
        endpoint.any.sa_family = AF_UNIX;
    } else if (sscanf(address, "vsock %u", &endpoint.vm.svm_cid) == 1) {
        endpoint.any.sa_family = AF_VSOCK;
    } else if (strchr(address, ':')) {
        endpoint.any.sa_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, address, &endpoint.v6.sin6_addr), 1);
    } else {
        endpoint.any.sa_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, address, &endpoint.v4.sin_addr), 1);
    }
    return peers_enter(&peers, &endpoint);
}

static void test_who_is_one_peer(void **state)
{
    (void) state;
    static const struct {
        const char *one, *other;
        bool same;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"/run/one", "/run/other", true},
        {"vsock 3", "vsock 3", true},
        {"vsock 3", "vsock 4", false},
        {"vsock 3", "/run/one", false},
        {"/run/one", "10.0.0.1", false},
        {"::", "0.0.0.0", false},
        {"::", "/run/one", false},
    };
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct peer *one = enter(rows[n].one), *other = enter(rows[n].other);
        if ((one == other) != rows[n].same) fail_msg("row %zu", n);
        assert_int_equal(one->open, rows[n].same ? 2 : 1);
        peers_leave(&peers, one);
        peers_leave(&peers, other);
    }
}

static bool reads(const char *address, uint64_t now_ms)
{
    struct peer *peer = enter(address);
    peers_note_reader(&peers, peer, now_ms);
    bool regular = peer_is_regular(peer);
    peers_leave(&peers, peer);
    return regular;
}

/* Those that came first, as long as they come; they are remembered without a connection. */
static void test_regular_peers(void **state)
{
    (void) state;
    char address[32];
    struct peer *first = enter("10.0.0.0");
    assert_false(peer_is_regular(first));
    peers_note_reader(&peers, first, 0);
    peers_leave(&peers, first);
    for (unsigned n = 1; n < 50; n++) {
        snprintf(address, sizeof(address), "10.0.0.%u", n);
        assert_int_equal(reads(address, 1000 + n), n < PEERS_REGULAR_MAX);
    }
    assert_int_equal(peers.regular_count, PEERS_REGULAR_MAX);
    assert_ptr_equal(enter("10.0.0.0"), first);
    assert_true(peer_is_regular(first));
    peers_leave(&peers, first);

    /* The second has not come for longest, since the first has come again. */
    assert_true(reads("10.0.0.0", 2000));
    assert_false(reads("10.0.1.1", 1000 + PEERS_REGULAR_MS));
    assert_true(reads("10.0.1.1", 1001 + PEERS_REGULAR_MS));
    assert_false(reads("10.0.0.1", 1001 + PEERS_REGULAR_MS));
    assert_true(reads("10.0.0.0", 1001 + PEERS_REGULAR_MS));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_one_peer),
        TEST(test_regular_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
