/*
 * How many targets are under way at once, and how much of it all falls into one turn of the loop. Nothing
 * here is timed: turns are counted, and what happens in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "crowd.h"
#include "loop.h"
#include "memcached/fan_out.h"

#include <stdlib.h>

#define SERVERS CROWD_SIZE
#define TARGETS 3000

#define MAX_CONNECTING 20

/* What the fan-out and the fleet promise; see there. */
#define WINDOW       128
#define BATCH        64
#define PACE         128
#define PACE_MS      5
#define GIVEN_UP     128
#define RELEASED     1024
#define SWEPT        128
#define READ_IN_TURN (1024 * 1024)

struct world {
    uv_loop_t loop;
    struct crowd crowd;
    struct resolver *resolver;
    struct fleet *fleet;
    struct target *targets[TARGETS];
    size_t count;
    struct fan_out *fan_out;
    uv_prepare_t turn;
    unsigned answers_a_turn;         /* so many of those who were asked are answered in each turn */
    struct client_counts before;     /* at the last turn */
    uint64_t most_read, most_closed; /* in one turn */
    bool done, closed, resolver_closed, fleet_closed;
};

/* --- Turns --- */

static void note(uint64_t *most, uint64_t now)
{
    if (now > *most) *most = now;
}

static void on_turn(uv_prepare_t *turn)
{
    struct world *world = container_of(turn, struct world, turn);
    struct client_counts now = fleet_counts(world->fleet);
    note(&world->most_read, now.bytes_read - world->before.bytes_read);
    if (now.open < world->before.open) note(&world->most_closed, world->before.open - now.open);
    world->before = now;
    crowd_answer(&world->crowd, world->answers_a_turn);
}

/* --- The world --- */

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void add_target(struct world *world, const char *path)
{
    struct address address;
    assert_null(address_parse(&address, slice_of(path), 1));
    struct profile *profile = profile_new(~0u, UINT64_MAX, policy_none());
    struct target *target = target_new(world->fleet, &address, profile, slice_of(path), SLICE(""));
    assert_non_null(target);
    profile_release(profile);
    world->targets[world->count++] = target;
}

static void add_servers(struct world *world)
{
    for (size_t n = 0; n < SERVERS; n++) add_target(world, world->crowd.servers[n].path);
}

static int make_world(void **state, uint64_t idle_timeout_ns)
{
    struct world *world = calloc(1, sizeof(*world));
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    struct fleet_config config = {
        .resolver = world->resolver,
        .max_connecting = MAX_CONNECTING,
        .idle_timeout_ns = idle_timeout_ns,
        .max_reply = 1 << 20,
        .max_unused = TARGETS,
    };
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    crowd_start(&world->crowd, &world->loop);
    uv_prepare_init(&world->loop, &world->turn);
    uv_prepare_start(&world->turn, on_turn);
    *state = world;
    return 0;
}

static int setup(void **state)
{
    return make_world(state, 100000000000);
}

static int setup_impatient(void **state)
{
    return make_world(state, 300000000);
}

static void on_turn_closed(uv_handle_t *handle)
{
    container_of((uv_prepare_t *) handle, struct world, turn)->closed = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    uv_close((uv_handle_t *) &world->turn, on_turn_closed);
    loop_run_until(&world->loop, &world->closed);
    while (world->count) target_release(world->targets[--world->count]);
    fleet_close(world->fleet, set_true, &world->fleet_closed);
    loop_run_until(&world->loop, &world->fleet_closed);
    resolver_close(world->resolver, set_true, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    crowd_stop(&world->crowd);
    loop_close(&world->loop);
    free(world);
    return 0;
}

static void start(struct world *world, uint64_t timeout_ms)
{
    world->done = false;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, world->count,
                                   COMMAND_BIT(COMMAND_STATS), timeout_ms, set_true, &world->done),
                     0);
}

static size_t count_up(const struct world *world)
{
    size_t up = 0;
    for (size_t n = 0; n < world->count; n++) {
        assert_non_null(fan_out_snapshot(world->fan_out, n));
        up += fan_out_snapshot(world->fan_out, n)->state == TARGET_UP;
    }
    return up;
}

/* A fan-out that leaves a connection to every server. */
static void connect_all(struct world *world)
{
    world->answers_a_turn = SERVERS;
    start(world, 60000);
    loop_run_until(&world->loop, &world->done);
    fan_out_free(world->fan_out);
    assert_int_equal(fleet_counts(world->fleet).opened, SERVERS);
    world->answers_a_turn = 0;
}

/* --- Tests --- */

/*
 * Half a second of answers, one in each turn: all would be under way soon if the pace let more go while
 * answers come in. It may do so once, before it could hear of the first one, and once for each turn that the
 * machine held up for longer than the pace waits.
 */
static void test_answers_let_others_go(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    world->crowd.most_asked = 0;
    start(world, 60000);
    unsigned held_up = 0;
    for (uint64_t now = uv_hrtime(), last = now; !world->done; last = now) {
        world->answers_a_turn = world->crowd.asked ? 1 : 0;
        uv_sleep(1);
        loop_turn(&world->loop, 1);
        now = uv_hrtime();
        held_up += now - last > (PACE_MS - 1) * UINT64_C(1000000);
    }
    assert_int_equal(count_up(world), SERVERS);
    assert_in_range(world->crowd.most_asked, WINDOW, WINDOW + PACE * (1 + held_up));
    fan_out_free(world->fan_out);
}

/*
 * The timer of the pace, which a test may fire by hand instead of waiting for it; the linker leads all calls
 * here.
 */
static struct {
    bool by_hand;
    uv_timer_t *timer;
    uv_timer_cb fire;
} pace;

int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t wait_ms, uint64_t repeat_ms);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t wait_ms, uint64_t repeat_ms);

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t wait_ms, uint64_t repeat_ms)
{
    if (!pace.by_hand || repeat_ms != PACE_MS)
        return __real_uv_timer_start(timer, on_timer, wait_ms, repeat_ms);
    pace.timer = timer;
    pace.fire = on_timer;
    return 0;
}

/* Exactly so many are asked, however long one waits. */
static void expect_asked(struct world *world, unsigned asked)
{
    loop_run_until_count(&world->loop, &world->crowd.asked, asked);
    loop_run_for(&world->loop, 10);
    assert_int_equal(world->crowd.asked, asked);
}

static void answer(struct world *world, unsigned count)
{
    size_t done = fan_out_done(world->fan_out);
    crowd_answer(&world->crowd, count);
    while (fan_out_done(world->fan_out) < done + count) loop_turn(&world->loop, 1);
}

/*
 * Answers let others go by the batch; the pace lets some go whenever nobody has answered since it looked
 * last.
 */
static void test_who_is_let_go(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    pace.by_hand = true;
    start(world, 60000);
    pace.by_hand = false;
    expect_asked(world, WINDOW);
    answer(world, BATCH - 1);
    expect_asked(world, WINDOW - BATCH + 1);
    answer(world, 1);
    expect_asked(world, WINDOW);
    pace.fire(pace.timer);
    expect_asked(world, WINDOW);
    pace.fire(pace.timer);
    expect_asked(world, WINDOW + PACE);
    answer(world, 1);
    pace.fire(pace.timer);
    expect_asked(world, WINDOW + PACE - 1);
    pace.fire(pace.timer);
    expect_asked(world, SERVERS - BATCH - 1);
    assert_false(world->done);
    world->answers_a_turn = SERVERS;
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), SERVERS);
    fan_out_free(world->fan_out);
}

/* More than the window never answer, and come first: the others are asked all the same. */
static void test_silent_ones_hold_up_nobody(void **state)
{
    struct world *world = *state;
    add_servers(world);
    for (size_t n = 0; n < SERVERS - 50; n++) world->crowd.servers[n].is_mute = true;
    world->answers_a_turn = SERVERS;
    start(world, 10000);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), 50);
    assert_int_equal(fleet_counts(world->fleet).opened, SERVERS);
    fan_out_free(world->fan_out);
}

/* To end a poll is to close a connection: so many in a turn, and no more. */
static void test_given_up_in_slices(void **state)
{
    struct world *world = *state;
    add_servers(world);
    start(world, 10000);
    loop_run_until_count(&world->loop, &world->crowd.asked, SERVERS);
    assert_int_equal(world->most_closed, 0);
    loop_run_until(&world->loop, &world->done);
    loop_run_for(&world->loop, 20);
    assert_int_equal(count_up(world), 0);
    assert_in_range(world->most_closed, 1, GIVEN_UP);
    assert_int_equal(fleet_counts(world->fleet).open, 0);
    fan_out_free(world->fan_out);
}

/* All answers are there in the same turn, three megabytes of them. */
static void test_burst_of_answers_is_read_in_rations(void **state)
{
    struct world *world = *state;
    crowd_set_answer(&world->crowd, 8000);
    add_servers(world);
    start(world, 60000);
    loop_run_until_count(&world->loop, &world->crowd.asked, SERVERS);
    world->answers_a_turn = SERVERS;
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), SERVERS);
    assert_in_range(world->most_read, READ_IN_TURN / 2, READ_IN_TURN + CLIENT_READ_SIZE);
    fan_out_free(world->fan_out);
}

/* Nobody asks any more, and all connections are unused at the same time. */
static void test_unused_connections_end_in_slices(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    while (fleet_counts(world->fleet).open > 0) uv_run(&world->loop, UV_RUN_ONCE);
    /* One turn of uv_run may see to timers twice. */
    assert_in_range(world->most_closed, 1, 2 * SWEPT);
}

/* Most attempts at once; the linker leads all calls here. */
static unsigned most_inside;

void __real_limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);
void __wrap_limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);

void __wrap_limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter)
{
    __real_limiter_enter(limiter, ticket, on_enter);
    if (limiter->inside > most_inside) most_inside = limiter->inside;
}

/* Every connection has ended since the last fan_out, and the next one hears of it before it asks, or when it
 * asks: it connects anew, to some at a time, and all are up. */
static void test_fleet_that_was_restarted(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    for (unsigned heard = 0; heard < 2; heard++) {
        crowd_hang_up(&world->crowd);
        if (heard) loop_run_for(&world->loop, 50);
        assert_int_equal(fleet_counts(world->fleet).open, heard ? 0 : SERVERS);
        most_inside = 0;
        world->answers_a_turn = SERVERS;
        start(world, 10000);
        loop_run_until(&world->loop, &world->done);
        assert_int_equal(count_up(world), SERVERS);
        assert_int_equal(fleet_counts(world->fleet).opened, (heard + 2) * SERVERS);
        assert_in_range(most_inside, 1, MAX_CONNECTING);
        fan_out_free(world->fan_out);
    }
}

/* How often snapshots were released. */
static unsigned released, most_released;

void __real_snapshot_release(struct snapshot *snapshot);
void __wrap_snapshot_release(struct snapshot *snapshot);

void __wrap_snapshot_release(struct snapshot *snapshot)
{
    released++;
    __real_snapshot_release(snapshot);
}

static void test_released_in_slices(void **state)
{
    struct world *world = *state;
    unsigned total = 0;
    world->answers_a_turn = SERVERS;
    for (size_t n = 0; n < TARGETS; n++) add_target(world, world->crowd.servers[0].path);
    start(world, 10000);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), TARGETS);
    released = most_released = 0;
    fan_out_free(world->fan_out);
    for (unsigned turn = 0; turn < 10; turn++) {
        if (released > most_released) most_released = released;
        total += released;
        released = 0;
        loop_turn(&world->loop, 1);
    }
    assert_int_equal(total, TARGETS);
    assert_in_range(most_released, 1, RELEASED);
}

/* Whoever frees a fan-out may release its targets at once. */
static void test_freed_while_it_gives_up(void **state)
{
    struct world *world = *state;
    add_servers(world);
    start(world, 2000);
    while (fleet_counts(world->fleet).opened < SERVERS || fleet_counts(world->fleet).open == SERVERS)
        loop_turn(&world->loop, 1);
    assert_false(world->done);
    fan_out_free(world->fan_out);
    while (world->count) target_release(world->targets[--world->count]);
    loop_run_for(&world->loop, 50);
    assert_false(world->done);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers_let_others_go),
        TEST(test_who_is_let_go),
        TEST(test_silent_ones_hold_up_nobody),
        TEST(test_given_up_in_slices),
        cmocka_unit_test_setup_teardown(test_unused_connections_end_in_slices, setup_impatient, teardown),
        TEST(test_burst_of_answers_is_read_in_rations),
        TEST(test_fleet_that_was_restarted),
        TEST(test_released_in_slices),
        TEST(test_freed_while_it_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
