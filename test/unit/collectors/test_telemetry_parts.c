/* The numbers that the server, the fleet and the resolver keep, as the exporter tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exposition.h"
#include "fleet_world.h"
#include "memcached/fan_out.h"

#include <netinet/in.h>
#include <unistd.h>

#define P "memcached_exporter_"

static int setup(void **state)
{
    struct fleet_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    fleet_world_open(world);
    world->telemetry.fleet = world->fleet;
    world->telemetry.resolver = world->resolver;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fleet_world_close(*state);
    free(*state);
    return 0;
}

static double value(struct fleet_world *world, const char *series)
{
    struct telemetry_walk walk;
    telemetry_walk_init(&walk, &world->telemetry);
    char *text = exposition_text(FORMAT_TEXT, (struct walk *[]){&walk.walk}, 1);
    double result = value_of(text, series);
    free(text);
    return result;
}

static void expect(struct fleet_world *world, const char *series, uint64_t expected)
{
    double got = value(world, series);
    if (got != (double) expected) fail_msg("%s is %g", series, got);
}

/* As many fan-outs at once as are asked for, to their end. */
static void poll(struct fleet_world *world, unsigned rounds)
{
    struct fan_out *running[4];
    bool done[4] = {false};
    for (unsigned n = 0; n < rounds; n++) {
        assert_int_equal(fan_out_start(&running[n], world->fleet, world->targets.items, world->targets.count,
                                       WORLD_COMMANDS, 5000, world_set_true, &done[n]),
                         0);
    }
    for (unsigned n = 0; n < rounds; n++) loop_run_until(&world->loop, &done[n]);
    for (unsigned n = 0; n < rounds; n++) fan_out_free(running[n]);
}

static void test_fleet(void **state)
{
    struct fleet_world *world = *state;
    world_add_server(world, 0);
    poll(world, 1);
    expect(world, P "target_connections_opened_total", 1);
    expect(world, P "target_connections_reused_total", 0);
    expect(world, P "target_open_connections", 1);
    expect(world, P "target_read_bytes_total", strlen(WORLD_REPLY));
    expect(world, P "target_written_bytes_total", strlen("stats\r\n"));
    poll(world, 1);
    expect(world, P "target_connections_opened_total", 1);
    expect(world, P "target_connections_reused_total", 1);
    expect(world, P "target_connections_stalled_total", 0);
    expect(world, P "target_scrapes_coalesced_total", 0);
    poll(world, 3);
    expect(world, P "target_scrapes_coalesced_total", 2);
    expect(world, P "target_read_bytes_total", 3 * strlen(WORLD_REPLY));
    expect(world, P "target_scrapes_total{state=\"up\"}", 3);
    expect(world, P "target_scrape_duration_seconds_count", 3);
    fake_server_drop(&world->servers[0]);
    for (unsigned ms = 0; ms < 5000 && value(world, P "target_open_connections") > 0; ms++)
        loop_run_for(&world->loop, 1);
    expect(world, P "target_open_connections", 0);
}

/* The name server says nothing but that nobody listens there. */
static void test_resolver(void **state)
{
    struct fleet_world *world = *state;
    world_add_server(world, 0);
    poll(world, 1);
    expect(world, P "dns_lookups_total", 0);
    world_add(world, "nowhere.test:11211");
    poll(world, 1);
    expect(world, P "dns_lookups_total", 1);
    expect(world, P "dns_queries_total", 1);
    expect(world, P "dns_failures_total", 1);
    expect(world, P "target_scrapes_total{state=\"unresolved\"}", 1);
}

/* --- The server --- */

static void on_request(void *context, struct exchange *exchange, const struct request *request)
{
    struct response response = {.status = 200, .content_type = "text/plain"};
    (void) context, (void) request;
    exchange_set_handler(exchange, "test");
    exchange_respond(exchange, &response, SLICE("hello\n"));
}

static uint16_t port_of(const struct server *server)
{
    struct buffer name;
    buffer_init(&name, 256);
    assert_true(server_listener_name(server, 0, &name));
    buffer_append_char(&name, '\0');
    int port = atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
    return (uint16_t) port;
}

static int open_client(const struct server *server, const char *text)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port_of(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *) &name, sizeof(name)), 0);
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return descriptor;
}

/* One client is served, one sends nonsense, one too many waits for the first to go. */
static void test_server(void **state)
{
    static const struct server_limits limits = {.max_connections = 2,
                                                .head_timeout_ms = 8000,
                                                .idle_timeout_ms = 60000,
                                                .max_unread = 16,
                                                .answer_timeout_ms = 120000};
    struct fleet_world *world = *state;
    struct address address;
    struct server *server;
    bool closed = false;
    assert_int_equal(server_new(&server, &world->loop, &limits, on_request, world), 0);
    assert_null(address_parse_listen(&address, SLICE("127.0.0.1:0"), 0));
    assert_int_equal(server_listen(server, &address), 0);
    server_observe(server, telemetry_observe_answer, &world->telemetry);
    world->telemetry.server = server;
    expect(world, P "http_open_connections", 0);

    int bad = open_client(server, "nonsense\r\n\r\n");
    loop_run_for(&world->loop, 20);
    expect(world, P "http_requests_rejected_total{reason=\"bad_request\"}", 1);
    expect(world, P "http_requests_total{handler=\"\",code=\"400\"}", 1);
    close(bad);
    loop_run_for(&world->loop, 20);

    int first = open_client(server, "GET / HTTP/1.1\r\n"), second = open_client(server, "GET / HTTP/1.1\r\n");
    loop_run_for(&world->loop, 20);
    expect(world, P "http_open_connections", 2);
    int third = open_client(server, "GET / HTTP/1.1\r\n");
    loop_run_for(&world->loop, 20);
    expect(world, P "http_requests_rejected_total{reason=\"max_connections\"}", 1);
    expect(world, P "http_connections_total", 4);
    assert_int_equal(send(first, "Host: h\r\n\r\n", 11, MSG_NOSIGNAL), 11);
    loop_run_for(&world->loop, 20);
    expect(world, P "http_requests_total{handler=\"test\",code=\"200\"}", 1);

    close(first);
    close(second);
    close(third);
    world->telemetry.server = NULL;
    server_close(server, 0, world_set_true, &closed);
    loop_run_until(&world->loop, &closed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fleet),
        TEST(test_resolver),
        TEST(test_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
