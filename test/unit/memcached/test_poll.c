#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"
#include "memcached/poll.h"

/* One who waits. */
struct waiter {
    struct poll poll;
    struct snapshot *snapshot;
    unsigned done;
};

static void on_done(struct poll *poll, struct snapshot *snapshot)
{
    struct waiter *waiter = (struct waiter *) poll;
    waiter->snapshot = snapshot;
    waiter->done++;
}

static int setup(void **state)
{
    struct fleet_world *world = malloc(sizeof(*world));
    fleet_world_open(world);
    world_add_server(world, 0);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fleet_world_close(*state);
    free(*state);
    return 0;
}

static void start(struct fleet_world *world, struct waiter *waiter)
{
    *waiter = (struct waiter){0};
    poll_init(&waiter->poll);
    assert_int_equal(poll_start(&waiter->poll, world->targets.items[0]->client, WORLD_COMMANDS, on_done), 0);
}

static void give_up(struct waiter *waiter)
{
    struct snapshot *snapshot = poll_give_up(&waiter->poll);
    assert_string_equal(target_state_name(snapshot->state), "timeout");
    snapshot_release(snapshot);
}

static void expect_up(struct fleet_world *world, struct waiter *waiter)
{
    loop_run_until_count(&world->loop, &waiter->done, 1);
    assert_string_equal(target_state_name(waiter->snapshot->state), "up");
    snapshot_release(waiter->snapshot);
}

static void wait_for_requests(struct fleet_world *world, unsigned count)
{
    loop_run_until_count(&world->loop, &world->servers[0].requests, count);
}

static void test_a_young_poll_is_joined(void **state)
{
    struct fleet_world *world = *state;
    struct waiter first, second;
    start(world, &first);
    start(world, &second);
    expect_up(world, &first);
    expect_up(world, &second);
    assert_int_equal(world->servers[0].requests, 1);
}

/* Its connection is dead: who asks late is asked for on a new one, as soon as the first waiter gives up. */
static void test_an_old_poll_is_not_joined(void **state)
{
    struct fleet_world *world = *state;
    struct waiter first, late;
    world->servers[0].reply = NULL;
    start(world, &first);
    wait_for_requests(world, 1);
    loop_run_for(&world->loop, POLL_YOUNG_MS + 50);
    start(world, &late);
    world->servers[0].reply = WORLD_REPLY;
    give_up(&first);
    expect_up(world, &late);
    assert_int_equal(world->servers[0].accepted, 2);
}

/* A poll that somebody has given up begins anew for the next one who asks, and for who waits for it still. */
static void test_a_poll_that_was_given_up_is_not_joined(void **state)
{
    struct fleet_world *world = *state;
    struct waiter hasty, patient, next;
    world->servers[0].reply = NULL;
    start(world, &hasty);
    start(world, &patient);
    wait_for_requests(world, 1);
    give_up(&hasty);
    world->servers[0].reply = WORLD_REPLY;
    start(world, &next);
    expect_up(world, &next);
    expect_up(world, &patient);
    assert_int_equal(world->servers[0].accepted, 2);
}

/* Else one who is patient would never get an answer that takes a while. */
static void test_a_poll_begins_anew_only_once(void **state)
{
    struct fleet_world *world = *state;
    struct waiter patient, others[3];
    world->servers[0].reply = NULL;
    start(world, &patient);
    for (unsigned n = 0; n < 3; n++) {
        start(world, &others[n]);
        wait_for_requests(world, n ? 2 : 1);
        give_up(&others[n]);
    }
    loop_run_for(&world->loop, 50);
    assert_int_equal(world->servers[0].requests, 2);
    assert_int_equal(world->servers[0].accepted, 2);
    give_up(&patient);
}

/* Bytes have come: the server is slow, and the connection alive. */
static void test_a_slow_answer_is_waited_for(void **state)
{
    struct fleet_world *world = *state;
    struct waiter hasty, patient, next;
    world->servers[0].reply_len = 10;
    start(world, &hasty);
    start(world, &patient);
    wait_for_requests(world, 1);
    loop_run_for(&world->loop, 50);
    give_up(&hasty);
    start(world, &next);
    loop_run_for(&world->loop, 50);
    world->servers[0].reply_len = 0;
    uv_buf_t rest = uv_buf_init((char *) (uintptr_t) &WORLD_REPLY[10], (unsigned) strlen(WORLD_REPLY) - 10);
    uv_try_write((uv_stream_t *) &world->servers[0].connections[0].tcp, &rest, 1);
    expect_up(world, &patient);
    expect_up(world, &next);
    assert_int_equal(world->servers[0].accepted, 1);
    assert_int_equal(world->servers[0].requests, 2);
}

/* One who gives up another that is about to hear of the same poll. */
struct rival {
    struct waiter waiter;
    struct waiter *other;
    struct snapshot *taken; /* from the other */
};

static void on_rival_done(struct poll *poll, struct snapshot *snapshot)
{
    struct rival *rival = (struct rival *) poll;
    rival->taken = poll_give_up(&rival->other->poll);
    on_done(poll, snapshot);
}

static void test_one_is_given_up_while_the_poll_is_told(void **state)
{
    struct fleet_world *world = *state;
    struct rival rival = {0};
    struct waiter other;
    poll_init(&rival.waiter.poll);
    rival.other = &other;
    assert_int_equal(
        poll_start(&rival.waiter.poll, world->targets.items[0]->client, WORLD_COMMANDS, on_rival_done), 0);
    start(world, &other);
    expect_up(world, &rival.waiter);
    loop_run_for(&world->loop, 20);
    assert_int_equal(other.done, 0);
    assert_int_equal(rival.taken->state, TARGET_UP);
    assert_int_equal(rival.taken->references, 1);
    snapshot_release(rival.taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_given_up_while_the_poll_is_told),
        TEST(test_a_young_poll_is_joined),
        TEST(test_an_old_poll_is_not_joined),
        TEST(test_a_poll_that_was_given_up_is_not_joined),
        TEST(test_a_poll_begins_anew_only_once),
        TEST(test_a_slow_answer_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
