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
#include "loop.h"
#include "memcached/round.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define SERVERS 400
#define TARGETS 3000

/* What the round and the fleet promise; see there. */
#define WINDOW       128
#define PACE         128
#define GIVEN_UP     128
#define RELEASED     1024
#define SWEPT        128
#define READ_IN_TURN (1024 * 1024)

#define END "STAT pid 7\r\nEND\r\n"

struct world;

/* A server with one connection, which answers when the test says so. */
struct server {
    struct world *world;
    uv_tcp_t listener, connection;
    int port;
    bool open;    /* the connection is there */
    bool asked;   /* and a request on it waits for its answer */
    bool is_mute; /* and will never have one */
};

struct world {
    uv_loop_t loop;
    struct server servers[SERVERS];
    struct resolver *resolver;
    struct fleet *fleet;
    struct target *targets[TARGETS];
    size_t count;
    struct round *round;
    uv_prepare_t turn;
    char *answer;
    size_t answer_len;
    unsigned answers_a_turn;         /* so many of those who were asked are answered in each turn */
    unsigned asked;                  /* who wait for their answer */
    unsigned most_asked;             /* ever */
    struct client_counts before;     /* at the last turn */
    uint64_t most_read, most_closed; /* in one turn */
    bool done, closed, resolver_closed, fleet_closed;
};

/* --- The servers --- */

static void on_lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[4096];
    (void) handle, (void) suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_server_closed(uv_handle_t *handle)
{
    container_of((uv_tcp_t *) handle, struct server, connection)->open = false;
}

static void stop_asking(struct server *server)
{
    if (server->asked) server->world->asked--;
    server->asked = false;
}

static void on_request(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct server *server = container_of((uv_tcp_t *) stream, struct server, connection);
    struct world *world = server->world;
    (void) buffer;
    if (n < 0) {
        stop_asking(server);
        uv_close((uv_handle_t *) stream, on_server_closed);
    } else if (n > 0 && !server->asked) {
        server->asked = true;
        if (++world->asked > world->most_asked) world->most_asked = world->asked;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = container_of((uv_tcp_t *) listener, struct server, listener);
    assert_int_equal(status, 0);
    assert_false(server->open);
    uv_tcp_init(listener->loop, &server->connection);
    server->open = true;
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &server->connection), 0);
    uv_read_start((uv_stream_t *) &server->connection, on_lend, on_request);
}

static void server_start(struct world *world, struct server *server)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    server->world = world;
    uv_tcp_init(&world->loop, &server->listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&server->listener, (struct sockaddr *) &address, 0);
    assert_int_equal(uv_listen((uv_stream_t *) &server->listener, 1, on_connection), 0);
    uv_tcp_getsockname(&server->listener, (struct sockaddr *) &address, &len);
    server->port = ntohs(address.sin_port);
}

static void server_answer(struct server *server)
{
    uv_buf_t answer = uv_buf_init(server->world->answer, (unsigned) server->world->answer_len);
    stop_asking(server);
    assert_int_equal(uv_try_write((uv_stream_t *) &server->connection, &answer, 1), answer.len);
}

/* --- Turns --- */

static void note(uint64_t *most, uint64_t now)
{
    if (now > *most) *most = now;
}

static void on_turn(uv_prepare_t *turn)
{
    struct world *world = container_of(turn, struct world, turn);
    struct client_counts now = fleet_counts(world->fleet);
    unsigned left = world->answers_a_turn;
    note(&world->most_read, now.bytes_read - world->before.bytes_read);
    if (now.open < world->before.open) note(&world->most_closed, world->before.open - now.open);
    world->before = now;
    for (size_t n = 0; n < SERVERS && left > 0; n++) {
        struct server *server = &world->servers[n];
        if (!server->asked || server->is_mute) continue;
        server_answer(server);
        left--;
    }
}

/* --- The world --- */

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void set_answer(struct world *world, size_t padding)
{
    static const char line[] = "STAT padding x\r\n";
    struct buffer answer;
    buffer_init(&answer, 1 << 20);
    while (answer.len < padding) buffer_append_string(&answer, line);
    buffer_append_string(&answer, END);
    assert_false(answer.failed);
    free(world->answer);
    world->answer = answer.data;
    world->answer_len = answer.len;
}

static void add_target(struct world *world, int port)
{
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_null(address_parse(&address, slice_of(text), 1));
    struct target *target = target_new(world->fleet, &address, slice_of(text), SLICE(""));
    assert_non_null(target);
    world->targets[world->count++] = target;
}

static void add_servers(struct world *world)
{
    for (size_t n = 0; n < SERVERS; n++) add_target(world, world->servers[n].port);
}

/* Three descriptors for each server. */
static void raise_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int make_world(void **state, uint64_t idle_timeout_ns)
{
    struct world *world = calloc(1, sizeof(*world));
    raise_limit();
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    struct fleet_config config = {
        .resolver = world->resolver,
        .max_connecting = 1000,
        .idle_timeout_ns = idle_timeout_ns,
        .max_reply = 1 << 20,
        .max_unused = TARGETS,
    };
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    for (size_t n = 0; n < SERVERS; n++) server_start(world, &world->servers[n]);
    uv_prepare_init(&world->loop, &world->turn);
    uv_prepare_start(&world->turn, on_turn);
    set_answer(world, 0);
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
    for (size_t n = 0; n < SERVERS; n++) uv_close((uv_handle_t *) &world->servers[n].listener, NULL);
    loop_close(&world->loop);
    free(world->answer);
    free(world);
    return 0;
}

static void start(struct world *world, uint64_t timeout_ms)
{
    world->done = false;
    assert_int_equal(round_start(&world->round, world->fleet, world->targets, world->count,
                                 COMMAND_BIT(COMMAND_STATS), timeout_ms, set_true, &world->done),
                     0);
}

static size_t count_up(const struct world *world)
{
    size_t up = 0;
    for (size_t n = 0; n < world->count; n++) {
        assert_non_null(round_snapshot(world->round, n));
        up += round_snapshot(world->round, n)->state == TARGET_UP;
    }
    return up;
}

/* A round that leaves a connection to every server. */
static void connect_all(struct world *world)
{
    world->answers_a_turn = SERVERS;
    start(world, 10000);
    loop_run_until(&world->loop, &world->done);
    round_free(world->round);
    assert_int_equal(fleet_counts(world->fleet).opened, SERVERS);
    world->answers_a_turn = 0;
}

/* --- Tests --- */

/*
 * Half a second of answers, one in each turn: all would be under way soon if the pace let more go while
 * answers come in. It may do so once, before it could hear of the first one.
 */
static void test_answers_let_others_go(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    world->most_asked = 0;
    start(world, 10000);
    while (!world->done) {
        world->answers_a_turn = world->asked ? 1 : 0;
        uv_sleep(1);
        loop_turn(&world->loop, 1);
    }
    assert_int_equal(count_up(world), SERVERS);
    assert_in_range(world->most_asked, WINDOW, WINDOW + PACE);
    round_free(world->round);
}

/* More than the window never answer, and come first: the others are asked all the same. */
static void test_silent_ones_hold_up_nobody(void **state)
{
    struct world *world = *state;
    add_servers(world);
    for (size_t n = 0; n < SERVERS - 50; n++) world->servers[n].is_mute = true;
    world->answers_a_turn = SERVERS;
    start(world, 2000);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), 50);
    assert_int_equal(fleet_counts(world->fleet).opened, SERVERS);
    round_free(world->round);
}

/* To end a poll is to close a connection: so many in a turn, and no more. */
static void test_given_up_in_slices(void **state)
{
    struct world *world = *state;
    add_servers(world);
    start(world, 1000);
    loop_run_until_count(&world->loop, &world->asked, SERVERS);
    assert_int_equal(world->most_closed, 0);
    loop_run_until(&world->loop, &world->done);
    loop_run_for(&world->loop, 20);
    assert_int_equal(count_up(world), 0);
    assert_in_range(world->most_closed, 1, GIVEN_UP);
    assert_int_equal(fleet_counts(world->fleet).open, 0);
    round_free(world->round);
}

/* All answers are there in the same turn, three megabytes of them. */
static void test_burst_of_answers_is_read_in_rations(void **state)
{
    struct world *world = *state;
    set_answer(world, 8000);
    add_servers(world);
    start(world, 10000);
    loop_run_until_count(&world->loop, &world->asked, SERVERS);
    world->answers_a_turn = SERVERS;
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), SERVERS);
    assert_in_range(world->most_read, READ_IN_TURN / 2, READ_IN_TURN + CLIENT_READ_SIZE);
    round_free(world->round);
}

/* Nobody asks any more, and all connections are unused at the same time. */
static void test_unused_connections_end_in_slices(void **state)
{
    struct world *world = *state;
    add_servers(world);
    connect_all(world);
    while (fleet_counts(world->fleet).open > 0) uv_run(&world->loop, UV_RUN_ONCE);
    assert_in_range(world->most_closed, 1, SWEPT);
}

/* How often snapshots were released; the linker leads all calls here. */
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
    for (size_t n = 0; n < TARGETS; n++) add_target(world, world->servers[0].port);
    start(world, 10000);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(count_up(world), TARGETS);
    released = most_released = 0;
    round_free(world->round);
    for (unsigned turn = 0; turn < 10; turn++) {
        if (released > most_released) most_released = released;
        total += released;
        released = 0;
        loop_turn(&world->loop, 1);
    }
    assert_int_equal(total, TARGETS);
    assert_in_range(most_released, 1, RELEASED);
}

/* Whoever frees a round may release its targets at once. */
static void test_freed_while_it_gives_up(void **state)
{
    struct world *world = *state;
    add_servers(world);
    start(world, 200);
    while (fleet_counts(world->fleet).opened < SERVERS || fleet_counts(world->fleet).open == SERVERS)
        loop_turn(&world->loop, 1);
    assert_false(world->done);
    round_free(world->round);
    while (world->count) target_release(world->targets[--world->count]);
    loop_run_for(&world->loop, 50);
    assert_false(world->done);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers_let_others_go),
        TEST(test_silent_ones_hold_up_nobody),
        TEST(test_given_up_in_slices),
        cmocka_unit_test_setup_teardown(test_unused_connections_end_in_slices, setup_impatient, teardown),
        TEST(test_burst_of_answers_is_read_in_rations),
        TEST(test_released_in_slices),
        TEST(test_freed_while_it_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
