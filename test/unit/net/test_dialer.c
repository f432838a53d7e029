#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_server.h"
#include "fake_server.h"
#include "loop.h"
#include "net/dialer.h"

#include <stdio.h>
#include <stdlib.h>

struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct resolver *resolver;
    struct limiter limiter;
    struct address address;
    struct stream stream;
    struct dialer dialer;
    bool done, closed, cancelled, resolver_closed;
    int status;
    char why[POLICY_WHY_MAX];
};

static void make_dialer(struct world *world, const char *host, int port)
{
    char text[128];
    snprintf(text, sizeof(text), "%s:%d", host, port);
    assert_null(address_parse(&world->address, slice_of(text), 1));
    stream_init(&world->stream, &world->loop);
    dialer_init(&world->dialer, &world->loop, world->resolver, &world->limiter, &world->address,
                &world->stream);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    loop_open(&world->loop);
    fake_server_start(&world->server, &world->loop);
    limiter_init(&world->limiter, 1);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    make_dialer(world, "127.0.0.1", world->server.port);
    *state = world;
    return 0;
}

static void on_resolver_closed(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    fake_server_stop(&world->server);
    resolver_close(world->resolver, on_resolver_closed, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    loop_close(&world->loop);
    assert_int_equal(world->limiter.inside, 0);
    free(world);
    return 0;
}

static struct world *world_of(struct dialer *dialer)
{
    return (struct world *) ((char *) dialer - offsetof(struct world, dialer));
}

static void on_done(struct dialer *dialer, int status, const char *why)
{
    struct world *world = world_of(dialer);
    assert_false(world->done);
    assert_int_equal(why == NULL, status == 0);
    world->done = true;
    world->status = status;
    snprintf(world->why, sizeof(world->why), "%s", why ? why : "");
}

static void on_cancelled(struct dialer *dialer)
{
    world_of(dialer)->cancelled = true;
}

static void on_closed(struct stream *stream)
{
    struct world *world = (struct world *) ((char *) stream - offsetof(struct world, stream));
    world->closed = true;
}

static int dial(struct world *world)
{
    world->done = false;
    dialer_start(&world->dialer, on_done);
    assert_false(world->done);
    loop_run_until(&world->loop, &world->done);
    return world->status;
}

static void hang_up(struct world *world)
{
    world->closed = false;
    stream_close(&world->stream, on_closed);
    loop_run_until(&world->loop, &world->closed);
}

static void test_connects_again_and_again(void **state)
{
    struct world *world = *state;
    for (unsigned n = 1; n <= 3; n++) {
        assert_int_equal(dial(world), 0);
        hang_up(world);
        loop_run_until_count(&world->loop, &world->server.accepted, n);
    }
}

static void test_refused(void **state)
{
    struct world *world = *state;
    make_dialer(world, "127.0.0.1", 1);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
}

/* The server listens on 127.0.0.1 only; whichever address of localhost comes first, the other is tried. */
static void test_tries_every_address_and_sticks_to_the_one_that_answers(void **state)
{
    struct world *world = *state;
    make_dialer(world, "localhost", world->server.port);
    assert_int_equal(dial(world), 0);
    assert_int_equal(world->dialer.favourite.any.sa_family, AF_INET);
    hang_up(world);
    assert_int_equal(dial(world), 0);
    assert_int_equal(world->dialer.tried, 0);
    hang_up(world);
}

/* Sets a policy that denies what the rules say. */
static void deny(struct world *world, const char *first, const char *second)
{
    const char *const texts[] = {first, second};
    world->dialer.policy = policy_new();
    for (size_t n = 0; n < 2 && texts[n]; n++) {
        struct policy_rule rule;
        assert_null(policy_rule_parse(&rule, slice_of(texts[n])));
        assert_true(policy_add(&world->dialer.policy->deny, &rule));
    }
}

static void test_passes_over_what_the_policy_forbids(void **state)
{
    struct world *world = *state;
    make_dialer(world, "localhost", world->server.port);
    deny(world, "::1", NULL);
    assert_int_equal(dial(world), 0);
    assert_int_equal(world->dialer.count, 1);
    assert_int_equal(world->dialer.tried, 0);
    hang_up(world);
    loop_run_until_count(&world->loop, &world->server.accepted, 1);

    /* The one that would answer, and did before, is the forbidden one. */
    policy_release(world->dialer.policy);
    deny(world, "127.0.0.0/8", NULL);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(world->dialer.count, 1);

    /* The favourite has its place among those that are left. */
    world->dialer.favourite.v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(world->dialer.current, 0);
    assert_int_equal(world->dialer.endpoints[0].any.sa_family, AF_INET6);
    policy_release(world->dialer.policy);
    assert_int_equal(world->server.accepted, 1);
}

static void test_all_is_forbidden(void **state)
{
    struct world *world = *state;
    char expected[POLICY_WHY_MAX];
    make_dialer(world, "localhost", world->server.port);
    deny(world, "::1", "127.0.0.0/8");
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(dial(world), DIALER_FORBIDDEN);
        assert_true(slice_starts(slice_of(world->why), "scrape_policy denies "));
    }
    loop_run_for(&world->loop, 20);
    assert_int_equal(world->server.accepted, 0);
    policy_release(world->dialer.policy);

    /* A server that cannot be resolved is not forbidden. */
    make_dialer(world, "nowhere.invalid", 1);
    deny(world, "0.0.0.0/0", "::/0");
    assert_int_equal(dial(world), UV_EAI_NONAME);
    policy_release(world->dialer.policy);

    /* The port that is judged is the one that was asked for. */
    make_dialer(world, "localhost", world->server.port);
    snprintf(expected, sizeof(expected), "127.0.0.0/8:%d", world->server.port);
    deny(world, expected, "[::1]:1");
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(world->dialer.count, 1);
    policy_release(world->dialer.policy);
}

static void test_unknown_name(void **state)
{
    struct world *world = *state;
    make_dialer(world, "nowhere.invalid", 1);
    assert_int_equal(dial(world), UV_EAI_NONAME);
}

static void test_missing_socket_file(void **state)
{
    struct world *world = *state;
    assert_null(address_parse(&world->address, SLICE("/nonexistent/memcached.sock"), 1));
    assert_int_equal(dial(world), UV_ENOENT);
}

static void test_cancel_at_every_turn(void **state)
{
    struct world *world = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "nowhere.invalid", "localhost"};
    deny(world, "::1", "127.0.0.0/8");
    struct policy *forbids = world->dialer.policy;
    for (size_t host = 0; host < 4; host++) {
        for (unsigned turns = 0; turns < 8; turns++) {
            make_dialer(world, hosts[host], world->server.port);
            if (host == 3) world->dialer.policy = forbids;
            world->done = world->cancelled = false;
            dialer_start(&world->dialer, on_done);
            loop_turn(&world->loop, turns);
            if (world->done && world->status == 0) hang_up(world);
            if (world->done) continue;
            dialer_cancel(&world->dialer, on_cancelled);
            loop_run_until(&world->loop, &world->cancelled);
            assert_false(world->done);
            assert_int_equal(world->limiter.inside, 0);
        }
    }
    policy_release(forbids);
}

static struct dns_server names;

/* From here on the world has a name server; "cache.test" is 127.0.0.<octet>. */
static void serve_names(struct world *world, unsigned octet)
{
    char servers[32];
    resolver_close(world->resolver, on_resolver_closed, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    world->resolver_closed = false;
    dns_server_start(&names, &world->loop, "127.0.0.1", 0);
    names.last_octet = octet;
    names.ttl = 3600;
    snprintf(servers, sizeof(servers), "127.0.0.1:%d", names.port);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, servers), 0);
    make_dialer(world, "cache.test", world->server.port);
}

static void on_known(struct lookup *lookup, const union endpoint *endpoints, size_t count, const char *error)
{
    (void) endpoints;
    (void) error;
    assert_int_equal(count, 1);
    lookup->on_done = NULL;
}

/* Nobody listens at 127.0.0.7. Makes the resolver know an address of the name that is dead by now. */
static void know_the_old_address(struct world *world)
{
    struct lookup lookup;
    lookup_init(&lookup);
    assert_int_equal(resolver_lookup(world->resolver, &lookup, "cache.test", on_known), 0);
    while (lookup.on_done) loop_run_for(&world->loop, 1);
    loop_run_for(&world->loop, 150);
}

static void test_a_dead_address_is_asked_for_in_the_same_attempt(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    know_the_old_address(world);
    names.last_octet = 1;
    assert_int_equal(dial(world), 0);
    assert_int_equal(names.packets, 4);
    assert_false(dialer_has_moved(&world->dialer));
    hang_up(world);
    dns_server_stop(&names);
}

static void test_a_dead_address_that_is_all_there_is(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    know_the_old_address(world);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(names.packets, 4);
    dns_server_stop(&names);
}

/* The connection is well, but the name leads elsewhere. */
static void test_a_connected_name_moves(void **state)
{
    struct world *world = *state;
    serve_names(world, 1);
    names.ttl = 1;
    assert_int_equal(dial(world), 0);
    names.last_octet = 7;
    dialer_refresh(&world->dialer);
    loop_run_for(&world->loop, 1100);
    assert_int_equal(names.packets, 2);
    assert_false(dialer_has_moved(&world->dialer));
    dialer_refresh(&world->dialer);
    loop_run_until_count(&world->loop, &names.packets, 4);
    for (int n = 0; n < 1000 && !dialer_has_moved(&world->dialer); n++) loop_run_for(&world->loop, 5);
    assert_true(dialer_has_moved(&world->dialer));
    hang_up(world);
    dns_server_stop(&names);
}

static void test_cancel_while_looking_up_again(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    for (unsigned turns = 0; turns < 12; turns++) {
        know_the_old_address(world);
        world->done = world->cancelled = false;
        names.silent_name = "cache";
        dialer_start(&world->dialer, on_done);
        loop_turn(&world->loop, turns);
        if (!world->done) {
            dialer_cancel(&world->dialer, on_cancelled);
            loop_run_until(&world->loop, &world->cancelled);
        }
        names.silent_name = NULL;
    }
    dns_server_stop(&names);
}

static void on_other_enters(struct limiter_ticket *ticket)
{
    (void) ticket;
}

static void test_cancel_while_waiting_at_the_limiter(void **state)
{
    struct world *world = *state;
    struct limiter_ticket other;
    limiter_ticket_init(&other);
    limiter_enter(&world->limiter, &other, on_other_enters);
    dialer_start(&world->dialer, on_done);
    loop_run_for(&world->loop, 20);
    assert_int_equal(world->dialer.phase, DIALER_QUEUED);
    dialer_cancel(&world->dialer, on_cancelled);
    limiter_leave(&world->limiter, &other);
    loop_run_until(&world->loop, &world->cancelled);
    assert_int_equal(world->server.accepted, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connects_again_and_again),
        TEST(test_refused),
        TEST(test_tries_every_address_and_sticks_to_the_one_that_answers),
        TEST(test_passes_over_what_the_policy_forbids),
        TEST(test_all_is_forbidden),
        TEST(test_unknown_name),
        TEST(test_missing_socket_file),
        TEST(test_cancel_at_every_turn),
        TEST(test_cancel_while_waiting_at_the_limiter),
        TEST(test_a_dead_address_is_asked_for_in_the_same_attempt),
        TEST(test_a_dead_address_that_is_all_there_is),
        TEST(test_a_connected_name_moves),
        TEST(test_cancel_while_looking_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
