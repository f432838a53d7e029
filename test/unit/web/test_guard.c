/*
 * The order in which a request is judged, with one server and plain clients. TLS is in
 * integration/test_web_config.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http/server_fixture.h"

#include "directory.h"
#include "web/guard.h"

#include <crypt.h>

static struct guard *guard;

/* "dave:dave123", "dave:bad", "nobody:dave123". */
#define DAVE   "Authorization: Basic ZGF2ZTpkYXZlMTIz\r\n"
#define WRONG  "Authorization: Basic ZGF2ZTpiYWQ=\r\n"
#define NOBODY "Authorization: Basic bm9ib2R5OmRhdmUxMjM=\r\n"

static int setup(void **state)
{
    (void) state;
    directory_open();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    directory_close();
    return 0;
}

/* "HASH" in the text stands for the hash of dave's password. */
static void write_config(const char *text)
{
    struct crypt_data data = {0};
    char config[2000];
    const char *hash = crypt_rn("dave123", "$2b$05$abcdefghijklmnopqrstuu", &data, sizeof(data));
    const char *at = strstr(text, "HASH");
    assert_non_null(hash);
    if (at)
        snprintf(config, sizeof(config), "%.*s%s%s", (int) (at - text), text, hash, at + 4);
    else
        snprintf(config, sizeof(config), "%s", text);
    write_file("web.yml", config);
}

static void start(const char *text)
{
    static char path[PATH_MAX];
    struct buffer error, name;
    write_config(text);
    snprintf(path, sizeof(path), "%s", path_of("web.yml"));
    fixture = (struct fixture){.port = 0};
    loop_open(&fixture.loop);
    buffer_init(&error, 4096);
    assert_int_equal(guard_new(&guard, &fixture.loop, path, handle, &fixture, &error), 0);
    buffer_deinit(&error);
    assert_int_equal(server_new(&fixture.server, &fixture.loop, &lenient_limits, guard_handle, guard), 0);
    guard_secure(guard, fixture.server);
    fixture_listen("127.0.0.1:0");
    fixture_listen("127.0.0.1:0");
    buffer_init(&name, 256);
    fixture_name(0, &name);
    fixture.port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
}

static void on_guard_closed(void *context)
{
    *(bool *) context = true;
}

static void stop(void)
{
    bool closed = false;
    server_close(fixture.server, 0, on_server_closed, &fixture);
    loop_run_until(&fixture.loop, &fixture.closed);
    guard_close(guard, on_guard_closed, &closed);
    loop_run_until(&fixture.loop, &closed);
    loop_close(&fixture.loop);
}

/* The head of the answer, good until the next call. */
static const char *ask(const char *headers, int status)
{
    static char text[65536];
    struct client client;
    snprintf(text, sizeof(text), "GET /short HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    client_open(&client);
    client_ask(&client, text);
    struct answer answer = client_take(&client, false);
    if (answer.status != status) fail_msg("%s is answered %s", headers, answer.head.data);
    snprintf(text, sizeof(text), "%s%.*s", answer.head.data, SLICE_ARG(buffer_slice(&answer.body)));
    answer_deinit(&answer);
    client_close(&client);
    return text;
}

static void test_passwords(void **state)
{
    (void) state;
    start("basic_auth_users: {dave: \"HASH\"}");
    const char *answer = ask("", 401);
    assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Basic\r\n"));
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nUnauthorized\n"));
    for (unsigned n = 0; n < 2; n++) { /* cold and warm */
        ask(DAVE, 200);
        ask(WRONG, 401);
        ask(NOBODY, 401);
    }
    assert_int_equal(fixture.handled, 2);
    ask("Authorization: basic ZGF2ZTpkYXZlMTIz\r\n", 200);
    ask("Authorization: Bearer ZGF2ZTpkYXZlMTIz\r\n", 401);
    ask("Authorization: Basic ZGF2ZTpkYXZlMTIz=\r\n", 401);
    ask("Authorization: Basic ZGF2ZQ==\r\n", 401); /* no colon */
    ask("Authorization: Basic\r\n", 401);
    ask("Authorization: Basic ZGF2ZTpkYXZlMTIzAA==\r\n", 401); /* a NUL behind the password */
    ask("Authorization: Basic ZGF2ZTpkYXZlMTIzADo=\r\n", 401);
    stop();
}

static void test_users_come_and_go(void **state)
{
    (void) state;
    start("");
    ask("", 200);
    write_config("basic_auth_users: {dave: \"HASH\"}");
    ask("", 401);
    ask(DAVE, 200);
    write_config("basic_auth_users: {dave: doe}"); /* keeps out one user */
    ask(DAVE, 401);
    write_config("junk");
    const char *answer = ask(DAVE, 500);
    assert_non_null(strstr(answer, "\r\n\r\nInternal Server Error\n"));
    write_config("basic_auth_users: {dave: \"HASH\"}");
    ask(DAVE, 200);
    stop();
}

static void test_headers(void **state)
{
    (void) state;
    start("http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}\n"
          "basic_auth_users: {dave: \"HASH\"}");
    for (unsigned n = 0; n < 2; n++) {
        const char *answer = n ? ask("", 401) : ask(DAVE, 200);
        assert_non_null(strstr(answer, "\r\nX-Frame-Options: deny\r\n"));
        const char *sniff = strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
        assert_non_null(sniff);
        assert_null(strstr(sniff + 3, "X-Content-Type-Options"));
    }
    stop();
}

static void test_too_many_requests(void **state)
{
    (void) state;
    start("rate_limit: {interval: 1h, burst: 2}\nbasic_auth_users: {dave: \"HASH\"}\n"
          "http_server_config: {headers: {X-Frame-Options: deny}}");
    ask("", 401); /* counts too */
    ask(DAVE, 200);
    const char *answer = ask(DAVE, 429);
    assert_non_null(strstr(answer, "\r\n\r\nToo Many Requests\n"));
    assert_null(strstr(answer, "X-Frame-Options"));
    ask("", 429);
    /* The rate is that of the start. */
    write_config("rate_limit: {interval: 0, burst: 0}");
    ask("", 429);
    write_config("junk");
    ask("", 500);
    write_config("");
    /* Another listener has a bucket of its own. */
    struct buffer name;
    buffer_init(&name, 256);
    fixture_name(1, &name);
    fixture.port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
    ask(DAVE, 200);
    stop();
}

static void test_a_rate_of_nothing(void **state)
{
    (void) state;
    start("rate_limit: {interval: 1ns, burst: 0}");
    ask("", 429);
    stop();
}

/* The server ends while a password is being hashed. */
static void test_the_end_amid_a_login(void **state)
{
    struct client clients[3];
    (void) state;
    start("basic_auth_users: {dave: \"$2b$14$abcdefghijklmnopqrstuuXO4Z2G7qmgqmjNCyqYDg2aDzmIoIBqa\"}");
    for (size_t n = 0; n < 3; n++) {
        client_open(&clients[n]);
        client_ask(&clients[n], "GET /short HTTP/1.1\r\nHost: a\r\n" DAVE "\r\n");
        for (unsigned turn = 0; turn < 20; turn++) client_turn(&clients[n]);
    }
    stop();
    assert_int_equal(fixture.handled, 0);
    for (size_t n = 0; n < 3; n++) client_close(&clients[n]);
}

static void test_bad_files(void **state)
{
    struct buffer error;
    (void) state;
    loop_open(&fixture.loop);
    buffer_init(&error, 4096);
    assert_true(guard_new(&guard, &fixture.loop, path_of("none.yml"), handle, &fixture, &error) < 0);
    assert_non_null(memmem(error.data, error.len, "no such file", 12));
    buffer_clear(&error);
    write_file("web.yml", "basic_auth_users: {john: doe}");
    assert_true(guard_new(&guard, &fixture.loop, path_of("web.yml"), handle, &fixture, &error) < 0);
    assert_non_null(memmem(error.data, error.len, "hashedSecret too short", 22));
    buffer_deinit(&error);
    loop_close(&fixture.loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passwords, setup, teardown),
        cmocka_unit_test_setup_teardown(test_users_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rate_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_end_amid_a_login, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
