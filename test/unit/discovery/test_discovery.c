#include "discovery_world.h"

#include "base/container.h"
#include "discovery/discoverer.h"

#include <stdlib.h>

/* A discoverer that does as the test says; it answers from the loop or within ask. */
static struct scripted {
    struct discoverer discoverer;
    struct discoverer_kind kind;
    uv_timer_t timer;
    bool inside;        /* answers within ask */
    bool silent;        /* never answers */
    bool nudges_behind; /* right after its answer */
    bool closes_behind;
    int status;                   /* of ask */
    const char *address;          /* that it finds; NULL: an empty list */
    bool give_nothing;            /* the next answer has no list */
    struct discovery_answer next; /* the rest of it */
    unsigned asked;
    uint64_t asked_ms; /* loop time of the last question */
    bool gone;
} scripted;

static struct discovery_world world;
static const struct discovery_config config = {
    .kind = DISCOVERY_DNS, .refresh_ms = 20, .dns = {"cache.test", DNS_A, 1}};

static void answer(uv_timer_t *timer)
{
    struct discovery_answer answer = scripted.next;
    struct results found;
    unsigned changes = world.changes;
    size_t count = discovery_found(world.discovery)->count;
    (void) timer;
    results_init(&found);
    if (scripted.address) assert_true(results_add(&found, slice_of(scripted.address), NULL, 0));
    if (!scripted.give_nothing) answer.found = &found;
    scripted.discoverer.on_done(&scripted.discoverer, &answer);
    results_deinit(&found);
    /* Nobody is told while the discoverer is at work, and the old list stays until then. */
    assert_int_equal(world.changes, changes);
    assert_int_equal(discovery_found(world.discovery)->count, count);
    if (scripted.closes_behind) world_stop(&world);
    if (scripted.nudges_behind) scripted.discoverer.on_nudge(&scripted.discoverer);
}

static int ask(struct discoverer *discoverer)
{
    assert_ptr_equal(discoverer, &scripted.discoverer);
    scripted.asked++;
    scripted.asked_ms = uv_now(&world.names.loop);
    if (scripted.status < 0) return scripted.status;
    if (scripted.inside)
        answer(&scripted.timer);
    else if (!scripted.silent)
        uv_timer_start(&scripted.timer, answer, 0, 0);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void) handle;
    scripted.gone = true;
    scripted.discoverer.on_close(&scripted.discoverer);
}

static void close_scripted(struct discoverer *discoverer)
{
    assert_ptr_equal(discoverer, &scripted.discoverer);
    uv_close((uv_handle_t *) &scripted.timer, on_timer_closed);
}

int discoverer_new(struct discoverer **discoverer, const struct discovery_services *services,
                   const struct discovery_config *borrowed, struct buffer *error)
{
    if (scripted.status < 0) {
        buffer_append_string(error, "no such thing");
        return scripted.status;
    }
    assert_ptr_not_equal(borrowed, &config);
    scripted.discoverer.kind = &scripted.kind;
    uv_timer_init(services->loop, &scripted.timer);
    *discoverer = &scripted.discoverer;
    return 0;
}

static int set_up(void **state)
{
    (void) state;
    memset(&scripted, 0, sizeof(scripted));
    scripted.kind = (struct discoverer_kind){"scripted", 30, false, ask, close_scripted};
    world_open(&world);
    return 0;
}

static void finish(void)
{
    world_close(&world);
    assert_true(scripted.gone);
}

static void check_found(const char *address)
{
    assert_int_equal(discovery_found(world.discovery)->count, 1);
    assert_string_equal(world_target(&world, 0)->address, address);
    assert_int_equal(discovery_state(world.discovery)->targets, 1);
}

static void test_changes_are_told(void **state)
{
    (void) state;
    scripted.address = "a:1";
    world_start(&world, &config);
    assert_false(discovery_state(world.discovery)->answered);
    assert_string_equal(discovery_state(world.discovery)->kind, "scripted");
    assert_string_equal(discovery_state(world.discovery)->subject, "cache.test");
    world_await(&world, 1);
    assert_true(discovery_state(world.discovery)->answered);
    assert_int_equal(world.changes, 1);
    check_found("a:1");

    scripted.address = "a:1";
    world_await_next(&world);
    assert_int_equal(world.changes, 1);
    scripted.address = "b:1";
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    check_found("b:1");
    assert_int_equal(discovery_state(world.discovery)->failures, 0);
    finish();
}

static void test_unchanged_is_a_success(void **state)
{
    (void) state;
    scripted.address = "a:1";
    world_start(&world, &config);
    world_await(&world, 1);
    double before = discovery_state(world.discovery)->last_success_s;
    assert_true(before > 1e9);
    scripted.give_nothing = scripted.next.unchanged = true;
    world_await_next(&world);
    assert_int_equal(world.changes, 1);
    check_found("a:1");
    assert_true(discovery_state(world.discovery)->last_success_s > before);
    finish();
}

static void fail_with(const char *error)
{
    scripted.next.error = error;
    scripted.give_nothing = error != NULL;
}

static void test_failures_keep_what_was_found(void **state)
{
    const struct discovery_state *now;
    (void) state;
    scripted.address = "a:1";
    world_start(&world, &config);
    now = discovery_state(world.discovery);
    world_await(&world, 1);
    double before = now->last_success_s;
    fail_with("it is down");
    world_await(&world, 3);
    assert_int_equal(world.changes, 1);
    check_found("a:1");
    assert_int_equal(now->refreshes, 3);
    assert_int_equal(now->failures, 2);
    assert_string_equal(now->error, "it is down");
    assert_true(now->last_success_s == before);

    fail_with(NULL);
    scripted.address = "b:1";
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    check_found("b:1");
    assert_string_equal(now->error, "");
    assert_int_equal(now->failures, 2);
    finish();
}

/* The fleet need not wait for a source that does not answer. */
static void test_a_failure_at_first_is_told_once(void **state)
{
    (void) state;
    fail_with("it is down");
    world_start(&world, &config);
    world_await(&world, 3);
    assert_int_equal(world.changes, 1);
    assert_true(discovery_state(world.discovery)->answered);
    assert_int_equal(discovery_found(world.discovery)->count, 0);
    assert_true(discovery_state(world.discovery)->last_success_s == 0);
    finish();
}

static void test_a_discoverer_that_cannot_ask(void **state)
{
    (void) state;
    world_start(&world, &config);
    scripted.status = UV_ENOMEM;
    world_await(&world, 2);
    assert_int_equal(discovery_state(world.discovery)->failures, 2);
    assert_string_equal(discovery_state(world.discovery)->error, uv_strerror(UV_ENOMEM));
    finish();
}

static void test_empty_answers_are_taken(void **state)
{
    (void) state;
    scripted.address = "a:1";
    world_start(&world, &config);
    world_await(&world, 1);
    assert_false(discovery_state(world.discovery)->empty);
    scripted.address = NULL;
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    assert_true(discovery_state(world.discovery)->empty);
    assert_int_equal(discovery_state(world.discovery)->targets, 0);
    assert_int_equal(discovery_state(world.discovery)->failures, 0);
    finish();
}

static void test_empty_answers_are_refused(void **state)
{
    (void) state;
    scripted.kind.empty_is_failure = true;
    scripted.address = "a:1";
    world_start(&world, &config);
    world_await(&world, 1);
    scripted.address = NULL;
    world_await_next(&world);
    assert_int_equal(world.changes, 1);
    check_found("a:1");
    assert_true(discovery_state(world.discovery)->empty);
    assert_int_equal(discovery_state(world.discovery)->failures, 1);
    assert_string_equal(discovery_state(world.discovery)->error, "the answer names no target");

    scripted.next.error = "no such name";
    world_await_next(&world);
    assert_string_equal(discovery_state(world.discovery)->error, "no such name");
    check_found("a:1");
    finish();
}

/* A source of several parts, one of which is broken. */
static void test_a_list_with_an_error_is_taken_and_is_a_failure(void **state)
{
    (void) state;
    scripted.address = "a:1";
    world_start(&world, &config);
    world_await(&world, 1);
    scripted.address = "b:1";
    scripted.next.error = "half of it is broken";
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    check_found("b:1");
    assert_int_equal(discovery_state(world.discovery)->failures, 1);
    assert_string_equal(discovery_state(world.discovery)->error, "half of it is broken");
    finish();
}

/* Not within the two bytes of the last character. */
static void test_long_errors_are_cut(void **state)
{
    char error[400];
    (void) state;
    memset(error, 'x', sizeof(error) - 1);
    error[sizeof(error) - 1] = '\0';
    memcpy(error + 254, "\xc3\xa9", 2);
    fail_with(error);
    world_start(&world, &config);
    world_await(&world, 1);
    assert_int_equal(strlen(discovery_state(world.discovery)->error), 254);
    error[254] = '\0';
    assert_string_equal(discovery_state(world.discovery)->error, error);
    finish();
}

/* Asks twice and returns how much later the second one came. */
static uint64_t measure(uint64_t refresh_ms, uint64_t ttl_ms, const char *error)
{
    struct discovery_config timed = config;
    timed.refresh_ms = refresh_ms;
    set_up(NULL);
    scripted.address = "a:1";
    fail_with(error);
    scripted.next.ttl_ms = ttl_ms;
    world_start(&world, &timed);
    world_await(&world, 1);
    uint64_t first_ms = scripted.asked_ms;
    world_await(&world, 2);
    uint64_t taken_ms = scripted.asked_ms - first_ms;
    finish();
    return taken_ms;
}

static void test_when_it_asks_again(void **state)
{
    (void) state;
    assert_in_range(measure(100, 0, NULL), 90, 200);
    assert_in_range(measure(100, 5000, NULL), 90, 200);
    assert_in_range(measure(0, 0, NULL), 27, 80);
    assert_in_range(measure(0, 1, NULL), 900, 1300);
    assert_in_range(measure(60000, 0, "it is down"), 900, 1300);
    assert_in_range(measure(40, 0, "it is down"), 36, 100);
}

/* Asks now, and whether it asks again within the time. */
static bool asks_again_after_nudge(unsigned ms)
{
    scripted.discoverer.on_nudge(&scripted.discoverer);
    world_await_next(&world);
    unsigned asked = scripted.asked;
    loop_run_for(&world.names.loop, ms);
    return scripted.asked > asked;
}

static void test_a_success_ends_the_retries(void **state)
{
    struct discovery_config slow = config;
    (void) state;
    slow.refresh_ms = 60000;
    fail_with("it is down");
    world_start(&world, &slow);
    world_await(&world, 1);
    fail_with(NULL);
    assert_false(asks_again_after_nudge(1200));
    finish();
}

/* Not those of the default of 30 ms. */
static void test_retries_go_by_the_last_ttl(void **state)
{
    struct discovery_config unset = config;
    (void) state;
    unset.refresh_ms = 0;
    scripted.next.ttl_ms = 5000;
    world_start(&world, &unset);
    world_await(&world, 1);
    fail_with("it is down");
    scripted.next.ttl_ms = 0;
    assert_false(asks_again_after_nudge(300));
    assert_true(asks_again_after_nudge(2500));
    finish();
}

static void test_a_nudge_brings_the_question_forward(void **state)
{
    struct discovery_config slow = config;
    (void) state;
    slow.refresh_ms = 60000;
    scripted.address = "a:1";
    world_start(&world, &slow);
    world_await(&world, 1);
    loop_run_for(&world.names.loop, 20);
    assert_int_equal(scripted.asked, 1);
    scripted.discoverer.on_nudge(&scripted.discoverer);
    world_await(&world, 2);

    scripted.silent = true;
    scripted.discoverer.on_nudge(&scripted.discoverer);
    loop_run_for(&world.names.loop, 20);
    assert_int_equal(scripted.asked, 3);
    scripted.discoverer.on_nudge(&scripted.discoverer);
    loop_run_for(&world.names.loop, 20);
    assert_int_equal(scripted.asked, 3);
    scripted.silent = false;
    answer(&scripted.timer);
    world_await(&world, 4);
    loop_run_for(&world.names.loop, 20);
    assert_int_equal(scripted.asked, 4);
    finish();
}

/* The list that came before the nudge is told all the same. */
static void test_a_nudge_behind_an_answer(void **state)
{
    struct discovery_config slow = config;
    (void) state;
    slow.refresh_ms = 60000;
    scripted.address = "a:1";
    scripted.nudges_behind = true;
    world_start(&world, &slow);
    world_await(&world, 1);
    scripted.nudges_behind = false;
    assert_int_equal(world.changes, 1);
    check_found("a:1");
    world_await(&world, 2);
    finish();
}

static void test_it_knows_what_it_asks(void **state)
{
    struct discovery_config another = config;
    (void) state;
    world_start(&world, &config);
    assert_true(discovery_asks(world.discovery, &config));
    another.dns.port++;
    assert_false(discovery_asks(world.discovery, &another));
    finish();
}

static void test_a_discoverer_that_cannot_be_made(void **state)
{
    struct buffer error;
    struct discovery *none;
    (void) state;
    buffer_init(&error, 256);
    scripted.status = UV_EINVAL;
    assert_int_equal(discovery_new(&none, &world.services, &config, world_on_change, &world, &error),
                     UV_EINVAL);
    assert_true(slice_is(buffer_slice(&error), "no such thing"));
    buffer_deinit(&error);
    world.closed = 1;
    world_close(&world);
}

static void test_close_at_every_turn(void **state)
{
    (void) state;
    for (unsigned inside = 0; inside < 2; inside++) {
        for (unsigned turns = 0; turns < 6; turns++) {
            if (inside || turns) set_up(NULL);
            scripted.address = "a:1";
            scripted.inside = inside;
            world_start(&world, &config);
            loop_turn(&world.names.loop, turns);
            unsigned changes = world.changes;
            finish();
            assert_int_equal(world.changes, changes);
        }
    }
}

static void test_close_inside_a_change(void **state)
{
    (void) state;
    for (unsigned inside = 0; inside < 2; inside++) {
        if (inside) set_up(NULL);
        scripted.address = "a:1";
        scripted.inside = inside;
        world.close_inside = true;
        world_start(&world, &config);
        world_await(&world, 1);
        finish();
        assert_int_equal(world.changes, 1);
    }
}

/* The list is there, and nobody has been told. */
static void test_close_before_a_change(void **state)
{
    (void) state;
    scripted.address = "a:1";
    scripted.closes_behind = true;
    world_start(&world, &config);
    loop_run_until_count(&world.names.loop, &world.closed, 1);
    finish();
    assert_int_equal(world.changes, 0);
}

static void test_nobody_need_wait_for_the_end(void **state)
{
    (void) state;
    world_start(&world, &config);
    discovery_close(world.discovery, NULL, NULL);
    world.discovery = NULL;
    world.closed = 1;
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_changes_are_told, set_up),
        cmocka_unit_test_setup(test_unchanged_is_a_success, set_up),
        cmocka_unit_test_setup(test_failures_keep_what_was_found, set_up),
        cmocka_unit_test_setup(test_a_failure_at_first_is_told_once, set_up),
        cmocka_unit_test_setup(test_a_discoverer_that_cannot_ask, set_up),
        cmocka_unit_test_setup(test_empty_answers_are_taken, set_up),
        cmocka_unit_test_setup(test_empty_answers_are_refused, set_up),
        cmocka_unit_test_setup(test_a_list_with_an_error_is_taken_and_is_a_failure, set_up),
        cmocka_unit_test_setup(test_long_errors_are_cut, set_up),
        cmocka_unit_test(test_when_it_asks_again),
        cmocka_unit_test_setup(test_a_success_ends_the_retries, set_up),
        cmocka_unit_test_setup(test_retries_go_by_the_last_ttl, set_up),
        cmocka_unit_test_setup(test_a_nudge_brings_the_question_forward, set_up),
        cmocka_unit_test_setup(test_a_nudge_behind_an_answer, set_up),
        cmocka_unit_test_setup(test_it_knows_what_it_asks, set_up),
        cmocka_unit_test_setup(test_a_discoverer_that_cannot_be_made, set_up),
        cmocka_unit_test_setup(test_close_at_every_turn, set_up),
        cmocka_unit_test_setup(test_close_inside_a_change, set_up),
        cmocka_unit_test_setup(test_close_before_a_change, set_up),
        cmocka_unit_test_setup(test_nobody_need_wait_for_the_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
