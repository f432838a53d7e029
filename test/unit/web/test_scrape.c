/* A request, the collection that answers it, and what becomes of one when the other ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "exposition.h"
#include "fleet_world.h"
#include "web/scrape.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Each request starts one scrape of the world's targets, which go with it. */
struct fixture {
    struct fleet_world world;
    struct server *server;
    uint16_t port;
    bool fail, closed;
    uint64_t timeout_ms;
    unsigned started, ended;
    int client; /* a socket */
    struct buffer answer;
};

static void on_end(void *context)
{
    struct fixture *fixture = context;
    assert_true(fixture->ended < fixture->started);
    fixture->ended++;
}

static void on_request(void *context, struct exchange *exchange, const struct request *request)
{
    struct fixture *fixture = context;
    struct gather_plan plan = {
        .fleet = fixture->world.fleet,
        .own = fixture->world.targets,
        .telemetry = &fixture->world.telemetry,
        .commands = WORLD_COMMANDS,
        .timeout_ms = fixture->timeout_ms,
        .on_end = on_end,
        .context = fixture,
    };
    (void) request;
    fixture->world.targets = (struct target_list){0};
    fixture->started++;
    assert_int_equal(scrape_start(exchange, &plan, CONTENT_TYPE, fixture->fail), 0);
}

static void start_server(struct fixture *fixture)
{
    static const struct server_limits limits = {
        .max_connections = 16, .head_timeout_ms = 8000, .idle_timeout_ms = 60000};
    struct address address;
    struct buffer name;
    assert_int_equal(server_new(&fixture->server, &fixture->world.loop, &limits, on_request, fixture), 0);
    assert_null(address_parse_listen(&address, SLICE("127.0.0.1:0"), 0));
    assert_int_equal(server_listen(fixture->server, &address), 0);
    buffer_init(&name, 256);
    assert_true(server_listener_name(fixture->server, 0, &name));
    buffer_append_char(&name, '\0');
    fixture->port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
    fixture->closed = false;
}

static void stop_server(struct fixture *fixture)
{
    server_close(fixture->server, 0, world_set_true, &fixture->closed);
    loop_run_until(&fixture->world.loop, &fixture->closed);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture) return -1;
    fleet_world_open(&fixture->world);
    fixture->timeout_ms = 5000;
    fixture->client = -1;
    buffer_init(&fixture->answer, 1 << 20);
    start_server(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture->closed) stop_server(fixture);
    assert_int_equal(fixture->ended, fixture->started);
    fleet_world_close(&fixture->world);
    buffer_deinit(&fixture->answer);
    free(fixture);
    return 0;
}

/* Sends a request; the loop has to run for it to be seen. */
static void ask(struct fixture *fixture)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(fixture->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fixture->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fixture->client, (struct sockaddr *) &name, sizeof(name)), 0);
    assert_int_equal(send(fixture->client, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
}

static void leave(struct fixture *fixture)
{
    close(fixture->client);
    fixture->client = -1;
}

/* Reads the answer to its end, and checks status and type; returns the text, which the fixture keeps. */
static const char *expect_answer(struct fixture *fixture, const char *status_line)
{
    ssize_t n = -1;
    buffer_clear(&fixture->answer);
    for (unsigned ms = 0; ms < 8000 && n != 0; ms++) {
        char *at = buffer_reserve(&fixture->answer, 65536);
        loop_run_for(&fixture->world.loop, 1);
        n = recv(fixture->client, at, 65536, MSG_DONTWAIT);
        if (n > 0) fixture->answer.len += (size_t) n;
        assert_true(n >= 0 || errno == EAGAIN);
    }
    assert_int_equal(n, 0);
    leave(fixture);
    buffer_append_char(&fixture->answer, '\0');
    const char *text = fixture->answer.data;
    if (!slice_starts(buffer_slice(&fixture->answer), status_line))
        fail_msg("not %s:\n%s", status_line, text);
    if (strncmp(status_line, "HTTP/1.1 403", 12) != 0) {
        assert_non_null(strstr(text, "\r\nContent-Type: " CONTENT_TYPE "\r\n"));
        assert_non_null(strstr(text, "\r\nVary: Accept, Accept-Encoding\r\n"));
    }
    return strstr(text, "\r\n\r\n") + 4;
}

static void test_answer(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 0; n < 3; n++) {
        world_add_server(&fixture->world, 0);
        ask(fixture);
        const char *text = expect_answer(fixture, "HTTP/1.1 200 OK\r\n");
        expect_line(text, "memcached_up 1");
        expect_line(text, "memcached_current_items 5");
        assert_int_equal(fixture->ended, n + 1);
    }
    assert_int_equal(fixture->world.telemetry.results[SCRAPE_COMPLETE], 3);
}

/* A target that is down is no error, unless that is asked for and none is up. */
static void test_fail(void **state)
{
    static const struct {
        bool fail, up, down;
        const char *status_line;
    } rows[] = {
        {false, false, true, "HTTP/1.1 200 OK\r\n"}, {true, false, true, "HTTP/1.1 502 Bad Gateway\r\n"},
        {true, true, true, "HTTP/1.1 200 OK\r\n"},   {true, true, false, "HTTP/1.1 200 OK\r\n"},
        {true, false, false, "HTTP/1.1 200 OK\r\n"},
    };
    struct fixture *fixture = *state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        fixture->fail = rows[n].fail;
        if (rows[n].up) world_add_server(&fixture->world, 0);
        if (rows[n].down) world_add_dead(&fixture->world);
        ask(fixture);
        const char *text = expect_answer(fixture, rows[n].status_line);
        assert_int_equal(exposition_count(text, "memcached_up"), rows[n].up + rows[n].down);
    }
}

/* A name that leads only to what is forbidden; beside others it is one of the states that a target may have.
 */
static void test_forbidden(void **state)
{
    struct fixture *fixture = *state;
    struct fleet_world *world = &fixture->world;
    struct address address = world_address("localhost");
    struct policy *policy = policy_new();
    struct policy_rule rule;
    assert_null(policy_rule_parse(&rule, SLICE("8.8.8.8")));
    assert_true(policy_add(&policy->allow, &rule));
    struct profile *profile = profile_new(~0u, UINT64_MAX, policy);
    for (unsigned others = 0; others < 2; others++) {
        if (others) world_add_server(world, 0);
        assert_int_equal(
            target_list_add(&world->targets, world->fleet, &address, profile, "instance", SLICE("localhost")),
            0);
        ask(fixture);
        const char *text =
            expect_answer(fixture, others ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 403 Forbidden\r\n");
        if (others)
            assert_int_equal(exposition_count(text, "memcached_up"), 2);
        else
            assert_true(
                slice_starts(slice_of(text), "target: no rule of scrape_policy allows localhost:11211 ("));
        assert_int_equal(fixture->ended, others + 1);
    }
    profile_release(profile);
    policy_release(policy);
}

/* The server stops in the middle of the collection: that ends with it, whoever is still being asked. */
static void test_server_stops_at_every_turn(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned turns = 0; turns < 12; turns++) {
        unsigned started = fixture->started;
        if (fixture->closed) start_server(fixture);
        fixture->world.servers[0].reply = NULL;
        world_add_server(&fixture->world, 0);
        world_add_dead(&fixture->world);
        ask(fixture);
        for (unsigned ms = 0; ms < 5000 && fixture->started == started; ms++)
            loop_turn(&fixture->world.loop, 1), usleep(500);
        assert_int_equal(fixture->started, started + 1);
        loop_turn(&fixture->world.loop, turns);
        assert_int_equal(fixture->ended, started);
        stop_server(fixture);
        assert_int_equal(fixture->ended, started + 1);
        leave(fixture);
    }
}

/* A client that does not wait for the answer: the collection goes on to its end, for those who share it. */
static void test_client_leaves(void **state)
{
    struct fixture *fixture = *state;
    fixture->timeout_ms = 50;
    fixture->world.servers[0].reply = NULL;
    world_add_server(&fixture->world, 0);
    ask(fixture);
    loop_run_until_count(&fixture->world.loop, &fixture->started, 1);
    leave(fixture);
    loop_run_until_count(&fixture->world.loop, &fixture->ended, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answer),        TEST(test_fail),
        TEST(test_forbidden),     TEST(test_server_stops_at_every_turn),
        TEST(test_client_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
