#include "net/resolver.h"

#include "base/container.h"
#include "loop.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TYPE_A     1
#define TYPE_CNAME 5
#define TYPE_AAAA  28
#define NXDOMAIN   3
#define SERVFAIL   2
#define FOREVER    UINT_MAX

/* What the server says about all names of the script; a test sets it before it asks. */
struct script {
    unsigned a;          /* addresses 127.0.1.1 and on */
    bool aaaa;           /* ::1 */
    uint32_t ttl;        /* seconds */
    uint32_t alias_ttl;  /* not 0: by way of an alias */
    uint8_t code, code6; /* for questions of the one and of the other type */
    unsigned silent;     /* so many packets are swallowed first */
};

/* A name server on a loopback port. */
struct server {
    uv_udp_t udp;
    char packet[512];
    unsigned packets; /* that came */
    bool searched;    /* a name came with its search domain */
};

struct asker {
    struct lookup lookup;
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX];
    size_t count;
    char error[80];
    unsigned answers;
    struct lookup *victim; /* cancelled when the answer comes */
    const char *again;     /* asked for when the answer comes */
};

static uv_loop_t loop;
static struct resolver *resolver;
static struct server servers[2];
static struct script script;
static struct asker askers[300];
static unsigned closed;
static char servers_text[64];
static bool close_inside;

/* --- The server --- */

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
    uint16_t order = htons((uint16_t) value);
    return put(at, &order, 2);
}

/* The head of a record whose name stands at `name` in the packet. */
static uint8_t *put_record(uint8_t *at, unsigned name, unsigned type, uint32_t ttl, unsigned len)
{
    ttl = htonl(ttl);
    at = put16(at, 0xc000 | name);
    at = put16(at, type);
    at = put16(at, 1);
    at = put(at, &ttl, 4);
    return put16(at, len);
}

/* Turns the question into its answer; returns the new length. */
static size_t answer(uint8_t *packet)
{
    size_t end = 12;
    while (packet[end]) end += packet[end] + 1u;
    unsigned type = packet[end + 2], name = 12, records = 0;
    uint8_t *at = packet + end + 5;
    uint8_t code = type == TYPE_A ? script.code : script.code6;
    if (!code && script.alias_ttl) {
        at = put_record(at, name, TYPE_CNAME, script.alias_ttl, 5);
        name = (unsigned) (at - packet);
        at = put(at, "\3www", 5);
        records++;
    }
    for (unsigned i = 1; !code && type == TYPE_A && i <= script.a; i++, records++) {
        uint8_t address[] = {127, 0, 1, (uint8_t) i};
        at = put(put_record(at, name, TYPE_A, script.ttl, 4), address, 4);
    }
    if (!code && type == TYPE_AAAA && script.aaaa) {
        at = put(put_record(at, name, TYPE_AAAA, script.ttl, 16), &in6addr_loopback, 16);
        records++;
    }
    put16(packet + 2, 0x8180u | code);
    put16(packet + 6, records);
    return (size_t) (at - packet);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct server *server = container_of((uv_udp_t *) handle, struct server, udp);
    (void) suggested;
    *buffer = uv_buf_init(server->packet, 300);
}

static void on_question(uv_udp_t *udp, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from,
                        unsigned flags)
{
    struct server *server = container_of(udp, struct server, udp);
    (void) flags;
    if (n <= 0) return;
    server->packets++;
    if (memmem(buffer->base, (size_t) n, "\6second\7example\4test", 21)) server->searched = true;
    if (script.silent) {
        if (script.silent != FOREVER) script.silent--;
        return;
    }
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned) answer((uint8_t *) buffer->base));
    assert_int_equal(uv_udp_try_send(udp, &out, 1, from), (int) out.len);
}

/* Returns the port, or 0 when it may not be bound. */
static int server_start(struct server *server, const char *host, int port)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    server->packets = 0;
    server->searched = false;
    assert_int_equal(uv_ip4_addr(host, port, &address), 0);
    assert_int_equal(uv_udp_init(&loop, &server->udp), 0);
    if (uv_udp_bind(&server->udp, (struct sockaddr *) &address, 0) < 0) return 0;
    assert_int_equal(uv_udp_recv_start(&server->udp, on_alloc, on_question), 0);
    assert_int_equal(uv_udp_getsockname(&server->udp, (struct sockaddr *) &address, &size), 0);
    return ntohs(address.sin_port);
}

static void server_stop(struct server *server)
{
    uv_handle_t *handle = (uv_handle_t *) &server->udp;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* --- The asker --- */

static void on_closed(void *context)
{
    assert_ptr_equal(context, &closed);
    closed++;
}

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
    if (close_inside) resolver_close(resolver, on_closed, &closed);
}

static void ask(struct asker *asker, const char *name)
{
    unsigned before = asker->answers;
    assert_int_equal(resolver_lookup(resolver, &asker->lookup, name, on_done), 0);
    assert_int_equal(asker->answers, before);
}

static void await(struct asker *asker, unsigned answers)
{
    loop_run_until_count(&loop, &asker->answers, answers);
}

static void ask_and_await(struct asker *asker, const char *name)
{
    ask(asker, name);
    await(asker, asker->answers + 1);
}

static int set_up(void **state)
{
    (void) state;
    memset(askers, 0, sizeof(askers));
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) lookup_init(&askers[i].lookup);
    script = (struct script){.a = 1, .ttl = 60};
    closed = 0;
    close_inside = false;
    loop_open(&loop);
    snprintf(servers_text, sizeof(servers_text), "127.0.0.1:%d", server_start(&servers[0], "127.0.0.1", 0));
    assert_int_equal(resolver_new(&resolver, &loop, servers_text), 0);
    return 0;
}

static void finish(void)
{
    server_stop(&servers[0]);
    resolver_close(resolver, on_closed, &closed);
    assert_int_equal(closed, 0);
    loop_close(&loop);
    assert_int_equal(closed, 1);
}

/* --- The tests --- */

static void test_addresses(void **state)
{
    (void) state;
    script.a = 2;
    script.aaaa = true;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 3);
    assert_int_equal(servers[0].packets, 2);

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

static void test_too_many_addresses(void **state)
{
    (void) state;
    script.a = RESOLVER_ADDRESSES_MAX + 4;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, RESOLVER_ADDRESSES_MAX);
    finish();
}

static void test_answers_are_kept(void **state)
{
    (void) state;
    ask_and_await(&askers[0], "cache.test");
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(servers[0].packets, 2);
    ask_and_await(&askers[1], "other.test");
    assert_int_equal(servers[0].packets, 4);

    struct resolver_counts counts = resolver_counts(resolver);
    assert_int_equal(counts.lookups, 3);
    assert_int_equal(counts.queries, 2);
    assert_int_equal(counts.failures, 0);
    finish();
}

static void test_one_query_for_all(void **state)
{
    (void) state;
    for (size_t i = 0; i < 3; i++) ask(&askers[i], "cache.test");
    loop_turn(&loop, 1);
    ask(&askers[3], "cache.test");
    for (size_t i = 0; i < 4; i++) await(&askers[i], 1);
    loop_turn(&loop, 5);
    for (size_t i = 0; i < 4; i++) assert_int_equal(askers[i].answers, 1);
    assert_int_equal(servers[0].packets, 2);
    finish();
}

/* How many packets two look-ups make that are so far apart. */
static unsigned packets_of_two(unsigned ms)
{
    ask_and_await(&askers[0], "cache.test");
    loop_run_for(&loop, ms);
    ask_and_await(&askers[0], "cache.test");
    return servers[0].packets;
}

static void test_expiry(void **state)
{
    (void) state;
    script.ttl = 1;
    assert_int_equal(packets_of_two(1150), 4);
    finish();
}

/* A TTL of 0 is raised to a second, so that the targets of one scrape share the answer. */
static void test_no_ttl(void **state)
{
    (void) state;
    script.ttl = 0;
    assert_int_equal(packets_of_two(300), 2);
    loop_run_for(&loop, 1150);
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(servers[0].packets, 4);
    finish();
}

static void test_an_alias_expires_too(void **state)
{
    (void) state;
    script.alias_ttl = 1;
    assert_int_equal(packets_of_two(1150), 4);
    assert_int_equal(askers[0].count, 1);
    finish();
}

static void test_no_such_name(void **state)
{
    (void) state;
    script.code = script.code6 = NXDOMAIN;
    assert_int_equal(packets_of_two(300), 2);
    assert_string_equal(askers[0].error, "name not found");
    assert_int_equal(resolver_counts(resolver).failures, 1);

    /* It is there now; the failure is forgotten after a second. */
    script.code = script.code6 = 0;
    loop_run_for(&loop, 1000);
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 1);
    finish();
}

static void test_no_address(void **state)
{
    (void) state;
    script.a = 0;
    ask_and_await(&askers[0], "cache.test");
    assert_string_equal(askers[0].error, "the name has no address");
    finish();
}

static void test_half_an_answer_is_enough(void **state)
{
    (void) state;
    script.code6 = SERVFAIL;
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 1);
    finish();
}

static void test_server_fails(void **state)
{
    (void) state;
    script.code = script.code6 = SERVFAIL;
    ask_and_await(&askers[0], "cache.test");
    assert_string_equal(askers[0].error, "no name server could answer");
    finish();
}

/* Within the second that a scrape has. */
static void test_lost_packets_are_repeated(void **state)
{
    (void) state;
    script.silent = 2;
    uint64_t start = uv_hrtime();
    ask_and_await(&askers[0], "cache.test");
    assert_int_equal(askers[0].count, 1);
    assert_true(uv_hrtime() - start < 800 * UINT64_C(1000000));
    finish();
}

static void test_silence(void **state)
{
    (void) state;
    script.silent = FOREVER;
    ask_and_await(&askers[0], "cache.test");
    assert_string_equal(askers[0].error, "the name servers do not answer");
    assert_int_equal(servers[0].packets, 8);
    finish();
}

static void test_nobody_there(void **state)
{
    (void) state;
    server_stop(&servers[0]);
    loop_turn(&loop, 2);
    ask_and_await(&askers[0], "cache.test");
    assert_string_equal(askers[0].error, "no name server could answer");
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
    assert_int_equal(servers[0].packets, 0);
    assert_int_equal(resolver_counts(resolver).queries, 0);
    ask_and_await(&askers[0], "notlocalhost.test");
    ask_and_await(&askers[0], "notlocalhost");
    assert_int_equal(servers[0].packets, 4);
    finish();
}

/* The first name of /etc/hosts that is not a localhost. */
static bool find_host(char name[64])
{
    char line[256];
    FILE *file = fopen("/etc/hosts", "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "%*[0-9.] %63s", name) == 1 && !strstr(name, "localhost");
    if (file) fclose(file);
    return found;
}

static void test_hosts_file(void **state)
{
    char name[64];
    (void) state;
    bool found = find_host(name);
    if (found) {
        ask_and_await(&askers[0], name);
        ask_and_await(&askers[0], name);
        assert_true(askers[0].count > 0);
        assert_int_equal(servers[0].packets, 0);
        assert_int_equal(resolver_counts(resolver).queries, 1);
    }
    finish();
    if (!found) skip();
}

static void test_cancel_at_any_time(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 6; turns++) {
        if (turns) set_up(NULL);
        ask(&askers[0], "cache.test");
        ask(&askers[1], "cache.test");
        loop_turn(&loop, turns);
        unsigned answers = askers[0].answers;
        lookup_cancel(&askers[0].lookup);
        lookup_cancel(&askers[0].lookup);
        await(&askers[1], 1);
        loop_turn(&loop, 5);
        assert_int_equal(askers[0].answers, answers);
        assert_int_equal(servers[0].packets, 2);
        finish();
    }
}

/* The answer to a query without callers is there for the next one. */
static void test_an_abandoned_answer_is_kept(void **state)
{
    (void) state;
    ask(&askers[0], "cache.test");
    loop_turn(&loop, 1);
    lookup_cancel(&askers[0].lookup);
    loop_run_for(&loop, 100);
    ask_and_await(&askers[1], "cache.test");
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(servers[0].packets, 2);
    finish();
}

static void test_close_at_any_time(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 6; turns++) {
        if (turns) set_up(NULL);
        script.silent = turns % 2 ? FOREVER : 0;
        ask(&askers[0], "cache.test");
        loop_turn(&loop, turns);
        unsigned answers = askers[0].answers;
        lookup_cancel(&askers[0].lookup);
        finish();
        assert_int_equal(askers[0].answers, answers);
    }
}

static void test_close_of_nothing(void **state)
{
    (void) state;
    resolver_close(NULL, on_closed, NULL);
    finish();
}

static void test_close_inside_an_answer(void **state)
{
    (void) state;
    close_inside = true;
    ask(&askers[0], "cache.test");
    await(&askers[0], 1);
    server_stop(&servers[0]);
    loop_close(&loop);
    assert_int_equal(closed, 1);
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
    loop_turn(&loop, 3);
    assert_int_equal(askers[0].answers, before + 3);
    askers[0].again = NULL;
    await(&askers[0], before + 4);
    assert_int_equal(servers[0].packets, 2);
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
    assert_int_equal(servers[0].packets, 2 * ARRAY_LEN(askers));
    finish();
}

/* Names in line that nobody wants any more are not asked for. */
static void test_many_names_are_given_up(void **state)
{
    (void) state;
    script.silent = FOREVER;
    ask_for_many();
    loop_turn(&loop, 3);
    assert_int_equal(resolver_counts(resolver).queries, 100);
    for (size_t i = 0; i < ARRAY_LEN(askers); i++) lookup_cancel(&askers[i].lookup);
    script.silent = 0;
    ask_and_await(&askers[299], "cache-299.test");
    loop_run_for(&loop, 400);
    assert_int_equal(resolver_counts(resolver).queries, 101);
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
    assert_int_equal(servers[0].packets, 2);
    ask_and_await(&askers[0], "old.test");
    assert_int_equal(servers[0].packets, 2);
    for (unsigned i = 0; i < 16384; i++) {
        snprintf(name, sizeof(name), "%u.again.localhost", i);
        ask_and_await(&askers[1], name);
    }
    ask_and_await(&askers[0], "old.test");
    assert_int_equal(servers[0].packets, 4);
    finish();
}

static void test_bad_server_list(void **state)
{
    struct resolver *other;
    (void) state;
    assert_int_equal(resolver_new(&other, &loop, "127.0.0.1:53,nonsense"), UV_EINVAL);
    finish();
}

static char config_path[64];

static void write_config(const char *text)
{
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* What was asked of the old server is asked of the new one, and so is what comes later. */
static void check_new_config(void)
{
    script.silent = FOREVER;
    ask(&askers[0], "first.test");
    loop_run_until_count(&loop, &servers[0].packets, 2);
    write_config("nameserver 127.0.0.78\nsearch example.test\n");
    script.silent = 0;
    ask(&askers[1], "second");
    await(&askers[0], 1);
    await(&askers[1], 1);
    assert_int_equal(askers[0].count, 1);
    assert_int_equal(askers[1].count, 1);
    assert_int_equal(servers[0].packets, 2);
    assert_int_equal(servers[1].packets, 4);
    assert_true(servers[1].searched);
}

/* A file of resolv.conf's form names no ports, so this needs the one of DNS. */
static void test_changed_config(void **state)
{
    (void) state;
    finish();
    loop_open(&loop);
    closed = 0;
    int first = server_start(&servers[0], "127.0.0.77", 53),
        second = server_start(&servers[1], "127.0.0.78", 53);
    snprintf(config_path, sizeof(config_path), "/tmp/test_resolver.%d", (int) getpid());
    write_config("nameserver 127.0.0.77\n");
    assert_int_equal(resolver_new(&resolver, &loop, config_path), 0);
    if (first && second) check_new_config();
    server_stop(&servers[1]);
    finish();
    unlink(config_path);
    if (!first || !second) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_addresses, set_up),
        cmocka_unit_test_setup(test_too_many_addresses, set_up),
        cmocka_unit_test_setup(test_answers_are_kept, set_up),
        cmocka_unit_test_setup(test_one_query_for_all, set_up),
        cmocka_unit_test_setup(test_expiry, set_up),
        cmocka_unit_test_setup(test_no_ttl, set_up),
        cmocka_unit_test_setup(test_an_alias_expires_too, set_up),
        cmocka_unit_test_setup(test_no_such_name, set_up),
        cmocka_unit_test_setup(test_no_address, set_up),
        cmocka_unit_test_setup(test_half_an_answer_is_enough, set_up),
        cmocka_unit_test_setup(test_server_fails, set_up),
        cmocka_unit_test_setup(test_lost_packets_are_repeated, set_up),
        cmocka_unit_test_setup(test_silence, set_up),
        cmocka_unit_test_setup(test_nobody_there, set_up),
        cmocka_unit_test_setup(test_localhost, set_up),
        cmocka_unit_test_setup(test_hosts_file, set_up),
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
        cmocka_unit_test_setup(test_changed_config, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
