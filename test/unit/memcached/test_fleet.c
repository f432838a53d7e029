/* Which targets share the client of a server, under which policy, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"
#include "loop.h"

#include <malloc.h>

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
    struct profile *profile = profile_new(~0u, UINT64_MAX, policy);
    struct target *target = target_new(world->fleet, &address, profile, slice_of(text), SLICE(""));
    assert_non_null(target);
    profile_release(profile);
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

/* A policy that denies what the rule says; the caller releases it. */
static struct policy *deny(const char *text)
{
    struct policy *policy = policy_new();
    struct policy_rule rule;
    assert_non_null(policy);
    assert_null(policy_rule_parse(&rule, slice_of(text)));
    assert_true(policy_add(&policy->deny, &rule));
    return policy;
}

/* A connection that was made under one policy is nothing for another. */
static void test_one_client_for_one_policy(void **state)
{
    struct fleet_world *world = *state;
    struct policy *strict = deny("10.0.0.0/8");
    struct target *open = make(world, "cache-1", policy_none()),
                  *again = make(world, "cache-1", policy_none());
    struct target *closed = make(world, "cache-1", strict);
    assert_ptr_equal(open->client, again->client);
    assert_ptr_not_equal(open->client, closed->client);
    assert_ptr_equal(closed->client->key.profile->policy, strict);
    assert_string_equal(open->client->key.name, closed->client->key.name);
    target_release(open);
    target_release(again);
    target_release(closed);
    /* The unused client holds it until it is closed itself. */
    policy_release(strict);
    closed = make(world, "cache-1", strict);
    assert_ptr_equal(closed->client->key.profile->policy, strict);
    target_release(closed);
}

/* As after a reload that changes nothing: what was made before serves on. */
static void test_policies_are_compared_by_their_rules(void **state)
{
    struct fleet_world *world = *state;
    struct policy *before = deny("10.0.0.0/8"), *same = deny("10.0.0.0/8"), *other = deny("10.0.0.0/9");
    struct target *first = make(world, "cache-1", before), *second = make(world, "cache-1", same);
    struct target *third = make(world, "cache-1", other);
    assert_ptr_equal(first->client, second->client);
    assert_ptr_not_equal(first->client, third->client);
    target_release(first);
    target_release(second);
    target_release(third);
    policy_release(before);
    policy_release(same);
    policy_release(other);
}

/* What is asked, and for how long, is the target's; the connection is the server's. */
static void test_one_client_for_targets_that_ask_otherwise(void **state)
{
    struct fleet_world *world = *state;
    struct address address = world_address("cache-1");
    struct profile *hasty = profile_new(COMMAND_BIT(COMMAND_ITEMS), 50, NULL);
    struct target *other = target_new(world->fleet, &address, hasty, SLICE("cache-1"), SLICE(""));
    struct target *target = make(world, "cache-1", NULL);
    assert_ptr_equal(target->client, other->client);
    assert_ptr_equal(other->profile, hasty);
    assert_int_equal(hasty->references, 3);
    target_release(other);
    assert_int_equal(hasty->references, 2);
    target_release(target);
    profile_release(hasty);
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
    assert_null(named->client->key.profile->policy);
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

static unsigned trims;

/* In place of that of the C library. */
int malloc_trim(size_t pad)
{
    (void) pad;
    trims++;
    return 0;
}

/* Once, when no fan-out comes any more. */
static void test_memory_is_returned_when_idle(void **state)
{
    struct fleet_world *world = *state;
    trims = 0;
    fleet_begin_fan_out(world->fleet);
    fleet_begin_fan_out(world->fleet);
    fleet_end_fan_out(world->fleet);
    loop_run_for(&world->loop, 3 * FLEET_IDLE_MS);
    assert_int_equal(trims, 0);
    fleet_end_fan_out(world->fleet);
    fleet_begin_fan_out(world->fleet);
    loop_run_for(&world->loop, 3 * FLEET_IDLE_MS);
    assert_int_equal(trims, 0);
    fleet_end_fan_out(world->fleet);
    loop_run_until_count(&world->loop, &trims, 1);
    loop_run_for(&world->loop, 3 * FLEET_IDLE_MS);
    assert_int_equal(trims, 1);
    fleet_begin_fan_out(world->fleet);
    fleet_end_fan_out(world->fleet); /* the fleet may be closed before that */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_is_returned_when_idle, setup, teardown),
        TEST(test_one_client_for_one_address),
        TEST(test_one_client_for_one_policy),
        TEST(test_policies_are_compared_by_their_rules),
        TEST(test_one_client_for_targets_that_ask_otherwise),
        TEST(test_configured_servers_are_shared_under_any_policy),
        TEST(test_policies_end_with_their_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
