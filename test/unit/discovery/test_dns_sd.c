#include "discovery_world.h"

#include "discovery/dns_sd.h"

static struct discovery_world world;

int discoverer_new(struct discoverer **discoverer, const struct discovery_services *services,
                   const struct discovery_config *config, struct buffer *error)
{
    return dns_sd_new(discoverer, services, config, error);
}

static int set_up(void **state)
{
    (void) state;
    world_open(&world);
    return 0;
}

static struct discovery_config config_of(enum dns_type type)
{
    return (struct discovery_config){
        .kind = DISCOVERY_DNS, .refresh_ms = 20, .dns = {"cache.test", type, 11211}};
}

static void start(enum dns_type type)
{
    struct discovery_config config = config_of(type);
    world_start(&world, &config);
    world_await(&world, 1);
}

static const struct discovery_state *now(void)
{
    return discovery_state(world.discovery);
}

static void test_addresses(void **state)
{
    (void) state;
    world.names.server.a = 2;
    start(DNS_A);
    assert_string_equal(now()->kind, "dns");
    assert_string_equal(now()->subject, "cache.test");
    assert_string_equal(now()->error, "");
    assert_int_equal(now()->targets, 2);
    assert_string_equal(world_target(&world, 0)->address, "127.0.1.1:11211");
    assert_string_equal(world_target(&world, 1)->address, "127.0.1.2:11211");
    assert_int_equal(world_target(&world, 0)->label_count, 1);
    assert_string_equal(world_label(world_target(&world, 0), "__meta_dns_name"), "cache.test");
    world_close(&world);
}

static void check_family(enum dns_type type, const char *first, const char *second)
{
    start(type);
    assert_int_equal(now()->targets, second ? 2 : 1);
    assert_string_equal(world_target(&world, 0)->address, first);
    if (second) assert_string_equal(world_target(&world, 1)->address, second);
    world_stop(&world);
    loop_run_until_count(&world.names.loop, &world.closed, 1);
}

static void test_families(void **state)
{
    (void) state;
    world.names.server.aaaa = true;
    check_family(DNS_A, "127.0.1.1:11211", NULL);
    check_family(DNS_AAAA, "[::1]:11211", NULL);
    check_family(DNS_ADDRESSES, "127.0.1.1:11211", "[::1]:11211");
    world_close(&world);
}

static void test_services(void **state)
{
    (void) state;
    world.names.server.srv = 2;
    world.names.server.port_of = 11299;
    start(DNS_SRV);
    assert_int_equal(now()->targets, 2);
    assert_string_equal(world_target(&world, 0)->address, "node-1.test:11299");
    assert_string_equal(world_target(&world, 1)->address, "node-2.test:11299");
    assert_string_equal(world_label(world_target(&world, 1), "__meta_dns_name"), "cache.test");
    assert_string_equal(world_label(world_target(&world, 1), "__meta_dns_srv_record_target"), "node-2.test.");
    assert_string_equal(world_label(world_target(&world, 1), "__meta_dns_srv_record_port"), "11299");
    world_close(&world);
}

static void test_hundreds(void **state)
{
    (void) state;
    world.names.server.a = world.names.server.srv = 300;
    start(DNS_A);
    assert_int_equal(now()->targets, 300);
    world_stop(&world);
    loop_run_until_count(&world.names.loop, &world.closed, 1);
    start(DNS_SRV);
    assert_int_equal(now()->targets, 300);
    world_close(&world);
}

static void test_changed_records_are_followed(void **state)
{
    (void) state;
    start(DNS_A);
    assert_int_equal(world.changes, 1);
    world.names.server.a = 3;
    world_await_next(&world);
    assert_int_equal(world.changes, 2);
    assert_int_equal(now()->targets, 3);
    world.names.server.a = 1;
    world_await_next(&world);
    assert_int_equal(world.changes, 3);
    assert_int_equal(now()->targets, 1);
    world_close(&world);
}

/* Several answers in a row fail so, and what was found stays. */
static void check_kept(const char *error, bool empty)
{
    uint64_t before = now()->failures;
    world_await_next(&world);
    assert_int_equal(now()->failures, before + 1);
    assert_string_equal(now()->error, error);
    assert_int_equal(now()->empty, empty);
    assert_int_equal(world.changes, 1);
    assert_int_equal(discovery_found(world.discovery)->count, 1);
}

static void test_failures_keep_the_addresses(void **state)
{
    (void) state;
    start(DNS_A);
    world.names.server.code = DNS_SERVER_SERVFAIL;
    check_kept("A cache.test: no name server could answer", false);
    world.names.server.code = DNS_SERVER_NXDOMAIN;
    check_kept("A cache.test: name not found", true);
    world.names.server.code = 0;
    world.names.server.a = 0;
    check_kept("A cache.test: the name has no address", true);
    world.names.server.a = 1;
    world.names.server.cut = 1;
    check_kept("A cache.test: the name server's answer is malformed", true);
    world.names.server.cut = 0;
    world_await_next(&world);
    assert_string_equal(now()->error, "");
    assert_false(now()->empty);
    assert_int_equal(world.changes, 1);
    world_close(&world);
}

static void test_failures_keep_the_services(void **state)
{
    (void) state;
    world.names.server.srv = 1;
    start(DNS_SRV);
    world.names.server.code = DNS_SERVER_NXDOMAIN;
    check_kept("SRV cache.test: name not found", true);
    world.names.server.code = 0;
    world.names.server.srv = 0;
    check_kept("SRV cache.test: the name has no SRV record", true);
    world.names.server.srv = 1;
    world_close(&world);
}

/* An answer that was on its way when the server changed may come in between. */
static void await_targets(size_t count)
{
    for (unsigned n = 0; n < 100 && now()->targets != count; n++) world_await_next(&world);
    assert_int_equal(now()->targets, count);
}

/* A record with port 0 or a target that is no host is left out. */
static void test_bad_services_are_left_out(void **state)
{
    (void) state;
    world.names.server.srv = 2;
    world.names.server.port_of = 0;
    start(DNS_SRV);
    assert_int_equal(now()->targets, 0);
    assert_int_equal(discovery_found(world.discovery)->dropped, 2);
    assert_string_equal(discovery_found(world.discovery)->dropped_example,
                        "\"node-1.test:0\": expected a port from 1 to 65535");
    world.names.server.port_of = 11211;
    world.names.server.target = "no host";
    world_await_next(&world);
    assert_int_equal(discovery_found(world.discovery)->dropped, 2);
    world.names.server.target = NULL;
    await_targets(2);
    assert_int_equal(discovery_found(world.discovery)->dropped, 0);
    world_close(&world);
}

/* RFC 2782: the target "." says that the domain does not have the service. */
static void test_no_service_is_believed_at_once(void **state)
{
    (void) state;
    world.names.server.srv = 2;
    start(DNS_SRV);
    assert_int_equal(now()->targets, 2);
    world.names.server.target = "";
    await_targets(0);
    assert_string_equal(now()->error, "");
    assert_true(now()->empty);
    assert_int_equal(now()->failures, 0);
    world_close(&world);
}

static void test_absence_is_believed_when_it_lasts(void **state)
{
    (void) state;
    world.names.server.a = 2;
    start(DNS_A);
    world.names.server.code = DNS_SERVER_NXDOMAIN;
    uint64_t before = now()->refreshes;
    for (world_await_next(&world); now()->refreshes - before < DISCOVERY_EMPTY_MAX; world_await_next(&world))
        assert_int_equal(now()->targets, 2);
    await_targets(0);
    assert_int_equal(world.changes, 2);
    world.names.server.code = 0;
    await_targets(2);
    world_close(&world);
}

static void test_a_silent_server_is_a_failure(void **state)
{
    (void) state;
    start(DNS_A);
    world.names.server.silent = DNS_SERVER_FOREVER;
    check_kept("A cache.test: the name servers do not answer", false);
    world_close(&world);
}

static uint64_t wait_ms(uint32_t ttl)
{
    struct discovery_config config = config_of(DNS_A);
    config.refresh_ms = 0;
    world.names.server.ttl = ttl;
    world_start(&world, &config);
    world_await(&world, 1);
    uint64_t start_ms = uv_now(&world.names.loop);
    unsigned packets = world.names.server.packets;
    while (world.names.server.packets == packets && uv_now(&world.names.loop) < start_ms + 2500) {
        loop_turn(&world.names.loop, 1);
        uv_sleep(1);
    }
    uint64_t taken_ms = uv_now(&world.names.loop) - start_ms;
    world_stop(&world);
    loop_run_until_count(&world.names.loop, &world.closed, 1);
    return taken_ms;
}

/* A TTL of 0 does not mean that it is asked all the time, but that the default holds. */
static void test_the_ttl_is_the_interval(void **state)
{
    (void) state;
    assert_in_range(wait_ms(1), 850, 1500);
    assert_in_range(wait_ms(60), 2500, 10000);
    assert_in_range(wait_ms(0), 2500, 10000);
    world_close(&world);
}

static void test_close_at_every_turn(void **state)
{
    static const enum dns_type types[] = {DNS_A, DNS_SRV};
    (void) state;
    for (unsigned turns = 0; turns < 8; turns++) {
        struct discovery_config config = config_of(types[turns % 2]);
        if (turns) set_up(NULL);
        world.names.server.srv = 1;
        world_start(&world, &config);
        loop_turn(&world.names.loop, turns / 2);
        world_close(&world);
    }
}

static void test_close_inside_a_change(void **state)
{
    struct discovery_config config = config_of(DNS_A);
    (void) state;
    world.close_inside = true;
    world_start(&world, &config);
    world_await(&world, 1);
    world_close(&world);
    assert_int_equal(world.changes, 1);
}

/* The name servers go before the one who asks them, as when the program ends. */
static void test_aborted_questions_are_failures(void **state)
{
    struct discovery_config config = config_of(DNS_A);
    (void) state;
    world.names.server.silent = DNS_SERVER_FOREVER;
    world_start(&world, &config);
    loop_run_until_count(&world.names.loop, &world.names.server.packets, 1);
    dns_close(world.dns, dns_world_on_closed, &world.names.closed);
    assert_string_equal(now()->error, "A cache.test: the name servers were changed meanwhile");
    world_stop(&world);
    assert_int_equal(dns_new(&world.dns, &world.names.loop, "127.0.0.1:1"), 0);
    loop_run_until_count(&world.names.loop, &world.names.closed, 1);
    world.names.closed = 0;
    world_close(&world);
}

static char config_path[64];

static void write_config(const char *text)
{
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void check_changed_config(struct dns_server *other)
{
    other->a = 2;
    start(DNS_A);
    assert_int_equal(now()->targets, 1);
    write_config("nameserver 127.0.0.80\nsearch example.test\n");
    for (unsigned i = 0; i < 100 && now()->targets == 1; i++) world_await_next(&world);
    assert_int_equal(now()->targets, 2);
}

/* A file of resolv.conf's form names no ports, so this needs the one of DNS. */
static void test_changed_name_servers_are_followed(void **state)
{
    struct dns_server one, other;
    struct dns *own = world.dns;
    (void) state;
    dns_server_start(&one, &world.names.loop, "127.0.0.79", 53);
    dns_server_start(&other, &world.names.loop, "127.0.0.80", 53);
    bool allowed = one.port && other.port;
    snprintf(config_path, sizeof(config_path), "/tmp/test_dns_sd.%d", (int) getpid());
    write_config("nameserver 127.0.0.79\n");
    assert_int_equal(dns_new(&world.dns, &world.names.loop, config_path), 0);
    world.services.dns = world.dns;
    if (allowed)
        check_changed_config(&other);
    else
        world.closed = 1;
    unlink(config_path);
    dns_server_stop(&one);
    dns_server_stop(&other);
    dns_close(own, dns_world_on_closed, &world.names.closed);
    loop_run_until_count(&world.names.loop, &world.names.closed, 1);
    world.names.closed = 0;
    world_close(&world);
    if (!allowed) print_message("# port 53 is not free to use here: passed over\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_addresses, set_up),
        cmocka_unit_test_setup(test_families, set_up),
        cmocka_unit_test_setup(test_services, set_up),
        cmocka_unit_test_setup(test_hundreds, set_up),
        cmocka_unit_test_setup(test_changed_records_are_followed, set_up),
        cmocka_unit_test_setup(test_failures_keep_the_addresses, set_up),
        cmocka_unit_test_setup(test_failures_keep_the_services, set_up),
        cmocka_unit_test_setup(test_bad_services_are_left_out, set_up),
        cmocka_unit_test_setup(test_no_service_is_believed_at_once, set_up),
        cmocka_unit_test_setup(test_absence_is_believed_when_it_lasts, set_up),
        cmocka_unit_test_setup(test_a_silent_server_is_a_failure, set_up),
        cmocka_unit_test_setup(test_the_ttl_is_the_interval, set_up),
        cmocka_unit_test_setup(test_close_at_every_turn, set_up),
        cmocka_unit_test_setup(test_close_inside_a_change, set_up),
        cmocka_unit_test_setup(test_changed_name_servers_are_followed, set_up),
        cmocka_unit_test_setup(test_aborted_questions_are_failures, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
