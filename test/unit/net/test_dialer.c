#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "dns_server.h"
#include "fake_server.h"
#include "loop.h"
#include "net/dialer.h"
#include "scripted.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESSES_MAX 120

struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct scripted_server hole;
    char hole_host[16];
    struct resolver *resolver;
    struct limiter limiter;
    struct address address;
    struct dial_record record;
    struct dial_plan plan;
    struct dialer *dialer;
    struct stream *stream;
    bool done, resolver_closed;
    int status;
    char why[POLICY_WHY_MAX];
};

/* --- What names are resolved to, where a test says so --- */

static union endpoint answer[ADDRESSES_MAX];
static size_t answer_count; /* 0: the resolver is asked */
static uv_timer_t answer_timer;

int __real_resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn fn);
int __wrap_resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn fn);

static void on_answer_closed(uv_handle_t *handle)
{
    struct lookup *lookup = handle->data;
    lookup->on_done(lookup, answer, answer_count, NULL);
}

int __wrap_resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn fn)
{
    if (answer_count == 0) return __real_resolver_lookup(resolver, lookup, name, fn);
    lookup->on_done = fn;
    answer_timer.data = lookup;
    uv_close((uv_handle_t *) &answer_timer, on_answer_closed);
    return 0;
}

static void set_answer(size_t n, const char *text)
{
    answer[n] = (union endpoint){0};
    if (inet_pton(AF_INET6, text, &answer[n].v6.sin6_addr) == 1) {
        answer[n].any.sa_family = AF_INET6;
    } else {
        assert_int_equal(inet_pton(AF_INET, text, &answer[n].v4.sin_addr), 1);
        answer[n].any.sa_family = AF_INET;
    }
    if (n + 1 > answer_count) answer_count = n + 1;
}

/* --- The world --- */

static void make_dialer(struct world *world, const char *host, int port)
{
    char text[128];
    snprintf(text, sizeof(text), "%s:%d", host, port);
    assert_null(address_parse(&world->address, slice_of(text), 1));
    world->record = (struct dial_record){0};
    world->plan = (struct dial_plan){
        .loop = &world->loop,
        .resolver = world->resolver,
        .limiter = &world->limiter,
        .address = &world->address,
        .record = &world->record,
        .time_ms = 2000,
    };
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    answer_count = 0;
    loop_open(&world->loop);
    fake_server_start(&world->server, &world->loop);
    limiter_init(&world->limiter, 1);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    make_dialer(world, "127.0.0.1", world->server.port);
    *state = world;
    return 0;
}

static void on_resolver_closed(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    fake_server_stop(&world->server);
    resolver_close(world->resolver, on_resolver_closed, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    loop_close(&world->loop);
    assert_int_equal(world->limiter.inside, 0);
    assert_int_equal(world->limiter.waiting, 0);
    free(world);
    return 0;
}

static void on_done(void *context, struct stream *stream, int status, const char *why)
{
    struct world *world = context;
    assert_false(world->done);
    assert_int_equal(why == NULL, status == 0);
    assert_int_equal(stream != NULL, status == 0);
    world->done = true;
    world->dialer = NULL;
    world->stream = stream;
    world->status = status;
    snprintf(world->why, sizeof(world->why), "%s", why ? why : "");
}

static void start(struct world *world)
{
    world->done = false;
    if (answer_count) uv_timer_init(&world->loop, &answer_timer);
    assert_int_equal(dialer_start(&world->dialer, &world->plan, on_done, world), 0);
    assert_false(world->done);
}

static int dial(struct world *world)
{
    start(world);
    loop_run_until(&world->loop, &world->done);
    return world->status;
}

static void hang_up(struct world *world)
{
    stream_dispose(world->stream);
    world->stream = NULL;
}

/* The last byte of the favourite's IPv4 address; 0 for none. */
static int favourite(const struct world *world)
{
    return world->record.favourite.family == AF_INET ? world->record.favourite.bytes[3] : 0;
}

static void test_connects_again_and_again(void **state)
{
    struct world *world = *state;
    for (unsigned n = 1; n <= 3; n++) {
        assert_int_equal(dial(world), 0);
        hang_up(world);
        loop_run_until_count(&world->loop, &world->server.accepted, n);
    }
}

static void test_refused(void **state)
{
    struct world *world = *state;
    make_dialer(world, "127.0.0.1", 1);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
}

/* The server listens on 127.0.0.1 only; whichever address of localhost comes first, the other is tried. */
static void test_tries_every_address_and_sticks_to_the_one_that_answers(void **state)
{
    struct world *world = *state;
    make_dialer(world, "localhost", world->server.port);
    assert_int_equal(dial(world), 0);
    assert_int_equal(world->record.favourite.family, AF_INET);
    hang_up(world);
    assert_int_equal(dial(world), 0);
    assert_int_equal(favourite(world), 1);
    hang_up(world);
}

/* Sets a policy that denies what the rules say. */
static void deny(struct world *world, const char *first, const char *second)
{
    const char *const texts[] = {first, second};
    world->plan.policy = policy_new();
    for (size_t n = 0; n < 2 && texts[n]; n++) {
        struct policy_rule rule;
        assert_null(policy_rule_parse(&rule, slice_of(texts[n])));
        assert_true(policy_add(&world->plan.policy->deny, &rule));
    }
}

static void test_passes_over_what_the_policy_forbids(void **state)
{
    struct world *world = *state;
    make_dialer(world, "localhost", world->server.port);
    deny(world, "::1", NULL);
    assert_int_equal(dial(world), 0);
    hang_up(world);
    loop_run_until_count(&world->loop, &world->server.accepted, 1);

    /* The one that would answer, and did before, is the forbidden one. */
    policy_release(world->plan.policy);
    deny(world, "127.0.0.0/8", NULL);
    assert_int_equal(dial(world), UV_ECONNREFUSED);

    /* So is the favourite. */
    assert_int_equal(favourite(world), 1);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    policy_release(world->plan.policy);
    assert_int_equal(world->server.accepted, 1);
}

static void test_all_is_forbidden(void **state)
{
    struct world *world = *state;
    char expected[POLICY_WHY_MAX];
    make_dialer(world, "localhost", world->server.port);
    deny(world, "::1", "127.0.0.0/8");
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(dial(world), DIALER_FORBIDDEN);
        assert_true(slice_starts(slice_of(world->why), "scrape_policy denies "));
    }
    loop_run_for(&world->loop, 20);
    assert_int_equal(world->server.accepted, 0);
    policy_release(world->plan.policy);

    /* A server that cannot be resolved is not forbidden. */
    make_dialer(world, "nowhere.invalid", 1);
    deny(world, "0.0.0.0/0", "::/0");
    assert_int_equal(dial(world), UV_EAI_NONAME);
    policy_release(world->plan.policy);

    /* The port that is judged is the one that was asked for. */
    make_dialer(world, "localhost", world->server.port);
    snprintf(expected, sizeof(expected), "127.0.0.0/8:%d", world->server.port);
    deny(world, expected, "[::1]:1");
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    policy_release(world->plan.policy);
}

static void test_unknown_name(void **state)
{
    struct world *world = *state;
    make_dialer(world, "nowhere.invalid", 1);
    assert_int_equal(dial(world), UV_EAI_NONAME);
}

static void test_missing_socket_file(void **state)
{
    struct world *world = *state;
    assert_null(address_parse(&world->address, SLICE("/nonexistent/memcached.sock"), 1));
    assert_int_equal(dial(world), UV_ENOENT);
}

static void test_cancel_at_every_turn(void **state)
{
    struct world *world = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "nowhere.invalid", "localhost"};
    deny(world, "::1", "127.0.0.0/8");
    struct policy *forbids = world->plan.policy;
    for (size_t host = 0; host < 4; host++) {
        for (unsigned turns = 0; turns < 8; turns++) {
            make_dialer(world, hosts[host], world->server.port);
            if (host == 3) world->plan.policy = forbids;
            start(world);
            loop_turn(&world->loop, turns);
            if (world->done && world->status == 0) hang_up(world);
            if (world->done) continue;
            dialer_cancel(world->dialer, turns % 2);
            loop_run_for(&world->loop, 1);
            assert_false(world->done);
            assert_int_equal(world->limiter.inside, 0);
        }
    }
    policy_release(forbids);
}

static struct dns_server names;

/* From here on the world has a name server; "cache.test" is 127.0.0.<octet>. */
static void serve_names(struct world *world, unsigned octet)
{
    char servers[32];
    resolver_close(world->resolver, on_resolver_closed, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    world->resolver_closed = false;
    dns_server_start(&names, &world->loop, "127.0.0.1", 0);
    names.last_octet = octet;
    names.ttl = 3600;
    snprintf(servers, sizeof(servers), "127.0.0.1:%d", names.port);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, servers), 0);
    make_dialer(world, "cache.test", world->server.port);
}

static void on_known(struct lookup *lookup, const union endpoint *endpoints, size_t count, const char *error)
{
    (void) endpoints;
    (void) error;
    assert_int_equal(count, 1);
    lookup->on_done = NULL;
}

/* Nobody listens at 127.0.0.7. Makes the resolver know an address of the name that is dead by now. */
static void know_the_old_address(struct world *world)
{
    struct lookup lookup;
    lookup_init(&lookup);
    assert_int_equal(resolver_lookup(world->resolver, &lookup, "cache.test", on_known), 0);
    while (lookup.on_done) loop_run_for(&world->loop, 1);
    loop_run_for(&world->loop, 150);
}

static void test_a_dead_address_is_asked_for_in_the_same_attempt(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    know_the_old_address(world);
    names.last_octet = 1;
    assert_int_equal(dial(world), 0);
    assert_int_equal(names.packets, 4);
    assert_false(dialer_has_moved(world->resolver, &world->address, &world->record));
    hang_up(world);
    dns_server_stop(&names);
}

static void test_a_dead_address_that_is_all_there_is(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    know_the_old_address(world);
    assert_int_equal(dial(world), UV_ECONNREFUSED);
    assert_int_equal(names.packets, 4);
    dns_server_stop(&names);
}

/* The connection is well, but the name leads elsewhere. */
static void test_a_connected_name_moves(void **state)
{
    struct world *world = *state;
    serve_names(world, 1);
    names.ttl = 1;
    assert_int_equal(dial(world), 0);
    names.last_octet = 7;
    dialer_refresh(world->resolver, &world->address);
    loop_run_for(&world->loop, 1100);
    assert_int_equal(names.packets, 2);
    assert_false(dialer_has_moved(world->resolver, &world->address, &world->record));
    dialer_refresh(world->resolver, &world->address);
    loop_run_until_count(&world->loop, &names.packets, 4);
    for (int n = 0; n < 1000 && !dialer_has_moved(world->resolver, &world->address, &world->record); n++)
        loop_run_for(&world->loop, 5);
    assert_true(dialer_has_moved(world->resolver, &world->address, &world->record));
    hang_up(world);
    dns_server_stop(&names);
}

static void test_cancel_while_looking_up_again(void **state)
{
    struct world *world = *state;
    serve_names(world, 7);
    for (unsigned turns = 0; turns < 12; turns++) {
        know_the_old_address(world);
        names.silent_name = "cache";
        start(world);
        loop_turn(&world->loop, turns);
        if (!world->done) dialer_cancel(world->dialer, false);
        names.silent_name = NULL;
    }
    dns_server_stop(&names);
}

static void on_other_enters(struct limiter_ticket *ticket)
{
    (void) ticket;
}

static void test_cancel_while_waiting_at_the_limiter(void **state)
{
    struct world *world = *state;
    struct limiter_ticket other;
    limiter_ticket_init(&other);
    limiter_enter(&world->limiter, &other, on_other_enters);
    start(world);
    loop_run_for(&world->loop, 20);
    assert_int_equal(dialer_phase(world->dialer), DIALER_QUEUED);
    assert_int_equal(dialer_admitted_ns(world->dialer), 0);
    dialer_cancel(world->dialer, true);
    assert_false(world->record.failed);
    limiter_leave(&world->limiter, &other);
    loop_run_for(&world->loop, 20);
    assert_int_equal(world->server.accepted, 0);
}

/* --- Several addresses, some of which swallow every packet --- */

/* A server that takes no connection any more, as if a firewall dropped what is sent to it. */
static void open_hole(struct world *world)
{
    int status = UV_EADDRINUSE;
    for (unsigned n = 2; status == UV_EADDRINUSE && n < 100; n++) {
        snprintf(world->hole_host, sizeof(world->hole_host), "127.0.0.%u", n);
        status = scripted_start(&world->hole, &world->loop, 1, world->hole_host, world->server.port);
    }
    assert_int_equal(status, 0);
    assert_null(scripted_do(&world->hole, "full"));
}

static void test_hole_first_costs_a_moment(void **state)
{
    struct world *world = *state;
    make_dialer(world, "several.test", world->server.port);
    open_hole(world);
    set_answer(0, world->hole_host);
    set_answer(1, "127.0.0.1");
    uint64_t began_ns = uv_hrtime();
    assert_int_equal(dial(world), 0);
    assert_true(uv_hrtime() - began_ns >= DIALER_PACE_MS / 2 * UINT64_C(1000000));
    assert_int_equal(favourite(world), 1);
    hang_up(world);

    /* The one that answered is the first from now on: nothing else is tried. */
    world->plan.time_ms = UINT64_MAX;
    start(world);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(favourite(world), 1);
    assert_int_equal(world->limiter.inside, 0);
    hang_up(world);
    scripted_stop(&world->hole);
}

/* The last of a hundred has its turn within the time. */
static void test_every_address_has_its_turn(void **state)
{
    struct world *world = *state;
    make_dialer(world, "several.test", world->server.port);
    open_hole(world);
    for (size_t n = 0; n < 100; n++) set_answer(n, world->hole_host);
    set_answer(100, "127.0.0.1");
    assert_int_equal(dial(world), 0);
    assert_int_equal(favourite(world), 1);
    hang_up(world);
    scripted_stop(&world->hole);
}

/* An address that refuses gives way at once, and the families alternate. */
static void test_families_alternate(void **state)
{
    struct world *world = *state;
    make_dialer(world, "several.test", world->server.port);
    for (size_t n = 0; n < 20; n++) set_answer(n, "::1");
    set_answer(20, "127.0.0.1");
    uint64_t began_ns = uv_hrtime();
    assert_int_equal(dial(world), 0);
    assert_int_equal(favourite(world), 1);
    assert_true(uv_hrtime() - began_ns < 2000 * UINT64_C(1000000));
    hang_up(world);
}

/* What was tried when the time was over loses its place to what was not. */
static void test_next_address_is_first_after_a_dial_that_was_late(void **state)
{
    struct world *world = *state;
    make_dialer(world, "several.test", world->server.port);
    open_hole(world);
    set_answer(0, world->hole_host);
    set_answer(1, "127.0.0.1");
    start(world);
    while (dialer_phase(world->dialer) != DIALER_CONNECTING) loop_turn(&world->loop, 1);
    dialer_cancel(world->dialer, true);
    assert_true(world->record.failed);
    assert_int_equal(favourite(world), 1);
    assert_int_equal(dial(world), 0);
    assert_false(world->record.failed);
    hang_up(world);
    scripted_stop(&world->hole);
}

/* --- The limiter --- */

/* A hole lends its only place on while its packet stays out. */
static void test_hole_lends_its_place(void **state)
{
    struct world *world = *state;
    open_hole(world);
    make_dialer(world, world->hole_host, world->server.port);
    start(world);
    assert_int_equal(world->limiter.inside, 1);
    struct dialer *waits = world->dialer;
    struct address address;
    struct dial_record record = {0};
    struct dial_plan plan = world->plan;
    assert_null(address_parse(&address, SLICE("127.0.0.1"), (uint16_t) world->server.port));
    plan.address = &address;
    plan.record = &record;
    assert_int_equal(dialer_start(&world->dialer, &plan, on_done, world), 0);
    assert_int_equal(dialer_phase(world->dialer), DIALER_QUEUED);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(world->status, 0);
    assert_int_equal(dialer_phase(waits), DIALER_CONNECTING);
    hang_up(world);
    dialer_cancel(waits, true);
    scripted_stop(&world->hole);
}

/* --- Unix sockets --- */

static void test_unix_socket_with_a_full_queue(void **state)
{
    struct world *world = *state;
    char path[] = "/tmp/test_dialer_XXXXXX", text[64];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(path));
    snprintf(text, sizeof(text), "%s/s", path);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", text);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), waiting[8], count = 0;
    assert_int_equal(bind(listener, (struct sockaddr *) &name, sizeof(name)), 0);
    assert_int_equal(listen(listener, 0), 0);
    do {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(waiting[count++], (struct sockaddr *) &name, sizeof(name)) == 0 && count < 8);

    assert_null(address_parse(&world->address, slice_of(text), 1));
    start(world);
    while (dialer_phase(world->dialer) != DIALER_FULL) loop_turn(&world->loop, 1);
    loop_run_for(&world->loop, 3 * DIALER_RETRY_MS);
    assert_false(world->done);
    assert_int_equal(dialer_phase(world->dialer), DIALER_FULL);
    assert_int_equal(world->limiter.inside, 0);
    dialer_cancel(world->dialer, true);
    assert_true(world->record.failed);

    /* As soon as somebody is taken out of the queue there is room. */
    start(world);
    loop_run_for(&world->loop, 2 * DIALER_RETRY_MS);
    int accepted = accept(listener, NULL, NULL);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(world->status, 0);
    hang_up(world);
    close(accepted);
    while (count > 0) close(waiting[--count]);
    close(listener);
    unlink(text);
    rmdir(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connects_again_and_again),
        TEST(test_refused),
        TEST(test_tries_every_address_and_sticks_to_the_one_that_answers),
        TEST(test_passes_over_what_the_policy_forbids),
        TEST(test_all_is_forbidden),
        TEST(test_unknown_name),
        TEST(test_missing_socket_file),
        TEST(test_cancel_at_every_turn),
        TEST(test_cancel_while_waiting_at_the_limiter),
        TEST(test_a_dead_address_is_asked_for_in_the_same_attempt),
        TEST(test_a_dead_address_that_is_all_there_is),
        TEST(test_a_connected_name_moves),
        TEST(test_cancel_while_looking_up_again),
        TEST(test_hole_first_costs_a_moment),
        TEST(test_every_address_has_its_turn),
        TEST(test_families_alternate),
        TEST(test_next_address_is_first_after_a_dial_that_was_late),
        TEST(test_hole_lends_its_place),
        TEST(test_unix_socket_with_a_full_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
