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

#define STATS    "STAT pid 7\r\nSTAT get_hits 18446744073709551615\r\nEND\r\n"
#define SETTINGS "STAT maxconns 1024\r\nEND\r\n"
#define ITEMS    "STAT items:1:number 5\r\nEND\r\n"
#define SLABS    "STAT 1:chunk_size 96\r\nEND\r\n"
#define WHOLE    STATS SETTINGS ITEMS SLABS
/* What is asked by default. */
#define ALL_COMMANDS                                                                                         \
    (COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_ITEMS) |               \
     COMMAND_BIT(COMMAND_SLABS))

/* One client and one scripted server on one loop. */
struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct client_shared shared;
    struct client *client;
    bool stall_closed, resolver_closed;
};

/* One who waits. */
struct waiter {
    struct poll poll;
    struct snapshot *snapshot;
    unsigned done;
};

static void on_done(struct poll *poll, struct snapshot *snapshot)
{
    struct waiter *waiter = (struct waiter *) poll;
    assert_true(snapshot->finished);
    waiter->snapshot = snapshot;
    waiter->done++;
}

static void waiter_init(struct waiter *waiter)
{
    *waiter = (struct waiter){0};
    poll_init(&waiter->poll);
}

static void make_client(struct world *world, const char *host, int port)
{
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "%s:%d", host, port);
    struct profile *profile = profile_new(~0u, UINT64_MAX, NULL);
    assert_null(address_parse(&address, slice_of(text), 11211));
    world->client = client_new(&world->shared, &address, profile);
    profile_release(profile);
    assert_non_null(world->client);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    fake_server_start(&world->server, &world->loop);
    world->server.reply = WHOLE;
    client_shared_init(&world->shared, &world->loop);
    world->shared.max_prefixes = 1000;
    world->shared.max_reply = 64 * 1024;
    world->shared.keep = true;
    limiter_init(&world->shared.limiter, 8);
    assert_int_equal(resolver_new(&world->shared.resolver, &world->loop, "127.0.0.1:1"), 0);
    make_client(world, "127.0.0.1", world->server.port);
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

/* Polls once and returns what came of it; the caller releases it. */
static struct snapshot *poll_once(struct world *world)
{
    struct waiter waiter;
    waiter_init(&waiter);
    assert_int_equal(poll_start(&waiter.poll, world->client, ALL_COMMANDS, on_done), 0);
    assert_int_equal(waiter.done, 0);
    loop_run_until_count(&world->loop, &waiter.done, 1);
    return waiter.snapshot;
}

static void expect_state(struct world *world, enum target_state state)
{
    struct snapshot *snapshot = poll_once(world);
    assert_string_equal(target_state_name(snapshot->state), target_state_name(state));
    if (state != TARGET_UP)
        assert_true(strlen(snapshot->error) > 0);
    else
        assert_string_equal(snapshot->error, "");
    snapshot_release(snapshot);
}

static void test_asks_all_commands_in_one_write(void **state)
{
    struct world *world = *state;
    struct snapshot *snapshot = poll_once(world);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_int_equal(snapshot->answered, ALL_COMMANDS);
    assert_false(snapshot->reused);
    assert_int_equal(snapshot->count, 5);
    assert_true(snapshot->duration_ns > 0);
    assert_int_equal(world->server.requests, 1);
    assert_string_equal(client_phase(world->client) == CLIENT_KEPT ? "kept" : "not kept", "kept");
    snapshot_release(snapshot);
}

static void test_keeps_the_connection(void **state)
{
    struct world *world = *state;
    for (unsigned n = 0; n < 5; n++) {
        struct snapshot *snapshot = poll_once(world);
        assert_int_equal(snapshot->state, TARGET_UP);
        assert_int_equal(snapshot->reused, n > 0);
        snapshot_release(snapshot);
    }
    assert_int_equal(world->server.accepted, 1);
}

static void test_keeps_no_connection_unless_told(void **state)
{
    struct world *world = *state;
    world->shared.keep = false;
    expect_state(world, TARGET_UP);
    expect_state(world, TARGET_UP);
    assert_int_equal(world->server.accepted, 2);
}

static void test_connection_that_ended_while_kept(void **state)
{
    struct world *world = *state;
    expect_state(world, TARGET_UP);
    fake_server_drop(&world->server);
    loop_run_for(&world->loop, 50);
    assert_true(client_phase(world->client) == CLIENT_IDLE);
    expect_state(world, TARGET_UP);
    assert_int_equal(world->server.accepted, 2);
}

static void test_kept_connection_that_dies_under_the_poll_is_replaced_once(void **state)
{
    struct world *world = *state;
    expect_state(world, TARGET_UP);
    world->server.close_unanswered = 1;
    struct snapshot *snapshot = poll_once(world);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_false(snapshot->reused);
    snapshot_release(snapshot);
    assert_int_equal(world->server.accepted, 2);

    world->server.close_unanswered = 2;
    expect_state(world, TARGET_PROTOCOL_ERROR);
    assert_int_equal(world->server.close_unanswered, 0);
    expect_state(world, TARGET_UP);
}

static void test_unasked_bytes_end_a_kept_connection(void **state)
{
    struct world *world = *state;
    world->server.reply = WHOLE "STAT surprise 1\r\n";
    expect_state(world, TARGET_UP);
    world->server.reply = WHOLE;
    expect_state(world, TARGET_UP);
    assert_int_equal(world->server.accepted, 2);
}

/* That which the server has accepted and not seen the end of. */
static uv_stream_t *last_connection(struct world *world)
{
    struct fake_connection *last = NULL;
    for (size_t n = 0; n < FAKE_CONNECTIONS_MAX; n++)
        if (world->server.connections[n].open) last = &world->server.connections[n];
    assert_non_null(last);
    return (uv_stream_t *) &last->tcp;
}

/* An answer that waits in the kernel when the next poll begins is none to that poll. */
static void test_bytes_that_wait_cost_the_connection(void **state)
{
    struct world *world = *state;
    uv_buf_t copy = uv_buf_init((char *) (uintptr_t) "STAT pid 8\r\nEND\r\n", 17);
    expect_state(world, TARGET_UP);
    for (unsigned n = 1; n <= 3; n++) {
        assert_int_equal(world->server.accepted, n);
        assert_int_equal(uv_try_write(last_connection(world), &copy, 1), copy.len);
        struct snapshot *snapshot = poll_once(world);
        assert_int_equal(snapshot->state, TARGET_UP);
        assert_int_equal(snapshot->answered, ALL_COMMANDS);
        assert_false(snapshot->reused);
        snapshot_release(snapshot);
        assert_int_equal(world->server.accepted, n + 1);
    }
}

/* Nor is one that crosses the request: what comes first is not what was asked for. */
static void test_answer_that_crosses_the_request_is_not_believed(void **state)
{
    struct world *world = *state;
    expect_state(world, TARGET_UP);
    world->server.second_reply = "STAT pid 8\r\nEND\r\n" WHOLE;
    struct snapshot *snapshot = poll_once(world);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_int_equal(snapshot->answered, ALL_COMMANDS);
    assert_false(snapshot->reused);
    snapshot_release(snapshot);
    assert_int_equal(world->server.accepted, 2);
}

/* Ten thousand of them are some megabytes. */
static void test_idle_clients_are_small(void **state)
{
    struct world *world = *state;
    expect_state(world, TARGET_UP);
    const struct client *client = world->client;
    assert_int_equal(client_phase(client), CLIENT_KEPT);
    assert_null(client->dialer);
    assert_null(client->channels[0]);
    assert_null(client->kept->requests);
    /* With the history of its polls. */
    assert_true(sizeof(struct client) + strlen(client->key.name) + 1 + sizeof(struct stream) <= 1280);
}

static void test_refused_command_costs_only_itself(void **state)
{
    struct world *world = *state;
    static const char *const refusals[] = {"ERROR\r\n", "CLIENT_ERROR no such thing\r\n",
                                           "SERVER_ERROR \r\n"};
    for (size_t n = 0; n < 3; n++) {
        char reply[256];
        snprintf(reply, sizeof(reply), "%s%s%s%s", STATS, refusals[n], ITEMS, SLABS);
        world->server.reply = reply;
        struct snapshot *snapshot = poll_once(world);
        assert_int_equal(snapshot->state, TARGET_UP);
        assert_int_equal(snapshot->answered, ALL_COMMANDS & ~COMMAND_BIT(COMMAND_SETTINGS));
        assert_int_equal(snapshot->count, 4);
        snapshot_release(snapshot);
    }
    assert_int_equal(world->server.accepted, 1);
}

static void test_refused_stats_is_down(void **state)
{
    struct world *world = *state;
    world->server.reply = "ERROR\r\n" SETTINGS ITEMS SLABS;
    expect_state(world, TARGET_PROTOCOL_ERROR);
    world->server.reply = "CLIENT_ERROR unauthenticated\r\n";
    expect_state(world, TARGET_AUTH_FAILED);
    world->server.reply = WHOLE;
    expect_state(world, TARGET_UP);
}

static void test_server_at_its_connection_limit(void **state)
{
    struct world *world = *state;
    world->server.greeting = "ERROR Too many open connections\r\n";
    world->server.reply = NULL;
    expect_state(world, TARGET_OVERLOADED);
}

static void test_other_protocols(void **state)
{
    struct world *world = *state;
    static const char *const replies[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "220 mail.example ESMTP\r\n",
        "STATS no\r\n",
        "VERSION 1.6.18\r\n",
        "-ERR unknown command\r\n",
    };
    for (size_t n = 0; n < sizeof(replies) / sizeof(replies[0]); n++) {
        world->server.reply = replies[n];
        expect_state(world, TARGET_PROTOCOL_ERROR);
    }
    world->server.reply = WHOLE;
    expect_state(world, TARGET_UP);
}

/* Cut at every byte: down until the `stats` reply is whole, up with the whole replies afterwards. */
static void test_reply_cut_at_every_byte(void **state)
{
    struct world *world = *state;
    world->server.close_after_reply = true;
    world->server.reply = WHOLE;
    for (size_t len = 1; len < strlen(WHOLE); len++) {
        world->server.reply_len = len;
        struct snapshot *snapshot = poll_once(world);
        bool up = len >= strlen(STATS);
        assert_int_equal(snapshot->state, up ? TARGET_UP : TARGET_PROTOCOL_ERROR);
        assert_int_equal(snapshot->count,
                         up ? 2 + (len >= strlen(STATS SETTINGS)) + (len >= strlen(STATS SETTINGS ITEMS))
                            : 0);
        snapshot_release(snapshot);
    }
}

/* On a connection of its own, a server that ends it at once says what it may be. */
static void test_end_without_an_answer(void **state)
{
    struct world *world = *state;
    world->server.close_unanswered = 1;
    struct snapshot *snapshot = poll_once(world);
    assert_string_equal(target_state_name(snapshot->state), "protocol_error");
    assert_non_null(strstr(snapshot->error, "TLS"));
    assert_non_null(strstr(snapshot->error, "proxy"));
    snapshot_release(snapshot);
}

static void test_reply_in_two_pieces(void **state)
{
    struct world *world = *state;
    /* The rest comes with the second request, which is never sent: so a reply without its last byte waits. */
    struct waiter waiter;
    world->server.reply_len = strlen(WHOLE) - 7;
    waiter_init(&waiter);
    assert_int_equal(poll_start(&waiter.poll, world->client, ALL_COMMANDS, on_done), 0);
    loop_run_for(&world->loop, 50);
    assert_int_equal(waiter.done, 0);

    uv_buf_t tail = uv_buf_init((char *) (uintptr_t) (WHOLE + strlen(WHOLE) - 7), 7);
    uv_try_write((uv_stream_t *) &world->server.connections[0].tcp, &tail, 1);
    loop_run_until_count(&world->loop, &waiter.done, 1);
    assert_int_equal(waiter.snapshot->state, TARGET_UP);
    assert_int_equal(waiter.snapshot->answered, ALL_COMMANDS);
    snapshot_release(waiter.snapshot);
}

static void test_answer_without_end_is_cut(void **state)
{
    struct world *world = *state;
    size_t len = 128 * 1024;
    char *reply = calloc(1, len + 64);
    for (size_t at = 0; at < len; at += 16) memcpy(reply + at, "STAT long_key 1\n", 16);
    world->server.reply = reply;
    expect_state(world, TARGET_PROTOCOL_ERROR);
    memset(reply, 'x', len);
    memcpy(reply, "STAT ", 5);
    expect_state(world, TARGET_PROTOCOL_ERROR);
    world->server.reply = WHOLE;
    expect_state(world, TARGET_UP);
    free(reply);
}

static void test_overlapping_polls_share_one(void **state)
{
    struct world *world = *state;
    struct waiter waiters[3];
    for (size_t n = 0; n < 3; n++) {
        waiter_init(&waiters[n]);
        assert_int_equal(poll_start(&waiters[n].poll, world->client, ALL_COMMANDS, on_done), 0);
    }
    for (size_t n = 0; n < 3; n++) loop_run_until_count(&world->loop, &waiters[n].done, 1);
    assert_int_equal(world->server.requests, 1);
    assert_ptr_equal(waiters[0].snapshot, waiters[1].snapshot);
    assert_ptr_equal(waiters[0].snapshot, waiters[2].snapshot);
    assert_int_equal(waiters[0].snapshot->references, 3);
    for (size_t n = 0; n < 3; n++) snapshot_release(waiters[n].snapshot);
}

static void test_silence_until_the_deadline(void **state)
{
    struct world *world = *state;
    struct waiter waiter;
    world->server.reply = NULL;
    waiter_init(&waiter);
    assert_int_equal(poll_start(&waiter.poll, world->client, ALL_COMMANDS, on_done), 0);
    loop_run_for(&world->loop, 50);
    struct snapshot *snapshot = poll_give_up(&waiter.poll);
    assert_int_equal(snapshot->state, TARGET_TIMEOUT);
    assert_true(snapshot->finished);
    snapshot_release(snapshot);

    world->server.reply = WHOLE;
    expect_state(world, TARGET_UP);
    assert_int_equal(waiter.done, 0);
    assert_int_equal(world->server.accepted, 2);
}

static void test_late_sections_do_not_cost_the_target(void **state)
{
    struct world *world = *state;
    struct waiter waiter;
    world->server.reply = STATS "STAT maxconns 10";
    waiter_init(&waiter);
    assert_int_equal(poll_start(&waiter.poll, world->client, ALL_COMMANDS, on_done), 0);
    loop_run_for(&world->loop, 50);
    struct snapshot *snapshot = poll_give_up(&waiter.poll);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_int_equal(snapshot->answered, COMMAND_BIT(COMMAND_STATS));
    assert_int_equal(snapshot->count, 2);
    snapshot_release(snapshot);
}

static void test_one_gives_up_while_another_waits_on(void **state)
{
    struct world *world = *state;
    struct waiter hasty, patient;
    world->server.reply = STATS;
    waiter_init(&hasty);
    waiter_init(&patient);
    poll_start(&hasty.poll, world->client, ALL_COMMANDS, on_done);
    poll_start(&patient.poll, world->client, ALL_COMMANDS, on_done);
    loop_run_for(&world->loop, 50);
    struct snapshot *snapshot = poll_give_up(&hasty.poll);
    assert_int_equal(snapshot->state, TARGET_UP);
    assert_int_equal(snapshot->count, 2);
    snapshot_release(snapshot);

    uv_buf_t rest = uv_buf_init((char *) (uintptr_t) (SETTINGS ITEMS SLABS), strlen(SETTINGS ITEMS SLABS));
    uv_try_write((uv_stream_t *) &world->server.connections[0].tcp, &rest, 1);
    loop_run_until_count(&world->loop, &patient.done, 1);
    assert_int_equal(patient.snapshot->answered, ALL_COMMANDS);
    assert_int_equal(hasty.done, 0);
    snapshot_release(patient.snapshot);
}

/* Gives up after 0, 1, 2, ... turns of the loop, and polls again at once. */
static void test_giving_up_at_every_turn(void **state)
{
    struct world *world = *state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct waiter waiter;
        waiter_init(&waiter);
        assert_int_equal(poll_start(&waiter.poll, world->client, ALL_COMMANDS, on_done), 0);
        loop_turn(&world->loop, turns);
        struct snapshot *snapshot = waiter.done ? waiter.snapshot : poll_give_up(&waiter.poll);
        assert_true(snapshot->finished);
        snapshot_release(snapshot);
        expect_state(world, TARGET_UP);
        client_close_unused(world->client, UINT64_MAX);
    }
}

static void test_nobody_listens(void **state)
{
    struct world *world = *state;
    int port = world->server.port;
    client_free(world->client);
    fake_server_stop(&world->server);
    loop_run_for(&world->loop, 20);
    make_client(world, "127.0.0.1", port);
    expect_state(world, TARGET_REFUSED);
    expect_state(world, TARGET_REFUSED);
    fake_server_start(&world->server, &world->loop);
}

static void test_name_with_several_addresses(void **state)
{
    struct world *world = *state;
    client_free(world->client);
    make_client(world, "localhost", world->server.port);
    expect_state(world, TARGET_UP);
    client_close_unused(world->client, UINT64_MAX);
    expect_state(world, TARGET_UP);
    assert_int_equal(world->server.accepted, 2);
}

static void test_unused_connection_is_closed(void **state)
{
    struct world *world = *state;
    expect_state(world, TARGET_UP);
    client_close_unused(world->client, 0);
    loop_run_for(&world->loop, 20);
    assert_false(client_phase(world->client) == CLIENT_IDLE);
    client_close_unused(world->client, uv_hrtime());
    loop_run_for(&world->loop, 20);
    assert_true(client_phase(world->client) == CLIENT_IDLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_asks_all_commands_in_one_write),
        TEST(test_keeps_the_connection),
        TEST(test_keeps_no_connection_unless_told),
        TEST(test_connection_that_ended_while_kept),
        TEST(test_kept_connection_that_dies_under_the_poll_is_replaced_once),
        TEST(test_unasked_bytes_end_a_kept_connection),
        TEST(test_bytes_that_wait_cost_the_connection),
        TEST(test_answer_that_crosses_the_request_is_not_believed),
        TEST(test_idle_clients_are_small),
        TEST(test_refused_command_costs_only_itself),
        TEST(test_refused_stats_is_down),
        TEST(test_server_at_its_connection_limit),
        TEST(test_other_protocols),
        TEST(test_reply_cut_at_every_byte),
        TEST(test_end_without_an_answer),
        TEST(test_reply_in_two_pieces),
        TEST(test_answer_without_end_is_cut),
        TEST(test_overlapping_polls_share_one),
        TEST(test_silence_until_the_deadline),
        TEST(test_late_sections_do_not_cost_the_target),
        TEST(test_one_gives_up_while_another_waits_on),
        TEST(test_giving_up_at_every_turn),
        TEST(test_nobody_listens),
        TEST(test_name_with_several_addresses),
        TEST(test_unused_connection_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
