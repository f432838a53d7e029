/* Each allocation in turn fails: nothing is lost by it, what was found stays, and the next answer makes up
 * for it. */
#include "discovery_world.h"

#include "failing.h"
#include "fake_server.h"

#include <stdlib.h>

static struct discovery_world world;
static struct fake_server endpoint;
static char reply[256];

/* What the endpoint says from now on; another port is another list. */
static void says(unsigned version)
{
    char payload[128];
    snprintf(payload, sizeof(payload), "%u\na|127.0.0.1|%u b||%u\n", version, version, version);
    snprintf(reply, sizeof(reply), "CONFIG cluster 0 %zu\r\n%s\r\nEND\r\n", strlen(payload), payload);
    endpoint.reply = reply;
}

static void open_world(void)
{
    world_open(&world);
    fake_server_start(&endpoint, &world.names.loop);
    says(1);
}

static void finish(void)
{
    fake_server_stop(&endpoint);
    world_close(&world);
}

static struct discovery_config config_of(enum discovery_kind kind)
{
    static const char *const patterns[] = {"nothing/*.json", "nothing/*.yml"};
    struct discovery_config config = {.kind = kind, .refresh_ms = 1};
    char text[32];
    switch (kind) {
    case DISCOVERY_DNS:
        config.dns.name = "cache.test";
        config.dns.port = 11211;
        break;
    case DISCOVERY_FILE_SD:
        config.file_sd.patterns = patterns;
        config.file_sd.count = 2;
        config.file_sd.directory = "/tmp";
        break;
    case DISCOVERY_HTTP_SD:
        config.http_sd.url = "http://127.0.0.1:1/";
        break;
    case DISCOVERY_ELASTICACHE:
        snprintf(text, sizeof(text), "127.0.0.1:%d", endpoint.port);
        assert_null(address_parse(&config.elasticache.endpoint, slice_of(text), 1));
        break;
    }
    return config;
}

/* --- It cannot be made --- */

static int make(const struct discovery_config *config, unsigned number)
{
    struct buffer error;
    buffer_init(&error, 1024);
    allocations = 0;
    failing = number;
    int status = discovery_new(&world.discovery, &world.services, config, world_on_change, &world, &error);
    failing = 0;
    assert_int_equal(status, allocations >= number ? UV_ENOMEM : 0);
    if (status < 0) {
        assert_true(error.failed || slice_is(buffer_slice(&error), uv_strerror(UV_ENOMEM)));
        world.discovery = NULL;
    }
    buffer_deinit(&error);
    return status;
}

static void check_making(enum discovery_kind kind)
{
    open_world();
    struct discovery_config config = config_of(kind);
    unsigned number = 1;
    while (make(&config, number) < 0) assert_true(++number < 100);
    finish();
}

static void test_making(void **state)
{
    (void) state;
    check_making(DISCOVERY_DNS);
    check_making(DISCOVERY_FILE_SD);
    check_making(DISCOVERY_HTTP_SD);
    check_making(DISCOVERY_ELASTICACHE);
}

/* --- It cannot take an answer --- */

/* Makes both sources find another list than the last one. */
static void change(unsigned number)
{
    world.names.server.a = 2 + number % 2;
    says(number + 1);
}

static size_t expected(enum discovery_kind kind)
{
    return kind == DISCOVERY_DNS ? world.names.server.a : 2;
}

/*
 * Whether the allocation that was to fail has been reached: then the answer was a failure or, where it was
 * not needed, right all the same. What was found stays until there is a right one.
 */
static bool answer(enum discovery_kind kind, unsigned number)
{
    const struct discovery_state *now = discovery_state(world.discovery);
    size_t before = now->targets;
    uint64_t failures = now->failures;
    change(number);
    allocations = 0;
    failing = number;
    world_await_next(&world);
    failing = 0;
    bool reached = allocations >= number;
    assert_in_range(now->failures - failures, 0, reached);
    assert_int_equal(now->targets, now->failures > failures ? before : expected(kind));
    while (now->error[0] || now->targets != expected(kind)) world_await_next(&world);
    return reached;
}

static void check_answers(enum discovery_kind kind)
{
    unsigned number = 1;
    open_world();
    struct discovery_config config = config_of(kind);
    change(0);
    world_start(&world, &config);
    world_await(&world, 1);
    while (answer(kind, number)) assert_true(++number < 100);
    assert_true(discovery_state(world.discovery)->failures > 0);
    finish();
}

static void test_answers(void **state)
{
    (void) state;
    check_answers(DISCOVERY_DNS);
    check_answers(DISCOVERY_ELASTICACHE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
