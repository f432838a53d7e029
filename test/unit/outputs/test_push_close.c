#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "push_world.h"

#define SLOW_MS 1500

static atomic_uint lookups, lookups_ended;

/* Stands in for libc's, for libcurl's resolver thread too: a name server that takes its time. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void) name;
    (void) service;
    (void) hints;
    (void) result;
    atomic_fetch_add(&lookups, 1);
    usleep(SLOW_MS * 1000);
    atomic_fetch_add(&lookups_ended, 1);
    return EAI_AGAIN;
}

static void close_push(void)
{
    push_close(&world.push, on_push_closed);
    assert_int_equal(world.closed, 0);
}

static void close_and_wait(void)
{
    close_push();
    loop_run_until_count(&world.loop, &world.closed, 1);
}

/* --- The DELETE --- */

static void test_delete_on_exit(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.config.interval_ns = 60000 * MILLISECOND;
    start_push();
    run_until_attempts(1);
    world.gateway.reply = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    close_and_wait();
    assert_string_equal(world.gateway.methods, "PD");
    assert_ptr_equal(strstr(world.gateway.head, "DELETE /metrics/job/memcached HTTP/1.1\r\n"),
                     world.gateway.head);
    assert_null(strstr(world.gateway.head, "Transfer-Encoding"));
    assert_null(strstr(world.gateway.head, "Content-"));
    assert_int_equal(world.gateway.accepted, 1);
    assert_int_equal(logged("level=INFO msg=\"deleted the pushed group\""), 1);
}

static void test_no_delete_unless_asked(void **state)
{
    (void) state;
    start_push();
    run_until_attempts(1);
    close_and_wait();
    loop_run_for(&world.loop, 20);
    assert_null(strchr(world.gateway.methods, 'D'));
}

static void test_no_delete_of_what_was_never_sent(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.answer = ANSWER_NONE;
    start_push();
    run_until_attempts(1);
    close_and_wait();
    assert_int_equal(world.gateway.accepted, 0);
}

static void test_delete_that_gets_no_answer(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.config.timeout_ns = 100 * MILLISECOND;
    start_push();
    run_until_attempts(1);
    world.gateway.reply = NULL;
    close_and_wait();
    assert_int_equal(logged("level=WARN msg=\"cannot delete the pushed group, it stays at the Pushgateway\""),
                     1);
    assert_int_equal(logged("timed out"), 1);
}

static void test_delete_has_its_own_limit(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.config.timeout_ns = 60000 * MILLISECOND;
    start_push();
    run_until_attempts(1);
    world.gateway.reply = NULL;
    uint64_t started = uv_hrtime();
    close_and_wait();
    assert_in_range((uv_hrtime() - started) / 1000000, PUSH_EXIT_MS - 100, PUSH_EXIT_MS + 3000);
}

/* A gateway works off the DELETE behind the PUT only if it has answered that. */
static void test_delete_waits_for_the_push(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.gateway.reply = NULL;
    start_push();
    loop_run_until_count(&world.loop, &world.gateway.requests, 1);
    close_push();
    loop_run_for(&world.loop, 50);
    assert_string_equal(world.gateway.methods, "P");
    world.gateway.reply = ACCEPTED;
    fake_gateway_answer(&world.gateway, ACCEPTED);
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_string_equal(world.gateway.methods, "PD");
}

static void test_delete_does_not_wait_for_ever(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    world.config.timeout_ns = 60000 * MILLISECOND;
    world.gateway.reply = NULL;
    start_push();
    loop_run_until_count(&world.loop, &world.gateway.requests, 1);
    world.gateway.reply = ACCEPTED;
    close_and_wait();
    assert_string_equal(world.gateway.methods, "PD");
    assert_int_equal(world.released, 1);
}

/* --- At any time --- */

static void close_after(unsigned turns, bool delete_on_exit)
{
    void *state = NULL;
    static char text[300000];
    memset(text, 'x', sizeof(text));
    set_up(&state);
    world.text = text;
    world.len = sizeof(text);
    world.config.interval_ns = 1 * MILLISECOND;
    world.config.delete_on_exit = delete_on_exit;
    start_push();
    loop_turn(&world.loop, turns);
    close_and_wait();
    assert_int_equal(world.released, world.given);
    tear_down(&state);
}

static void test_close_at_every_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 60; turns++) {
        close_after(turns, false);
        close_after(turns, true);
    }
}

static void test_close_while_collecting(void **state)
{
    (void) state;
    world.answer = ANSWER_LATER;
    start_push();
    loop_run_for(&world.loop, 5);
    assert_int_equal(world.collected, 1);
    close_push();
    loop_run_for(&world.loop, 20);
    assert_int_equal(world.closed, 0);
    push_deliver(&world.push, text_producer(false));
    assert_int_equal(world.released, 1);
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.gateway.accepted, 0);
}

static void test_close_while_collecting_fails(void **state)
{
    (void) state;
    world.answer = ANSWER_LATER;
    start_push();
    loop_run_for(&world.loop, 5);
    assert_int_equal(world.collected, 1);
    close_push();
    push_deliver(&world.push, NULL);
    loop_run_until_count(&world.loop, &world.closed, 1);
}

static void test_close_while_sending(void **state)
{
    (void) state;
    world.gateway.reply = NULL;
    start_push();
    loop_run_until_count(&world.loop, &world.gateway.requests, 1);
    uint64_t started = uv_hrtime();
    close_and_wait();
    assert_in_range((uv_hrtime() - started) / 1000000, 0, 1000);
}

/* --- A slow name server --- */

/* Memory of the resolver's thread is its own until it ends. */
static void wait_for_lookups(void)
{
    while (atomic_load(&lookups_ended) < atomic_load(&lookups)) usleep(1000);
    usleep(50 * 1000);
}

static void test_slow_name_does_not_hold_up_the_loop(void **state)
{
    (void) state;
    world.config.url = "http://slow.example";
    world.config.timeout_ns = 100 * MILLISECOND;
    world.config.interval_ns = 60000 * MILLISECOND;
    start_push();
    uint64_t started = uv_hrtime();
    run_until_attempts(1);
    assert_in_range((uv_hrtime() - started) / 1000000, 95, SLOW_MS - 500);
    assert_counts(1, 1);
    assert_int_equal(logged("err=\"Resolving timed out"), 1);
    assert_true(atomic_load(&lookups) > 0);
    wait_for_lookups();
}

static void test_close_while_resolving(void **state)
{
    (void) state;
    world.config.url = "http://slow.example";
    start_push();
    loop_run_for(&world.loop, 50);
    assert_true(atomic_load(&lookups) > atomic_load(&lookups_ended));
    uint64_t started = uv_hrtime();
    close_and_wait();
    assert_in_range((uv_hrtime() - started) / 1000000, 0, SLOW_MS - 500);
    wait_for_lookups();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_delete_on_exit),
        TEST(test_no_delete_unless_asked),
        TEST(test_no_delete_of_what_was_never_sent),
        TEST(test_delete_that_gets_no_answer),
        TEST(test_delete_has_its_own_limit),
        TEST(test_delete_waits_for_the_push),
        TEST(test_delete_does_not_wait_for_ever),
        cmocka_unit_test(test_close_at_every_turn),
        TEST(test_close_while_collecting),
        TEST(test_close_while_collecting_fails),
        TEST(test_close_while_sending),
        TEST(test_slow_name_does_not_hold_up_the_loop),
        TEST(test_close_while_resolving),
    };
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
