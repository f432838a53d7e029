#include "discovery_world.h"

#include "discovery/elasticache.h"
#include "fake_server.h"

#include <stdlib.h>

#define TWO_NODES "a.cache|127.0.0.1|11211 b.cache||11212"

static struct discovery_world world;
static struct fake_server endpoint;
static char reply[2048];

int discoverer_new(struct discoverer **discoverer, const struct discovery_services *services,
                   const struct discovery_config *config, struct buffer *error)
{
    return elasticache_new(discoverer, services, config, error);
}

static int set_up(void **state)
{
    (void) state;
    world_open(&world);
    fake_server_start(&endpoint, &world.names.loop);
    return 0;
}

static void finish(void)
{
    fake_server_stop(&endpoint);
    world_close(&world);
}

/* What the endpoint says from now on. */
static void says(unsigned version, const char *nodes)
{
    char payload[1024];
    snprintf(payload, sizeof(payload), "%u\n%s\n", version, nodes);
    snprintf(reply, sizeof(reply), "CONFIG cluster 0 %zu\r\n%s\r\nEND\r\n", strlen(payload), payload);
    endpoint.reply = reply;
}

static struct discovery_config config_of(const char *host)
{
    char text[128];
    struct discovery_config config = {.kind = DISCOVERY_ELASTICACHE, .refresh_ms = 20};
    config.elasticache.timeout_ms = 500;
    snprintf(text, sizeof(text), "%s:%d", host, endpoint.port);
    assert_null(address_parse(&config.elasticache.endpoint, slice_of(text), 1));
    return config;
}

static void start(void)
{
    struct discovery_config config = config_of("127.0.0.1");
    world_start(&world, &config);
    world_await(&world, 1);
}

static const struct discovery_state *now(void)
{
    return discovery_state(world.discovery);
}

static void check_error(const char *why)
{
    char expected[512];
    snprintf(expected, sizeof(expected), "127.0.0.1:%d: %s", endpoint.port, why);
    assert_string_equal(now()->error, expected);
}

static void test_nodes(void **state)
{
    (void) state;
    says(12, TWO_NODES);
    start();
    assert_string_equal(now()->kind, "elasticache");
    assert_string_equal(now()->error, "");
    assert_int_equal(now()->targets, 2);
    assert_string_equal(endpoint.heard, "config get cluster\r\n");

    const struct results_target *first = world_target(&world, 0), *second = world_target(&world, 1);
    assert_string_equal(first->address, "127.0.0.1:11211");
    assert_string_equal(world_label(first, "__meta_elasticache_host"), "a.cache");
    assert_string_equal(world_label(first, "__meta_elasticache_version"), "12");
    assert_string_equal(second->address, "b.cache:11212");
    assert_string_equal(world_label(second, "__meta_elasticache_host"), "b.cache");
    finish();
}

static void test_nodes_without_names(void **state)
{
    (void) state;
    says(1, "|2001:db8::1|11211");
    start();
    assert_string_equal(world_target(&world, 0)->address, "[2001:db8::1]:11211");
    assert_int_equal(world_target(&world, 0)->label_count, 1);
    finish();
}

/* An endpoint is a name as a rule, and none of its connections stays. */
static void test_each_question_has_its_connection(void **state)
{
    struct discovery_config config = config_of("localhost");
    (void) state;
    says(1, TWO_NODES);
    world_start(&world, &config);
    world_await(&world, 3);
    assert_int_equal(now()->failures, 0);
    assert_int_equal(endpoint.accepted, 3);
    loop_run_for(&world.names.loop, 10);
    unsigned open = 0;
    for (size_t i = 0; i < FAKE_CONNECTIONS_MAX; i++) open += endpoint.connections[i].open;
    assert_in_range(open, 0, 1);
    finish();
}

static void test_old_servers_are_asked_otherwise(void **state)
{
    (void) state;
    endpoint.reply = "ERROR\r\n";
    endpoint.second_reply = "VALUE AmazonElastiCache:cluster 0 24\r\n5\na.cache|10.0.0.1|11211\r\nEND\r\n";
    start();
    assert_string_equal(now()->error, "");
    assert_int_equal(now()->targets, 1);
    assert_string_equal(endpoint.heard, "config get cluster\r\nget AmazonElastiCache:cluster\r\n");
    assert_int_equal(endpoint.accepted, 1);
    finish();
}

static void test_changed_nodes_are_followed(void **state)
{
    (void) state;
    says(1, TWO_NODES);
    start();
    says(2, "a.cache|127.0.0.1|11211");
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    assert_int_equal(now()->targets, 1);
    assert_string_equal(world_label(world_target(&world, 0), "__meta_elasticache_version"), "2");

    says(3, "a|127.0.0.1|1 b|127.0.0.2|1");
    world_await_next(&world);
    assert_int_equal(world.changes, 3);
    says(3, "b|127.0.0.2|1 a|127.0.0.1|1");
    world_await_next(&world);
    assert_int_equal(world.changes, 3);
    finish();
}

/* For three intervals of 20 ms an old version is the answer of a node that lags behind. */
static void test_older_versions_wait(void **state)
{
    (void) state;
    says(12, TWO_NODES);
    start();
    says(11, "old.cache|127.0.0.9|11211");
    world_await_next(&world);
    check_error("expected version 12 of the configuration or a later one, found 11");
    assert_int_equal(now()->targets, 2);

    says(12, TWO_NODES);
    world_await_next(&world);
    assert_string_equal(now()->error, "");
    says(3, "new.cache|127.0.0.3|11211");
    uint64_t start_ms = uv_now(&world.names.loop);
    for (unsigned i = 0; i < 100 && now()->targets == 2; i++) world_await_next(&world);
    assert_in_range(uv_now(&world.names.loop) - start_ms, 60, 1000);
    assert_string_equal(now()->error, "");
    assert_string_equal(world_target(&world, 0)->address, "127.0.0.3:11211");
    says(4, TWO_NODES);
    world_await_next(&world);
    assert_int_equal(now()->targets, 2);
    finish();
}

static void test_no_nodes_is_a_failure(void **state)
{
    (void) state;
    says(1, TWO_NODES);
    start();
    says(2, "");
    world_await_next(&world);
    assert_true(now()->empty);
    assert_int_equal(now()->failures, 1);
    assert_int_equal(discovery_found(world.discovery)->count, 2);
    assert_int_equal(world.changes, 1);
    finish();
}

static void check_reply(const char *text, const char *why)
{
    endpoint.reply = text;
    world_await_next(&world);
    check_error(why);
    assert_int_equal(discovery_found(world.discovery)->count, 2);
}

static void test_bad_replies(void **state)
{
    (void) state;
    says(1, TWO_NODES);
    start();
    check_reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                "expected a configuration endpoint's \"CONFIG cluster 0 LENGTH\", found \"HTTP/1.1 400 Bad "
                "Request\"");
    check_reply("ERROR\r\n",
                "expected a configuration endpoint, found a server without \"config get cluster\"");
    check_reply("CONFIG cluster 0 4\r\nx\na\n\r\nEND\r\n",
                "expected the version of the configuration, a number, found \"x\"");
    check_reply("\xff\xfe\n",
                "expected a configuration endpoint's \"CONFIG cluster 0 LENGTH\", found \"\xef\xbf\xbd"
                "\xef\xbf\xbd\"");
    assert_int_equal(world.changes, 1);
    finish();
}

static void test_endless_replies(void **state)
{
    size_t len = 100000;
    char *text = malloc(len);
    (void) state;
    memset(text, '\n', len);
    memcpy(text, "CONFIG cluster 0 2\r\n1\n", 22);
    endpoint.reply = text;
    endpoint.reply_len = len;
    start();
    check_error("expected a reply of at most 64 KiB");
    finish();
    free(text);
}

/* A byte at a time, each in a packet of its own. */
static void test_replies_in_pieces(void **state)
{
    char text[2048];
    (void) state;
    says(7, TWO_NODES);
    snprintf(text, sizeof(text), "%s", reply);
    endpoint.reply = NULL;
    struct discovery_config config = config_of("127.0.0.1");
    world_start(&world, &config);
    loop_run_until_count(&world.names.loop, &endpoint.requests, 1);
    for (const char *c = text; *c; c++) {
        uv_buf_t byte = uv_buf_init((char *) (uintptr_t) c, 1);
        assert_int_equal(now()->refreshes, 0);
        assert_int_equal(uv_try_write((uv_stream_t *) &endpoint.connections[0].tcp, &byte, 1), 1);
        loop_turn(&world.names.loop, 2);
    }
    world_await(&world, 1);
    assert_string_equal(now()->error, "");
    assert_int_equal(now()->targets, 2);
    finish();
}

static void test_lost_connections(void **state)
{
    (void) state;
    endpoint.close_unanswered = 1;
    start();
    check_error("the connection ended without a reply");
    endpoint.reply = "CONFIG clus";
    endpoint.close_after_reply = true;
    world_await_next(&world);
    check_error("the connection ended within the reply");
    finish();
}

static void test_nobody_there(void **state)
{
    struct discovery_config config = config_of("127.0.0.1");
    (void) state;
    config.elasticache.endpoint.port = 1;
    world_start(&world, &config);
    world_await(&world, 1);
    assert_string_equal(now()->error, "127.0.0.1:1: connection refused");
    finish();
}

static void test_unknown_name(void **state)
{
    struct discovery_config config = config_of("cfg.cache.test");
    char expected[128];
    (void) state;
    world.names.server.code = world.names.server.code6 = DNS_SERVER_NXDOMAIN;
    world_start(&world, &config);
    world_await(&world, 1);
    snprintf(expected, sizeof(expected), "cfg.cache.test:%d: name not found", endpoint.port);
    assert_string_equal(now()->error, expected);
    finish();
}

static void on_enter(struct limiter_ticket *ticket)
{
    (void) ticket;
}

/* One deadline for the name, the line at the limiter and the reply. */
static void test_deadline(void **state)
{
    struct discovery_config config = config_of("127.0.0.1"), named = config_of("cfg.cache.test");
    struct limiter_ticket ticket;
    (void) state;
    config.elasticache.timeout_ms = named.elasticache.timeout_ms = 30;
    world_start(&world, &config);
    world_await(&world, 1);
    check_error("no answer within 30 ms, while its reply was read");

    limiter_ticket_init(&ticket);
    limiter_enter(&world.limiter, &ticket, on_enter);
    world_await(&world, 3);
    check_error("no answer within 30 ms, while it waited for other connections");
    limiter_leave(&world.limiter, &ticket);
    says(1, TWO_NODES);
    world_await_next(&world);
    assert_string_equal(now()->error, "");
    world_stop(&world);
    loop_run_until_count(&world.names.loop, &world.closed, 1);

    world.names.server.silent = DNS_SERVER_FOREVER;
    world_start(&world, &named);
    world_await(&world, 1);
    assert_non_null(strstr(now()->error, "no answer within 30 ms, while its name was looked up"));
    finish();
}

static void test_close_at_every_turn(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "cfg.cache.test"};
    (void) state;
    for (unsigned i = 0; i < 3 * 12; i++) {
        if (i) set_up(NULL);
        struct discovery_config config = config_of(hosts[i % 3]);
        says(1, TWO_NODES);
        world_start(&world, &config);
        loop_turn(&world.names.loop, i / 3);
        finish();
    }
}

/* At the moment of the deadline, whose cancelling is then under way. */
static void test_close_after_the_deadline(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 4; turns++) {
        if (turns) set_up(NULL);
        struct discovery_config config = config_of("127.0.0.1");
        struct limiter_ticket ticket;
        limiter_ticket_init(&ticket);
        limiter_enter(&world.limiter, &ticket, on_enter);
        config.elasticache.timeout_ms = 1;
        world_start(&world, &config);
        loop_turn(&world.names.loop, 2);
        uv_sleep(3);
        loop_turn(&world.names.loop, turns);
        limiter_leave(&world.limiter, &ticket);
        finish();
    }
}

static void test_close_inside_a_change(void **state)
{
    (void) state;
    says(1, TWO_NODES);
    world.close_inside = true;
    start();
    finish();
    assert_int_equal(world.changes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nodes, set_up),
        cmocka_unit_test_setup(test_nodes_without_names, set_up),
        cmocka_unit_test_setup(test_each_question_has_its_connection, set_up),
        cmocka_unit_test_setup(test_old_servers_are_asked_otherwise, set_up),
        cmocka_unit_test_setup(test_changed_nodes_are_followed, set_up),
        cmocka_unit_test_setup(test_older_versions_wait, set_up),
        cmocka_unit_test_setup(test_no_nodes_is_a_failure, set_up),
        cmocka_unit_test_setup(test_bad_replies, set_up),
        cmocka_unit_test_setup(test_endless_replies, set_up),
        cmocka_unit_test_setup(test_replies_in_pieces, set_up),
        cmocka_unit_test_setup(test_lost_connections, set_up),
        cmocka_unit_test_setup(test_nobody_there, set_up),
        cmocka_unit_test_setup(test_unknown_name, set_up),
        cmocka_unit_test_setup(test_deadline, set_up),
        cmocka_unit_test_setup(test_close_at_every_turn, set_up),
        cmocka_unit_test_setup(test_close_after_the_deadline, set_up),
        cmocka_unit_test_setup(test_close_inside_a_change, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
