/* A full pool: who has to go, who may come in, and answers that nobody reads. */
#include "server_fixture.h"

static const struct server_limits four = {.max_connections = 4,
                                          .max_unread = 2,
                                          .head_timeout_ms = 60000,
                                          .idle_timeout_ms = 60000,
                                          .answer_timeout_ms = 120000};

/* From 127.0.0.<host>. */
static void open_from(struct client *client, unsigned host)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + host)};
    unsigned accepted = (unsigned) server_counts(fixture.server).accepted;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *) &name, sizeof(name)), 0);
    name.sin_port = htons(fixture.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(descriptor, (struct sockaddr *) &name, sizeof(name)), 0);
    client_adopt(client, descriptor);
    client_wait(client, server_counts(fixture.server).accepted > accepted);
}

static void serve(struct client *client)
{
    client_ask(client, REQUEST("/short"));
    client_expect(client, 200, "hello\n");
}

/* A whole body: what Prometheus is given. */
static void scrape(struct client *client)
{
    client_ask(client, REQUEST("/noise/1000"));
    client_expect(client, 200, NULL);
}

/* That the first body was read shows when the second is asked for. */
static void open_regular(struct client *client, unsigned host)
{
    open_from(client, host);
    scrape(client);
    scrape(client);
}

static bool is_closed(struct client *client)
{
    for (int n = 0; n < 5 && !client->ended && !client->reset; n++) client_turn(client);
    return client->ended || client->reset;
}

static void close_all(struct client *clients, unsigned count)
{
    for (unsigned n = 0; n < count; n++) client_close(&clients[n]);
    fixture_stop(0);
}

/* Silent or in the middle of a head, and just come: what has most connections loses its oldest. */
static void test_a_crowd_makes_room(void **state)
{
    (void) state;
    struct client clients[6];
    fixture_start(&four);
    for (unsigned n = 0; n < 4; n++) open_from(&clients[n], n == 0 ? 3 : 2);
    serve(&clients[0]); /* alone on its address, though the oldest */
    client_ask(&clients[1], "GET / HT");
    loop_run_for(&fixture.loop, 20);
    open_from(&clients[4], 4);
    serve(&clients[4]);
    assert_false(is_closed(&clients[0]));
    assert_int_equal(is_closed(&clients[1]) + is_closed(&clients[2]) + is_closed(&clients[3]), 1);
    assert_int_equal(server_counts(fixture.server).displaced, 1);
    assert_int_equal(server_counts(fixture.server).rejected, 0);
    serve(&clients[0]);

    /* Now 127.0.0.2 has two, and gets no third. */
    open_from(&clients[5], 2);
    client_expect(&clients[5], 503, NULL);
    close_all(clients, 6);
}

/* Of one address, those without a request go first. */
static void test_the_silent_go_before_the_served(void **state)
{
    (void) state;
    struct client clients[5];
    fixture_start(&four);
    for (unsigned n = 0; n < 4; n++) open_from(&clients[n], 2);
    serve(&clients[0]);
    serve(&clients[1]);
    loop_run_for(&fixture.loop, 20);
    serve(&clients[3]);
    open_from(&clients[4], 3);
    serve(&clients[4]);
    assert_true(is_closed(&clients[2]));
    assert_false(is_closed(&clients[0]) || is_closed(&clients[1]) || is_closed(&clients[3]));
    close_all(clients, 5);
}

/* Of those served, the one that has been idle for longest. */
static void test_the_oldest_goes(void **state)
{
    (void) state;
    struct client clients[5];
    fixture_start(&four);
    for (unsigned n = 0; n < 4; n++) {
        open_from(&clients[n], 2);
        serve(&clients[n]);
        loop_run_for(&fixture.loop, 5);
    }
    serve(&clients[0]);
    open_from(&clients[4], 2);
    serve(&clients[4]);
    assert_true(is_closed(&clients[1]));
    assert_false(is_closed(&clients[0]) || is_closed(&clients[2]) || is_closed(&clients[3]));
    close_all(clients, 5);
}

/* Every place is taken by a request that is answered: only who was given a scrape before comes in. */
static void test_a_reserve_for_those_that_were_scraping(void **state)
{
    (void) state;
    struct client clients[6], scraper;
    fixture_start(&four);
    open_regular(&scraper, 9);
    client_close(&scraper);
    for (unsigned n = 0; n < 4; n++) {
        open_from(&clients[n], 10 + n);
        client_ask(&clients[n], REQUEST("/later"));
        client_wait(&clients[n], fixture.handled == n + 3);
    }
    open_from(&clients[4], 3);
    client_expect(&clients[4], 503, NULL);
    open_from(&clients[5], 9);
    scrape(&clients[5]);
    close_all(clients, 6);
    assert_int_equal(fixture.aborted, 4);
}

/* The kernel takes a small body for a client that reads none of it. */
static void test_who_does_not_read_is_not_regular(void **state)
{
    (void) state;
    struct client clients[5], greedy;
    fixture_start(&four);
    for (unsigned n = 0; n < 3; n++) {
        open_from(&greedy, 9);
        greedy.limit = 0;
        client_ask(&greedy, REQUEST("/noise/1000"));
        client_wait(&greedy, fixture.released == n + 1);
        client_close(&greedy);
    }
    loop_run_for(&fixture.loop, 20);
    for (unsigned n = 0; n < 4; n++) {
        open_from(&clients[n], 10 + n);
        client_ask(&clients[n], REQUEST("/later"));
        client_wait(&clients[n], fixture.handled == n + 4);
    }
    open_from(&clients[4], 9);
    client_expect(&clients[4], 503, NULL);
    close_all(clients, 5);
}

/* Though the scraper has been idle for longest. */
static void test_strangers_leave_a_scraper_alone(void **state)
{
    (void) state;
    struct client clients[6];
    fixture_start(&four);
    open_regular(&clients[0], 9);
    for (unsigned n = 1; n < 6; n++) {
        loop_run_for(&fixture.loop, 5);
        open_from(&clients[n], 1 + n);
        serve(&clients[n]);
    }
    assert_true(is_closed(&clients[1]) && is_closed(&clients[2]));
    assert_false(is_closed(&clients[0]));
    scrape(&clients[0]);
    close_all(clients, 6);
}

/* --- Clients that do not read --- */

static void ask_and_stall(struct client *client, unsigned host, unsigned handled)
{
    open_from(client, host);
    client->limit = 0;
    client_ask(client, REQUEST("/noise/50000000"));
    client_wait(client, fixture.handled == handled);
}

static unsigned count_stalled(void)
{
    return (unsigned) server_counts(fixture.server).stalled;
}

static void test_answers_that_nobody_reads_are_limited(void **state)
{
    (void) state;
    struct client clients[4];
    fixture_start(&four);
    ask_and_stall(&clients[0], 2, 1);
    ask_and_stall(&clients[1], 3, 2);
    loop_run_for(&fixture.loop, 150);
    assert_int_equal(count_stalled(), 0);
    ask_and_stall(&clients[2], 4, 3);
    client_wait(&clients[2], count_stalled() == 1);
    assert_int_equal(fixture.released, 1);
    loop_run_for(&fixture.loop, 700); /* a sweep finds no more */
    assert_int_equal(count_stalled(), 1);

    clients[0].limit = SIZE_MAX;
    client_wait(&clients[0], clients[0].ended || clients[0].reset);
    close_all(clients, 3);
    assert_int_equal(fixture.released, 3);
}

/* A regular client that reads slowly keeps its answer, however many others stall. */
static void test_a_slow_scraper_keeps_its_answer(void **state)
{
    (void) state;
    static const struct server_limits roomy = {.max_connections = 16,
                                               .max_unread = 2,
                                               .head_timeout_ms = 60000,
                                               .idle_timeout_ms = 60000,
                                               .answer_timeout_ms = 120000};
    struct client scraper, clients[4];
    fixture_start(&roomy);
    open_regular(&scraper, 9);
    scraper.limit = 0;
    client_ask(&scraper, REQUEST("/noise/50000000"));
    client_wait(&scraper, fixture.handled == 3);
    for (unsigned n = 0; n < 4; n++) {
        loop_run_for(&fixture.loop, 120);
        ask_and_stall(&clients[n], 2 + n % 2, 4 + n);
    }
    loop_run_for(&fixture.loop, 700);
    assert_int_equal(count_stalled(), 3);
    scraper.limit = SIZE_MAX;
    client_expect(&scraper, 200, NULL);
    client_close(&scraper);
    close_all(clients, 4);
}

/* --- Places --- */

static void work(struct client *client, unsigned host, unsigned handled)
{
    open_from(client, host);
    client_ask(client, REQUEST("/later"));
    client_wait(client, fixture.handled == handled);
}

static void test_places_are_shared_by_address(void **state)
{
    (void) state;
    struct client clients[6];
    fixture_start(&lenient_limits);
    fixture.places = 2;
    work(&clients[0], 2, 1);
    work(&clients[1], 2, 2);

    /* Who has none gets one of the two: that which has begun last, and its client is told. */
    work(&clients[2], 3, 3);
    client_expect(&clients[1], 503,
                  "another address needed the place of this scrape, see --web.max-requests\n");
    client_expect_end(&clients[1]);
    assert_int_equal(fixture.aborted, 1);
    assert_int_equal(server_counts(fixture.server).yielded, 1);

    /* Each address has one: nobody takes it, neither one of these two nor another. */
    work(&clients[3], 2, 4);
    client_expect(&clients[3], 503, "no place\n");
    work(&clients[4], 4, 5);
    client_expect(&clients[4], 503, "no place\n");

    /* A place that was given back is free. */
    answer_hello(fixture.waiting);
    client_expect(&clients[2], 200, "hello\n");
    work(&clients[5], 4, 6);
    assert_int_equal(fixture.aborted, 1);
    close_all(clients, 6);
}

/* Strangers with one place each yield to a regular client, which may also exceed the limit. */
static void test_strangers_yield_their_places(void **state)
{
    (void) state;
    struct client scraper, clients[3];
    fixture_start(&lenient_limits);
    open_regular(&scraper, 9);
    fixture.places = 2;
    work(&clients[0], 2, 3);
    work(&clients[1], 3, 4);
    scrape(&scraper);
    assert_int_equal(fixture.aborted, 1);
    work(&clients[2], 3, 6);
    scrape(&scraper);
    assert_int_equal(fixture.aborted, 2);
    client_close(&scraper);
    close_all(clients, 3);
}

/* Who stalls loses its place among equals, who reads, however slowly, does not. */
static void test_who_stalls_loses_its_place(void **state)
{
    (void) state;
    struct client clients[4];
    fixture_start(&four);
    fixture.places = 2;
    ask_and_stall(&clients[0], 2, 1);
    ask_and_stall(&clients[1], 3, 2);
    open_from(&clients[2], 9);
    client_ask(&clients[2], REQUEST("/short"));
    client_expect(&clients[2], 503, "no place\n");
    for (int n = 0; n < 40; n++) { /* two sweeps see that it has read */
        clients[0].limit = clients[0].got.len + 200000;
        client_turn(&clients[0]);
        loop_run_for(&fixture.loop, 50);
    }
    client_ask(&clients[2], REQUEST("/short"));
    client_expect(&clients[2], 200, "hello\n");
    assert_int_equal(fixture.released, 1);
    assert_int_equal(count_stalled(), 1);
    clients[1].limit = SIZE_MAX;
    client_wait(&clients[1], clients[1].ended || clients[1].reset);
    assert_false(clients[0].ended || clients[0].reset);
    close_all(clients, 3);
}

/* One address with all places that stalls gives way to itself too. */
static void test_a_lone_address_replaces_its_own(void **state)
{
    (void) state;
    struct client clients[3];
    fixture_start(&four);
    fixture.places = 2;
    ask_and_stall(&clients[0], 2, 1);
    ask_and_stall(&clients[1], 2, 2);
    loop_run_for(&fixture.loop, 150);
    open_from(&clients[2], 2);
    scrape(&clients[2]);
    assert_int_equal(count_stalled(), 1);
    clients[0].limit = SIZE_MAX;
    client_wait(&clients[0], clients[0].ended || clients[0].reset);
    close_all(clients, 3);
}

/* --- Time and memory --- */

static void test_an_answer_has_a_total_time(void **state)
{
    (void) state;
    static const struct server_limits hasty = {.max_connections = 4,
                                               .max_unread = 4,
                                               .head_timeout_ms = 60000,
                                               .idle_timeout_ms = 60000,
                                               .answer_timeout_ms = 300};
    struct client client;
    fixture_start(&hasty);
    ask_and_stall(&client, 2, 1);
    while (!client.ended && !client.reset) { /* slowly */
        client.limit = client.got.len + 10000;
        client_turn(&client);
        usleep(1000);
    }
    assert_true(client.got.len < 50000000);
    assert_int_equal(fixture.released, 1);
    close_all(&client, 1);
}

/* The kernel takes little beyond what is on its way, so that no more of the body is made. */
static void test_the_kernel_holds_little(void **state)
{
    (void) state;
    struct client client;
    size_t filled;
    fixture_start(&four);
    ask_and_stall(&client, 2, 1);
    do {
        filled = fixture.filled;
        loop_run_for(&fixture.loop, 200);
    } while (fixture.filled != filled);
    assert_in_range(filled, 1, 1280 * 1024);
    close_all(&client, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crowd_makes_room),
        cmocka_unit_test(test_the_silent_go_before_the_served),
        cmocka_unit_test(test_the_oldest_goes),
        cmocka_unit_test(test_a_reserve_for_those_that_were_scraping),
        cmocka_unit_test(test_who_does_not_read_is_not_regular),
        cmocka_unit_test(test_strangers_leave_a_scraper_alone),
        cmocka_unit_test(test_answers_that_nobody_reads_are_limited),
        cmocka_unit_test(test_a_slow_scraper_keeps_its_answer),
        cmocka_unit_test(test_places_are_shared_by_address),
        cmocka_unit_test(test_strangers_yield_their_places),
        cmocka_unit_test(test_who_stalls_loses_its_place),
        cmocka_unit_test(test_a_lone_address_replaces_its_own),
        cmocka_unit_test(test_an_answer_has_a_total_time),
        cmocka_unit_test(test_the_kernel_holds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
