/* Which targets share the client of a server, under which policy, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"

static int setup(void **state)
{
    struct fleet_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    fleet_world_open(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fleet_world_close(*state);
    free(*state);
    return 0;
}

static struct target *make(struct fleet_world *world, const char *text, struct policy *policy)
{
    struct address address = world_address(text);
    struct target *target = target_new(world->fleet, &address, policy, slice_of(text), SLICE(""));
    assert_non_null(target);
    return target;
}

static bool has(struct fleet_world *world, const char *text)
{
    struct address address = world_address(text);
    return fleet_has(world->fleet, &address);
}

static void test_one_client_for_one_address(void **state)
{
    struct fleet_world *world = *state;
    struct target *first = make(world, "cache-1", NULL), *second = make(world, "CACHE-1:11211", NULL);
    struct target *other = make(world, "cache-1:11212", NULL);
    assert_ptr_equal(first->client, second->client);
    assert_ptr_not_equal(first->client, other->client);
    target_release(first);
    target_release(second);
    target_release(other);
}

/* A connection that was made under one policy is nothing for another. */
static void test_one_client_for_one_policy(void **state)
{
    struct fleet_world *world = *state;
    struct policy *strict = policy_new();
    struct target *open = make(world, "cache-1", policy_none()),
                  *again = make(world, "cache-1", policy_none());
    struct target *closed = make(world, "cache-1", strict);
    assert_ptr_equal(open->client, again->client);
    assert_ptr_not_equal(open->client, closed->client);
    assert_ptr_equal(closed->client->dialer.policy, strict);
    assert_string_equal(open->client->name, closed->client->name);
    target_release(open);
    target_release(again);
    target_release(closed);
    /* The unused client holds it until it is closed itself. */
    policy_release(strict);
    closed = make(world, "cache-1", strict);
    assert_ptr_equal(closed->client->dialer.policy, strict);
    target_release(closed);
}

static void test_configured_servers_are_shared_under_any_policy(void **state)
{
    struct fleet_world *world = *state;
    struct policy *policy = policy_new();
    struct target *early = make(world, "cache-1", policy);
    assert_false(has(world, "cache-1"));
    struct target *configured = make(world, "cache-1", NULL);
    assert_true(has(world, "cache-1"));
    assert_true(has(world, "Cache-1:11211"));
    assert_false(has(world, "cache-1:1"));
    struct target *named = make(world, "cache-1", policy);
    assert_ptr_equal(named->client, configured->client);
    assert_null(named->client->dialer.policy);
    assert_ptr_not_equal(named->client, early->client);

    /* Who was let in keeps what it has, and nobody is let in any more. */
    target_release(configured);
    assert_false(has(world, "cache-1"));
    struct target *late = make(world, "cache-1", policy);
    assert_ptr_equal(late->client, early->client);
    target_release(late);
    target_release(named);
    target_release(early);
    assert_false(has(world, "cache-1"));
    policy_release(policy);
}

/* Clients that nobody uses are dropped, the oldest first, when there are too many of them. */
static void test_policies_end_with_their_clients(void **state)
{
    struct fleet_world *world = *state;
    struct policy *policy = policy_new();
    target_release(make(world, "cache-1", policy));
    assert_int_equal(policy->references, 2);
    for (unsigned n = 0; n < 8; n++) {
        char text[32];
        snprintf(text, sizeof(text), "other-%u", n);
        target_release(make(world, text, NULL));
    }
    for (unsigned ms = 0; ms < 60000 && policy->references > 1; ms++) loop_run_for(&world->loop, 1);
    assert_int_equal(policy->references, 1);
    policy_release(policy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_client_for_one_address),
        TEST(test_one_client_for_one_policy),
        TEST(test_configured_servers_are_shared_under_any_policy),
        TEST(test_policies_end_with_their_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
