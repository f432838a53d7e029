/*
 * Which commands a client sends, byte by byte, and who shares a poll with whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "fake_server.h"
#include "loop.h"
#include "memcached/client.h"
#include "memcached/poll.h"

#include <stdio.h>
#include <stdlib.h>

#define EVERY        (COMMAND_BIT(COMMAND_COUNT) - 1)
#define SET(command) (COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_##command))

#define FIRST_BATCH                                                                                          \
    "stats\r\nstats settings\r\nstats items\r\nstats slabs\r\nstats conns\r\nstats detail dump\r\n"          \
    "stats proxy\r\nstats proxyfuncs\r\nstats proxybe\r\n"
#define SECOND_BATCH   "stats sizes\r\nstats extstore\r\n"
#define STATS          "STAT version 1.6.18\r\nSTAT extstore_limit_maxbytes 1\r\nEND\r\n"
#define OTHERS         "END\r\nEND\r\nEND\r\nERROR\r\nEND\r\nERROR\r\nERROR\r\nERROR\r\n"
#define SECOND_REPLIES "STAT 96 1\r\nEND\r\nSTAT 0:bytes 1\r\nEND\r\n"

struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct client_shared shared;
    struct client *client;
    bool stall_closed, resolver_closed;
};

struct waiter {
    struct poll poll;
    struct snapshot *snapshot;
    unsigned done;
};

static void on_done(struct poll *poll, struct snapshot *snapshot)
{
    struct waiter *waiter = container_of(poll, struct waiter, poll);
    assert_true(snapshot->finished);
    waiter->snapshot = snapshot;
    waiter->done++;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct address address;
    char text[64];
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    fake_server_start(&world->server, &world->loop);
    world->server.reply = STATS OTHERS;
    world->server.second_reply = SECOND_REPLIES;
    client_shared_init(&world->shared, &world->loop);
    world->shared.max_reply = 64 * 1024;
    world->shared.max_prefixes = 10;
    world->shared.keep = true;
    limiter_init(&world->shared.limiter, 8);
    assert_int_equal(resolver_new(&world->shared.resolver, &world->loop, "127.0.0.1:1"), 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", world->server.port);
    struct profile *profile = profile_new(~0u, UINT64_MAX, NULL);
    assert_null(address_parse(&address, slice_of(text), 11211));
    world->client = client_new(&world->shared, &address, profile);
    profile_release(profile);
    assert_non_null(world->client);
    *state = world;
    return 0;
}

static void on_stall_closed(struct stall *stall)
{
    container_of(stall, struct world, shared.stall)->stall_closed = true;
}

static void on_resolver_closed(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    client_free(world->client);
    stall_close(&world->shared.stall, on_stall_closed);
    fake_server_stop(&world->server);
    loop_run_until(&world->loop, &world->stall_closed);
    resolver_close(world->shared.resolver, on_resolver_closed, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    loop_close(&world->loop);
    free(world);
    return 0;
}

static void start(struct world *world, struct waiter *waiter, unsigned commands)
{
    *waiter = (struct waiter){0};
    poll_init(&waiter->poll);
    assert_int_equal(poll_start(&waiter->poll, world->client, commands, on_done), 0);
    assert_int_equal(waiter->done, 0);
}

static void finish(struct world *world, struct waiter *waiter)
{
    loop_run_until_count(&world->loop, &waiter->done, 1);
}

static struct snapshot *poll_once(struct world *world, unsigned commands)
{
    struct waiter waiter;
    start(world, &waiter, commands);
    finish(world, &waiter);
    return waiter.snapshot;
}

/* --- Two batches --- */

static void test_second_batch_on_the_same_connection(void **state)
{
    struct world *world = *state;
    for (unsigned n = 1; n <= 3; n++) {
        struct snapshot *snapshot = poll_once(world, EVERY);
        assert_int_equal(snapshot->state, TARGET_UP);
        assert_int_equal(snapshot->asked, EVERY);
        assert_true(snapshot->answered & COMMAND_BIT(COMMAND_SIZES));
        assert_true(snapshot->answered & COMMAND_BIT(COMMAND_EXTSTORE));
        assert_int_equal(snapshot->sizes.count, 1);
        assert_int_equal(world->server.requests, 2 * n);
        assert_string_equal(world->server.heard, FIRST_BATCH SECOND_BATCH);
        memset(world->server.heard, 0, sizeof(world->server.heard));
        snapshot_release(snapshot);
    }
    assert_int_equal(world->server.accepted, 1);
}

/* What each server hears, whatever becomes of its poll. */
static void test_dangerous_commands_are_not_sent(void **state)
{
    struct world *world = *state;
    static const char *const replies[] = {
        "STAT pid 1\r\nEND\r\n" OTHERS,
        "STAT pid 1\r\nSTAT version 1.4.26\r\nEND\r\n" OTHERS,
        "STAT pid 1\r\nSTAT version strange\r\nEND\r\n" OTHERS,
        "ERROR\r\n" OTHERS,
        "STAT pid 1\r\nEND\r\nSTAT version 1.6.18\r\nSTAT extstore_limit_maxbytes "
        "1\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\n"
        "END\r\nEND\r\nEND\r\n",
    };
    for (size_t n = 0; n < ARRAY_LEN(replies); n++) {
        world->server.reply = replies[n];
        world->server.second_reply = NULL;
        memset(world->server.heard, 0, sizeof(world->server.heard));
        struct snapshot *snapshot = poll_once(world, EVERY);
        assert_int_equal(snapshot->asked, commands_harmless());
        assert_string_equal(world->server.heard, FIRST_BATCH);
        snapshot_release(snapshot);
    }
}

/* The first batch cut at every byte: nothing follows. */
static void test_nothing_follows_half_a_batch(void **state)
{
    struct world *world = *state;
    world->server.close_after_reply = true;
    for (size_t len = 1; len < strlen(STATS OTHERS); len++) {
        world->server.reply_len = len;
        memset(world->server.heard, 0, sizeof(world->server.heard));
        struct snapshot *snapshot = poll_once(world, EVERY);
        assert_int_equal(snapshot->state, len >= strlen(STATS) ? TARGET_UP : TARGET_PROTOCOL_ERROR);
        assert_string_equal(world->server.heard, FIRST_BATCH);
        snapshot_release(snapshot);
    }
}

/* Bytes that nobody asked for would answer the second batch. */
static void test_nothing_follows_unasked_bytes(void **state)
{
    struct world *world = *state;
    world->server.reply = STATS OTHERS "END\r\n";
    struct snapshot *snapshot = poll_once(world, EVERY);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_int_equal(snapshot->asked, commands_harmless());
    assert_string_equal(world->server.heard, FIRST_BATCH);
    assert_true(client_phase(world->client) == CLIENT_IDLE);
    snapshot_release(snapshot);
}

static void test_second_batch_is_refused_or_lost(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *reply;
        bool kept;
    } seconds[] = {{"ERROR\r\nERROR\r\n", true}, {"STAT 96 1\r\nfoo\r\n", false}, {"HTTP/1.1", false}};
    for (size_t n = 0; n < ARRAY_LEN(seconds); n++) {
        world->server.second_reply = seconds[n].reply;
        struct snapshot *snapshot = poll_once(world, EVERY);
        assert_int_equal(snapshot->state, TARGET_UP);
        assert_int_equal(snapshot->asked, EVERY);
        assert_false(snapshot->answered & COMMAND_BIT(COMMAND_SIZES));
        assert_true(snapshot->answered & COMMAND_BIT(COMMAND_DETAIL));
        assert_int_equal(snapshot->sizes.count, 0);
        assert_int_equal(client_phase(world->client) == CLIENT_IDLE, !seconds[n].kept);
        snapshot_release(snapshot);
    }
}

/* A server of 1.5.4 to 1.6.9 that dies of a command: it is up, and the next poll finds it or not. */
static void test_server_dies_of_the_second_batch(void **state)
{
    struct world *world = *state;
    struct waiter waiter;
    world->server.second_reply = NULL;
    world->server.reply_len = strlen(STATS OTHERS);
    start(world, &waiter, EVERY);
    loop_run_until_count(&world->loop, &world->server.requests, 1);
    world->server.close_unanswered = 1;
    finish(world, &waiter);
    assert_int_equal(waiter.snapshot->state, TARGET_UP);
    assert_int_equal(waiter.snapshot->asked, EVERY);
    assert_int_equal(world->server.accepted, 1);
    snapshot_release(waiter.snapshot);
}

static void test_stats_is_always_asked(void **state)
{
    struct world *world = *state;
    world->server.reply = "STAT pid 1\r\nEND\r\nEND\r\n";
    world->server.second_reply = NULL;
    struct snapshot *snapshot = poll_once(world, COMMAND_BIT(COMMAND_CONNS));
    assert_int_equal(snapshot->asked, SET(CONNS));
    assert_string_equal(world->server.heard, "stats\r\nstats conns\r\n");
    snapshot_release(snapshot);
}

/* --- Who shares a poll --- */

#define TWO_ENDS "STAT pid 1\r\nEND\r\nEND\r\n"

static void test_less_joins_more(void **state)
{
    struct world *world = *state;
    struct waiter more, less;
    world->server.reply = "STAT pid 1\r\nEND\r\nEND\r\nEND\r\n";
    world->server.second_reply = NULL;
    start(world, &more, SET(ITEMS) | SET(SLABS));
    start(world, &less, SET(SLABS));
    finish(world, &less);
    assert_int_equal(more.done, 1);
    assert_ptr_equal(less.snapshot, more.snapshot);
    assert_int_equal(world->server.requests, 1);
    assert_int_equal(world->shared.counts.coalesced, 1);
    snapshot_release(less.snapshot);
    snapshot_release(more.snapshot);
}

/* Two more sets wait for one poll, which asks both, on the same connection. */
static void test_others_wait_for_the_next_poll(void **state)
{
    struct world *world = *state;
    struct waiter first, second, third, fourth;
    world->server.reply = TWO_ENDS;
    world->server.second_reply = "STAT pid 1\r\nEND\r\nEND\r\nEND\r\n";
    start(world, &first, SET(ITEMS));
    start(world, &second, SET(SLABS));
    start(world, &third, SET(CONNS));
    start(world, &fourth, SET(ITEMS));
    finish(world, &first);
    assert_ptr_equal(first.snapshot, fourth.snapshot);
    assert_int_equal(second.done, 0);
    finish(world, &second);
    assert_ptr_equal(second.snapshot, third.snapshot);
    assert_int_equal(first.snapshot->answered, SET(ITEMS));
    assert_int_equal(second.snapshot->answered, SET(SLABS) | SET(CONNS));
    assert_true(second.snapshot->reused);
    assert_string_equal(world->server.heard,
                        "stats\r\nstats items\r\nstats\r\nstats slabs\r\nstats conns\r\n");
    assert_int_equal(world->server.accepted, 1);
    snapshot_release(first.snapshot);
    snapshot_release(second.snapshot);
    snapshot_release(third.snapshot);
    snapshot_release(fourth.snapshot);
}

static void test_next_poll_follows_a_failed_one(void **state)
{
    struct world *world = *state;
    struct waiter first, second;
    world->server.reply = TWO_ENDS;
    world->server.second_reply = NULL;
    world->server.close_unanswered = 1;
    start(world, &first, SET(ITEMS));
    start(world, &second, SET(SLABS));
    finish(world, &second);
    assert_int_equal(first.snapshot->state, TARGET_PROTOCOL_ERROR);
    assert_int_equal(second.snapshot->state, TARGET_UP);
    assert_int_equal(world->server.accepted, 2);
    snapshot_release(first.snapshot);
    snapshot_release(second.snapshot);
}

static void test_next_poll_without_kept_connections(void **state)
{
    struct world *world = *state;
    struct waiter first, second;
    world->shared.keep = false;
    world->server.reply = TWO_ENDS;
    world->server.second_reply = NULL;
    start(world, &first, SET(ITEMS));
    start(world, &second, SET(SLABS));
    finish(world, &second);
    assert_int_equal(first.snapshot->state, TARGET_UP);
    assert_int_equal(second.snapshot->answered, SET(SLABS));
    assert_int_equal(world->server.accepted, 2);
    snapshot_release(first.snapshot);
    snapshot_release(second.snapshot);
}

/* The one that is under way gets no more waiters; the next one gets its turn all the same. */
static void test_giving_up_the_first(void **state)
{
    struct world *world = *state;
    struct waiter first, second;
    world->server.reply = NULL;
    world->server.second_reply = NULL;
    start(world, &first, SET(ITEMS));
    start(world, &second, SET(SLABS));
    loop_run_for(&world->loop, 30);
    world->server.reply = TWO_ENDS;
    struct snapshot *snapshot = poll_give_up(&first.poll);
    assert_int_equal(snapshot->state, TARGET_TIMEOUT);
    snapshot_release(snapshot);
    finish(world, &second);
    assert_int_equal(first.done, 0);
    assert_int_equal(second.snapshot->answered, SET(SLABS));
    snapshot_release(second.snapshot);
}

static void test_giving_up_the_next(void **state)
{
    struct world *world = *state;
    struct waiter first, second, third;
    world->server.reply = NULL;
    world->server.second_reply = NULL;
    start(world, &first, SET(ITEMS));
    start(world, &second, SET(SLABS));
    start(world, &third, SET(CONNS));
    loop_run_for(&world->loop, 30);
    struct waiter *const hasty[] = {&second, &third};
    for (size_t n = 0; n < 2; n++) {
        struct snapshot *snapshot = poll_give_up(&hasty[n]->poll);
        assert_int_equal(snapshot->state, TARGET_TIMEOUT);
        assert_true(snapshot->finished);
        assert_true(strlen(snapshot->error) > 0);
        assert_true(snapshot->asked & SET(SLABS));
        snapshot_release(snapshot);
    }
    uv_buf_t reply = uv_buf_init((char *) (uintptr_t) TWO_ENDS, strlen(TWO_ENDS));
    uv_try_write((uv_stream_t *) &world->server.connections[0].tcp, &reply, 1);
    finish(world, &first);
    loop_run_for(&world->loop, 30);
    assert_int_equal(second.done + third.done, 0);
    assert_int_equal(world->server.requests, 1);
    snapshot_release(first.snapshot);
}

/* Gives up one of two after 0, 1, 2, ... turns of the loop: the other is served. */
static void test_giving_up_at_every_turn(void **state)
{
    struct world *world = *state;
    world->server.reply = TWO_ENDS;
    world->server.second_reply = NULL;
    for (unsigned turns = 0; turns < 30; turns++) {
        struct waiter waiters[2], *hasty = &waiters[turns % 2], *patient = &waiters[(turns + 1) % 2];
        start(world, &waiters[0], SET(ITEMS));
        start(world, &waiters[1], SET(SLABS));
        loop_turn(&world->loop, turns / 2);
        snapshot_release(hasty->done ? hasty->snapshot : poll_give_up(&hasty->poll));
        finish(world, patient);
        assert_int_equal(patient->snapshot->state, TARGET_UP);
        assert_int_equal(patient->done, 1);
        snapshot_release(patient->snapshot);
        if (turns % 3 == 0) client_close_unused(world->client, UINT64_MAX);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_second_batch_on_the_same_connection),
        TEST(test_dangerous_commands_are_not_sent),
        TEST(test_nothing_follows_half_a_batch),
        TEST(test_nothing_follows_unasked_bytes),
        TEST(test_second_batch_is_refused_or_lost),
        TEST(test_server_dies_of_the_second_batch),
        TEST(test_stats_is_always_asked),
        TEST(test_less_joins_more),
        TEST(test_others_wait_for_the_next_poll),
        TEST(test_next_poll_follows_a_failed_one),
        TEST(test_next_poll_without_kept_connections),
        TEST(test_giving_up_the_first),
        TEST(test_giving_up_the_next),
        TEST(test_giving_up_at_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
