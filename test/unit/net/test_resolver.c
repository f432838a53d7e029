#include "net/resolver.h"

#include "base/container.h"
#include "dns_world.h"

/* One who asks, and what it has heard. */
struct asker {
    struct lookup lookup;
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX];
    size_t count;
    char error[80];
    unsigned answers;
    struct lookup *victim; /* cancelled when the answer comes */
    const char *again;     /* asked for when the answer comes */
};

static struct dns_world world;
static struct dns_server *const server = &world.server;
static struct resolver *resolver;
static struct dns_server other;
static struct asker askers[300];
static bool close_inside;

static void ask(struct asker *asker, const char *name);

static void on_done(struct lookup *lookup, const union endpoint *endpoints, size_t count, const char *error)
{
    struct asker *asker = container_of(lookup, struct asker, lookup);
    assert_int_equal(count == 0, error != NULL);
    asker->answers++;
    asker->count = count;
    memcpy(asker->endpoints, endpoints, count * sizeof(*endpoints));
    snprintf(asker->error, sizeof(asker->error), "%s", error ? error : "");
    if (asker->victim) lookup_cancel(asker->victim);
    if (asker->again) ask(asker, asker->again);
    if (close_inside) resolver_close(resolver, dns_world_on_closed, &world.closed);
}

static void ask(struct asker *asker, const char *name)
{
    unsigned before = asker->answers;
    assert_int_equal(resolver_lookup(resolver, &asker->lookup, name, on_done), 0);
    assert_int_equal(asker->answers, before);
}

static void await(struct asker *asker, unsigned answers)
{
    loop_run_until_count(&world.loop, &asker->answers, answers);
}

static void ask_and_await(struct asker *asker, const char *name)
{
    ask(asker, name);
    await(asker, asker->answers + 1);
}

static void forget_askers(void)
{
    memset(askers, 0, sizeof(askers));
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) lookup_init(&askers[i].lookup);
    close_inside = false;
}

static int set_up(void **state)
{
    (void) state;
    forget_askers();
    dns_world_open(&world);
    assert_int_equal(resolver_new(&resolver, &world.loop, world.servers), 0);
    return 0;
}

static void finish(void)
{
    resolver_close(resolver, dns_world_on_closed, &world.closed);
    assert_int_equal(world.closed, 0);
    dns_world_close(&world, 1);
}

static void test_addresses(void **state)
{
    (void) state;
    server->a = 2;
    server->aaaa = true;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 3);
    assert_int_equal(server->packets, 2);

    /* RFC 6724 puts ::1 first. */
    assert_int_equal(askers[0].endpoints[0].v6.sin6_family, AF_INET6);
    assert_int_equal(askers[0].endpoints[0].v6.sin6_port, 0);
    assert_memory_equal(&askers[0].endpoints[0].v6.sin6_addr, &in6addr_loopback, 16);
    assert_int_equal(askers[0].endpoints[1].v4.sin_family, AF_INET);
    assert_int_equal(askers[0].endpoints[1].v4.sin_port, 0);
    assert_int_equal(askers[0].endpoints[1].v4.sin_addr.s_addr, htonl(0x7f000101));
    assert_int_equal(askers[0].endpoints[2].v4.sin_addr.s_addr, htonl(0x7f000102));
    finish();
}

static void test_answers_are_kept(void **state)
{
    (void) state;
    ask_and_await(&askers[0], "cache.test");
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(server->packets, 2);
    ask_and_await(&askers[1], "other.test");
    assert_int_equal(server->packets, 4);

    struct resolver_counts counts = resolver_counts(resolver);
    assert_int_equal(counts.lookups, 3);
    assert_int_equal(counts.queries, 2);
    assert_int_equal(counts.failures, 0);
    finish();
}

static void test_the_first_of_many_addresses(void **state)
{
    (void) state;
    server->a = RESOLVER_ADDRESSES_MAX + 4;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, RESOLVER_ADDRESSES_MAX);
    finish();
}

/* Answers that hold for no time are kept for the second in which many may ask. */
static void test_no_time_to_live(void **state)
{
    (void) state;
    server->ttl = 0;
    ask_and_await(&askers[0], "cache.test");
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(server->packets, 2);
    finish();
}

static void test_one_query_for_all(void **state)
{
    (void) state;
    for (size_t i = 0; i < 3; i++) ask(&askers[i], "cache.test");
    loop_turn(&world.loop, 1);
    ask(&askers[3], "cache.test");
    for (size_t i = 0; i < 4; i++) await(&askers[i], 1);
    loop_turn(&world.loop, 5);
    for (size_t i = 0; i < 4; i++) assert_int_equal(askers[i].answers, 1);
    assert_int_equal(server->packets, 2);
    finish();
}

/* How many packets two look-ups make that are so far apart. */
static unsigned packets_of_two(unsigned ms)
{
    ask_and_await(&askers[0], "cache.test");
    loop_run_for(&world.loop, ms);
    ask_and_await(&askers[0], "cache.test");
    return server->packets;
}

static void test_expiry(void **state)
{
    (void) state;
    server->ttl = 1;
    assert_int_equal(packets_of_two(1150), 4);
    finish();
}

static void test_no_such_name(void **state)
{
    (void) state;
    server->code = server->code6 = DNS_SERVER_NXDOMAIN;
    assert_int_equal(packets_of_two(300), 2);
    assert_string_equal(askers[0].error, "name not found");
    assert_int_equal(resolver_counts(resolver).failures, 1);

    /* It is there now; the failure is forgotten after a second. */
    server->code = server->code6 = 0;
    loop_run_for(&world.loop, 1000);
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 1);
    finish();
}

static void test_localhost(void **state)
{
    static const char *const names[] = {"localhost", "localhost.", "a.b.localhost", "a.localhost."};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ask_and_await(&askers[i], names[i]);
        assert_int_equal(askers[i].count, 2);
        assert_int_equal(askers[i].endpoints[0].v4.sin_family, AF_INET);
        assert_int_equal(askers[i].endpoints[0].v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        assert_int_equal(askers[i].endpoints[1].v6.sin6_family, AF_INET6);
        assert_memory_equal(&askers[i].endpoints[1].v6.sin6_addr, &in6addr_loopback, 16);
    }
    assert_int_equal(server->packets, 0);
    assert_int_equal(resolver_counts(resolver).queries, 0);
    ask_and_await(&askers[0], "notlocalhost.test");
    ask_and_await(&askers[0], "notlocalhost");
    assert_int_equal(server->packets, 4);
    finish();
}

static void test_cancel_at_any_time(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 6; turns++) {
        if (turns) set_up(NULL);
        ask(&askers[0], "cache.test");
        ask(&askers[1], "cache.test");
        loop_turn(&world.loop, turns);
        unsigned answers = askers[0].answers;
        lookup_cancel(&askers[0].lookup);
        lookup_cancel(&askers[0].lookup);
        await(&askers[1], 1);
        loop_turn(&world.loop, 5);
        assert_int_equal(askers[0].answers, answers);
        assert_int_equal(server->packets, 2);
        finish();
    }
}

/* The answer to a query without callers is there for the next one. */
static void test_an_abandoned_answer_is_kept(void **state)
{
    (void) state;
    ask(&askers[0], "cache.test");
    loop_turn(&world.loop, 1);
    lookup_cancel(&askers[0].lookup);
    loop_run_for(&world.loop, 100);
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(server->packets, 2);
    finish();
}

static void test_close_at_any_time(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 6; turns++) {
        if (turns) set_up(NULL);
        server->silent = turns % 2 ? DNS_SERVER_FOREVER : 0;
        ask(&askers[0], "cache.test");
        loop_turn(&world.loop, turns);
        unsigned answers = askers[0].answers;
        lookup_cancel(&askers[0].lookup);
        finish();
        assert_int_equal(askers[0].answers, answers);
    }
}

static void test_close_of_nothing(void **state)
{
    (void) state;
    resolver_close(NULL, dns_world_on_closed, NULL);
    finish();
}

static void test_close_inside_an_answer(void **state)
{
    (void) state;
    close_inside = true;
    ask(&askers[0], "cache.test");
    await(&askers[0], 1);
    dns_world_close(&world, 1);
}

static void test_cancel_inside_an_answer(void **state)
{
    (void) state;
    for (size_t i = 0; i < 3; i++) ask(&askers[i], "cache.test");
    askers[0].victim = &askers[1].lookup;
    await(&askers[2], 1);
    assert_int_equal(askers[0].answers, 1);
    assert_int_equal(askers[1].answers, 0);
    finish();
}

/* Answers from the cache do not hold the loop: each waits for the next turn. */
static void test_ask_again_inside_an_answer(void **state)
{
    (void) state;
    askers[0].again = "cache.test";
    ask(&askers[0], "cache.test");
    await(&askers[0], 1);
    unsigned before = askers[0].answers;
    loop_turn(&world.loop, 3);
    assert_int_equal(askers[0].answers, before + 3);
    askers[0].again = NULL;
    await(&askers[0], before + 4);
    assert_int_equal(server->packets, 2);
    finish();
}

static void ask_for_many(void)
{
    char name[32];
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
        snprintf(name, sizeof(name), "cache-%zu.test", i);
        ask(&askers[i], name);
    }
}

static void test_many_names(void **state)
{
    (void) state;
    ask_for_many();
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) await(&askers[i], 1);
    assert_int_equal(resolver_counts(resolver).queries, ARRAY_LEN(askers));
    assert_true(server->packets >= 2 * ARRAY_LEN(askers));
    finish();
}

/* Names in line that nobody wants any more are not asked for. */
static void test_many_names_are_given_up(void **state)
{
    (void) state;
    server->silent = DNS_SERVER_FOREVER;
    ask_for_many();
    loop_turn(&world.loop, 3);
    uint64_t asked = resolver_counts(resolver).queries; /* more than 100 when the machine was busy */
    assert_true(asked >= 100);
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) lookup_cancel(&askers[i].lookup);
    server->silent = 0;
    ask_and_await(&askers[299], "cache-299.test");
    loop_run_for(&world.loop, 400);
    assert_in_range(resolver_counts(resolver).queries, asked, asked + 1);
    finish();
}

/* The names that are known are bounded: the oldest is asked for anew. */
static void test_old_names_are_forgotten(void **state)
{
    char name[32];
    (void) state;
    ask_and_await(&askers[0], "old.test");
    for (unsigned i = 0; i < 16384; i++) {
        snprintf(name, sizeof(name), "%u.localhost", i);
        ask_and_await(&askers[1], name);
        if (i == 16000) ask_and_await(&askers[0], "old.test");
    }
    assert_int_equal(server->packets, 2);
    ask_and_await(&askers[0], "old.test");
    assert_int_equal(server->packets, 2);
    for (unsigned i = 0; i < 16384; i++) {
        snprintf(name, sizeof(name), "%u.again.localhost", i);
        ask_and_await(&askers[1], name);
    }
    ask_and_await(&askers[0], "old.test");
    assert_int_equal(server->packets, 4);
    finish();
}

static void test_bad_server_list(void **state)
{
    struct resolver *none;
    (void) state;
    assert_int_equal(resolver_new(&none, &world.loop, "127.0.0.1:53,nonsense"), UV_EINVAL);
    finish();
}

/* The new name makes the resolver look at the file; the one that waits for the old server goes along. */
static void check_changed_config(void)
{
    server->silent = DNS_SERVER_FOREVER;
    ask(&askers[0], "first.test");
    ask(&askers[1], "unwanted.test");
    loop_run_until_count(&world.loop, &server->packets, 4);
    lookup_cancel(&askers[1].lookup);
    dns_world_configure(&world, "nameserver 127.0.0.78\n");
    ask(&askers[2], "second.test");
    await(&askers[0], 1);
    await(&askers[2], 1);
    assert_int_equal(askers[0].count, 1);
    assert_int_equal(askers[2].count, 1);
    assert_true(server->packets >= 4 && other.packets >= 4); /* a busy machine repeats some */
}

/* A file of resolv.conf's form names no ports, so this needs the one of DNS. */
static void test_changed_config(void **state)
{
    (void) state;
    forget_askers();
    bool allowed = dns_world_open_on_port_53(&world, "127.0.0.79");
    dns_server_start(&other, &world.loop, "127.0.0.78", 53);
    dns_world_configure(&world, "nameserver 127.0.0.79\n");
    assert_int_equal(resolver_new(&resolver, &world.loop, world.config_path), 0);
    if (allowed && other.port) check_changed_config();
    dns_server_stop(&other);
    finish();
}

/* 300 names without an answer stand in line before one that has one. */
static void test_dead_names_lend_their_places(void **state)
{
    (void) state;
    server->silent_name = "cache-";
    ask_for_many();
    lookup_cancel(&askers[299].lookup);
    uint64_t start = uv_hrtime();
    ask_and_await(&askers[299], "healthy.test");
    assert_int_equal(askers[299].count, 1);
    print_message("# a name behind 299 dead ones: %u ms\n", (unsigned) ((uv_hrtime() - start) / 1000000));
    /* It would have had to wait for the end of 200. */
    unsigned ended = 0;
    for (size_t i = 0; i < 299; i++) ended += askers[i].answers;
    for (size_t i = 0; i < 299; i++) lookup_cancel(&askers[i].lookup);
    assert_true(ended < 200);
    finish();
}

/* A name whose question failed is asked for after the others: with one place left, the new one gets it. */
static void test_failed_names_wait_behind_the_others(void **state)
{
    (void) state;
    server->code = server->code6 = DNS_SERVER_SERVFAIL;
    ask_and_await(&askers[0], "failed.test");
    server->code = server->code6 = 0;
    loop_run_for(&world.loop, 1100);
    ask(&askers[0], "failed.test");
    ask(&askers[1], "new.test");
    await(&askers[0], 2);
    assert_int_equal(askers[1].answers, 1);
    finish();
}

/* The first question is lost with all its repetitions so far; who comes later does not wait for the next. */
static void test_a_late_caller_asks_beside_an_old_question(void **state)
{
    (void) state;
    server->silent = DNS_SERVER_FOREVER;
    ask(&askers[0], "cache.test");
    loop_run_for(&world.loop, 1000);
    lookup_cancel(&askers[0].lookup);
    server->silent = 0;
    uint64_t start = uv_hrtime();
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(resolver_counts(resolver).queries, 2);
    print_message("# beside an old question: %u ms\n", (unsigned) ((uv_hrtime() - start) / 1000000));
    loop_run_for(&world.loop, 50);
    finish();
}

static void test_half_an_answer_and_the_late_rest(void **state)
{
    (void) state;
    server->aaaa = true;
    server->silent_aaaa = true;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 1);
    union endpoint six = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback}};
    assert_true(resolver_lists(resolver, "cache.test", &six));
    server->silent_aaaa = false;
    loop_run_until_count(&world.loop, &server->packets, 3);
    loop_run_for(&world.loop, 20);
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 2);
    assert_int_equal(resolver_counts(resolver).queries, 1);
    finish();
}

static unsigned last_octet(const struct asker *asker)
{
    return ntohl(asker->endpoints[0].v4.sin_addr.s_addr) & 0xff;
}

/* The TTL is an hour, but the address has failed. */
static void test_distrusted_answers_are_asked_for_anew(void **state)
{
    (void) state;
    server->ttl = 3600;
    server->last_octet = 7;
    assert_false(resolver_distrust(resolver, "cache.test"));
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(last_octet(&askers[0]), 7);
    server->last_octet = 8;
    loop_run_for(&world.loop, 150);
    assert_true(resolver_distrust(resolver, "cache.test"));
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(last_octet(&askers[0]), 8);
    ask_and_await(&askers[1], "localhost");
    assert_false(resolver_distrust(resolver, "localhost"));
    finish();
}

static union endpoint endpoint_of(unsigned octet)
{
    union endpoint endpoint = {.v4 = {.sin_family = AF_INET, .sin_port = 1}};
    endpoint.v4.sin_addr.s_addr = htonl(0x7f000000 | octet);
    return endpoint;
}

static void test_refresh_in_the_background(void **state)
{
    union endpoint seven = endpoint_of(7), eight = endpoint_of(8);
    (void) state;
    server->ttl = 1;
    server->last_octet = 7;
    assert_true(resolver_lists(resolver, "cache.test", &seven));
    resolver_refresh(resolver, "cache.test");
    loop_run_until_count(&world.loop, &server->packets, 2);
    loop_run_for(&world.loop, 20);
    assert_true(resolver_lists(resolver, "cache.test", &seven));
    assert_false(resolver_lists(resolver, "cache.test", &eight));
    server->last_octet = 8;
    resolver_refresh(resolver, "cache.test");
    loop_run_for(&world.loop, 1100);
    assert_int_equal(server->packets, 2);
    resolver_refresh(resolver, "cache.test");
    resolver_refresh(resolver, "cache.test");
    loop_run_until_count(&world.loop, &server->packets, 4);
    loop_run_for(&world.loop, 20);
    assert_false(resolver_lists(resolver, "cache.test", &seven));
    assert_true(resolver_lists(resolver, "cache.test", &eight));
    assert_int_equal(server->packets, 4);
    finish();
}

/*
 * With an hour's TTL, for ten seconds' sake, the clock of the loop is not waited for: the record is
 * distrusted.
 */
static void test_the_last_answer_serves_when_nobody_answers(void **state)
{
    union endpoint seven = endpoint_of(7);
    (void) state;
    server->last_octet = 7;
    ask_and_await(&askers[0], "cache.test");
    loop_run_for(&world.loop, 150);
    resolver_distrust(resolver, "cache.test");
    server->silent = DNS_SERVER_FOREVER;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(last_octet(&askers[0]), 7);

    server->silent = 0;
    server->code = server->code6 = DNS_SERVER_SERVFAIL;
    loop_run_for(&world.loop, 150);
    resolver_distrust(resolver, "cache.test");
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);

    /* That is another thing than a name that is gone. */
    server->code = server->code6 = DNS_SERVER_NXDOMAIN;
    loop_run_for(&world.loop, 1100);
    resolver_distrust(resolver, "cache.test");
    ask_and_await(&askers[1], "cache.test");
    assert_string_equal(askers[1].error, "name not found");
    assert_true(resolver_lists(resolver, "cache.test", &seven));
    finish();
}

/* Of very many addresses the next ones get their turn when the first have failed. */
static void test_many_addresses_take_turns(void **state)
{
    (void) state;
    server->a = 3 * RESOLVER_ADDRESSES_MAX;
    server->ttl = 3600;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(last_octet(&askers[0]), 1);
    resolver_distrust(resolver, "cache.test");
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, RESOLVER_ADDRESSES_MAX);
    assert_int_equal(last_octet(&askers[0]), 1 + RESOLVER_ADDRESSES_MAX);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_addresses, set_up),
        cmocka_unit_test_setup(test_answers_are_kept, set_up),
        cmocka_unit_test_setup(test_the_first_of_many_addresses, set_up),
        cmocka_unit_test_setup(test_no_time_to_live, set_up),
        cmocka_unit_test_setup(test_one_query_for_all, set_up),
        cmocka_unit_test_setup(test_expiry, set_up),
        cmocka_unit_test_setup(test_no_such_name, set_up),
        cmocka_unit_test_setup(test_localhost, set_up),
        cmocka_unit_test_setup(test_cancel_at_any_time, set_up),
        cmocka_unit_test_setup(test_an_abandoned_answer_is_kept, set_up),
        cmocka_unit_test_setup(test_close_at_any_time, set_up),
        cmocka_unit_test_setup(test_close_of_nothing, set_up),
        cmocka_unit_test_setup(test_close_inside_an_answer, set_up),
        cmocka_unit_test_setup(test_cancel_inside_an_answer, set_up),
        cmocka_unit_test_setup(test_ask_again_inside_an_answer, set_up),
        cmocka_unit_test_setup(test_many_names, set_up),
        cmocka_unit_test_setup(test_many_names_are_given_up, set_up),
        cmocka_unit_test_setup(test_old_names_are_forgotten, set_up),
        cmocka_unit_test_setup(test_bad_server_list, set_up),
        cmocka_unit_test(test_changed_config),
        cmocka_unit_test_setup(test_dead_names_lend_their_places, set_up),
        cmocka_unit_test_setup(test_failed_names_wait_behind_the_others, set_up),
        cmocka_unit_test_setup(test_a_late_caller_asks_beside_an_old_question, set_up),
        cmocka_unit_test_setup(test_half_an_answer_and_the_late_rest, set_up),
        cmocka_unit_test_setup(test_distrusted_answers_are_asked_for_anew, set_up),
        cmocka_unit_test_setup(test_refresh_in_the_background, set_up),
        cmocka_unit_test_setup(test_the_last_answer_serves_when_nobody_answers, set_up),
        cmocka_unit_test_setup(test_many_addresses_take_turns, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
