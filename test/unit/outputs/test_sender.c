/*
 * Messages on their way to a receiver: their order, what is sent again, what is dropped, and the end at any
 * moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "fake_gateway.h"
#include "loop.h"
#include "outputs/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK          "HTTP/1.1 204 No Content\r\n\r\n"
#define BAD         "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
#define UNAVAILABLE "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

struct world {
    uv_loop_t loop;
    struct fake_gateway receiver;
    struct push_config config;
    struct sender sender;
    struct producer producer;
    char url[64];
    unsigned messages, left; /* of a collection; still to be made */
    size_t size;             /* bytes of each */
    unsigned collections, released, ended;
    bool withholds, sent, closed;
};

static struct world *world_of(struct sender *sender)
{
    return container_of(sender, struct world, sender);
}

static bool fill(struct producer *producer, struct buffer *out, size_t want)
{
    struct world *world = container_of(producer, struct world, producer);
    (void) want;
    for (size_t n = 0; n < world->size; n++) buffer_append_char(out, (char) rand());
    return --world->left > 0;
}

static void release(struct producer *producer)
{
    container_of(producer, struct world, producer)->released++;
}

static void collect(struct sender *sender)
{
    struct world *world = world_of(sender);
    world->collections++;
    world->left = world->messages;
    if (!world->withholds) sender_deliver(sender, world->messages ? &world->producer : NULL);
}

static void on_once(struct sender *sender, bool sent)
{
    world_of(sender)->ended++;
    world_of(sender)->sent = sent;
}

static void on_close(struct sender *sender)
{
    world_of(sender)->closed = true;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    fake_gateway_start(&world->receiver, &world->loop);
    world->receiver.reply = OK;
    snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d/write", world->receiver.port);
    world->producer = (struct producer){fill, release};
    world->messages = 3;
    world->size = 100;
    world->config = (struct push_config){.kind = PUSH_REMOTE_WRITE,
                                         .url = world->url,
                                         .job = "j",
                                         .interval_ns = 3600000000000,
                                         .timeout_ns = 5000000000};
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    sender_close(&world->sender, on_close);
    loop_run_until(&world->loop, &world->closed);
    fake_gateway_stop(&world->receiver);
    loop_close(&world->loop);
    fake_gateway_deinit(&world->receiver);
    free(world);
    return 0;
}

static void run_until_attempts(struct world *world, uint64_t attempts)
{
    while (world->sender.counts.attempts < attempts) uv_run(&world->loop, UV_RUN_ONCE);
}

static void test_all_are_sent(void **state)
{
    struct world *world = *state;
    sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
    run_until_attempts(world, 3);
    assert_int_equal(world->receiver.requests, 3);
    assert_string_equal(world->receiver.methods, "PPP");
    assert_non_null(strstr(world->receiver.head, "Content-Encoding: snappy\r\n"));
    assert_non_null(strstr(world->receiver.head, "POST /write HTTP/1.1\r\n"));
    assert_int_equal(world->sender.counts.failures, 0);
    assert_int_equal(world->released, 1);
    assert_int_equal(world->sender.queued, 0);
}

static void test_refused_message_is_dropped(void **state)
{
    struct world *world = *state;
    world->receiver.reply = BAD;
    sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
    run_until_attempts(world, 3);
    assert_int_equal(world->sender.counts.failures, 3);
    assert_int_equal(world->sender.counts.dropped, 3);
    assert_int_equal(world->sender.queued, 0);
}

static void test_failed_message_is_sent_again(void **state)
{
    struct world *world = *state;
    world->receiver.reply = UNAVAILABLE;
    sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
    run_until_attempts(world, 1);
    size_t queued = world->sender.queued;
    assert_true(queued > 0 && world->sender.counts.dropped == 0);
    world->receiver.reply = OK;
    run_until_attempts(world, 4);
    assert_int_equal(world->sender.counts.failures, 1);
    assert_int_equal(world->sender.counts.dropped, 0);
    assert_int_equal(world->sender.queued, 0);
}

/*
 * What the receiver asks for by Retry-After, in a number or a date, is the least delay. It can neither
 * shorten the usual one nor silence the exporter for hours.
 */
static void test_retry_after(void **state)
{
    static const struct {
        const char *status, *value;
        uint64_t least_s;
    } cases[] = {
        {"503", "30", 30},
        {"429", "30", 30},
        {"500", "30", 1},
        {"503", "0", 1},
        {"503", "-7", 1},
        {"503", "soon", 1},
        {"503", "", 1},
        {"429", "601", 600},
        {"503", "9223372036854775807", 600},
        {"503", "Wed, 21 Oct 2015 07:28:00 GMT", 1},
        {"503", "Wed, 21 Oct 2099 07:28:00 GMT", 600},
    };
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        void *own = NULL;
        char reply[256];
        (void) state;
        assert_int_equal(setup(&own), 0);
        struct world *world = own;
        snprintf(reply, sizeof(reply), "HTTP/1.1 %s No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
                 cases[n].status, cases[n].value);
        world->receiver.reply = reply;
        sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
        run_until_attempts(world, 1);
        uint64_t due_ms = uv_timer_get_due_in(&world->sender.retry), least_ms = cases[n].least_s * 1000;
        if (due_ms + 500 < least_ms || due_ms > least_ms + least_ms / 4)
            fail_msg("%s, Retry-After: %s: again in %llu ms", cases[n].status, cases[n].value,
                     (unsigned long long) due_ms);
        assert_int_equal(world->sender.counts.dropped, 0);
        teardown(&own);
    }
}

/* Nobody answers: what waits is bounded. */
static void test_queue_is_bounded(void **state)
{
    struct world *world = *state;
    world->receiver.reply = NULL;
    world->messages = 12;
    world->size = SENDER_QUEUE_MAX / 8;
    sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
    while (!world->released) uv_run(&world->loop, UV_RUN_ONCE);
    assert_true(world->sender.queued <= SENDER_QUEUE_MAX);
    assert_true(world->sender.counts.dropped >= 4);
}

static void test_once(void **state)
{
    struct world *world = *state;
    sender_start(&world->sender, &world->loop, &world->config, collect, on_once);
    while (!world->ended) uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_true(world->sent);
    assert_int_equal(world->receiver.requests, 3);
}

static void test_once_without_a_second_try(void **state)
{
    struct world *world = *state;
    world->receiver.reply = UNAVAILABLE;
    sender_start(&world->sender, &world->loop, &world->config, collect, on_once);
    while (!world->ended) uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_false(world->sent);
    assert_int_equal(world->receiver.requests, 1);
    assert_int_equal(world->released, 1);
}

static void test_nothing_to_send(void **state)
{
    struct world *world = *state;
    world->messages = 0;
    sender_start(&world->sender, &world->loop, &world->config, collect, on_once);
    while (!world->ended) uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_false(world->sent);
}

/*
 * The teardown closes after any number of turns: while collecting, making messages, sending, and in a
 * back-off.
 */
static void test_close_at_every_turn(void **state)
{
    for (unsigned turns = 0; turns < 40; turns++) {
        struct world *world;
        void *own = NULL;
        (void) state;
        assert_int_equal(setup(&own), 0);
        world = own;
        world->withholds = turns % 10 == 9;
        world->receiver.reply = turns % 3 ? OK : UNAVAILABLE;
        sender_start(&world->sender, &world->loop, &world->config, collect, NULL);
        for (unsigned n = 0; n < turns; n++) uv_run(&world->loop, UV_RUN_NOWAIT);
        teardown(&own);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_all_are_sent),
        TEST(test_refused_message_is_dropped),
        TEST(test_failed_message_is_sent_again),
        cmocka_unit_test(test_retry_after),
        TEST(test_queue_is_bounded),
        TEST(test_once),
        TEST(test_once_without_a_second_try),
        TEST(test_nothing_to_send),
        cmocka_unit_test(test_close_at_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
