#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALL (COMMAND_BIT(COMMAND_COUNT) - 1)

#define FIRST_BATCH                                                                                          \
    "stats\r\nstats settings\r\nstats items\r\nstats slabs\r\nstats conns\r\nstats detail dump\r\n"          \
    "stats proxy\r\nstats proxyfuncs\r\nstats proxybe\r\n"
#define FIRST_REPLIES(stats)                                                                                 \
    "STAT pid 1\r\n" stats "END\r\nEND\r\nEND\r\nEND\r\nERROR\r\nEND\r\nERROR\r\nERROR\r\nERROR\r\n"

static struct session session;
static char request[PROTOCOL_REQUESTS_MAX];

static void begin(unsigned wanted)
{
    struct snapshot *snapshot = snapshot_new(0, 1 << 20, 1000);
    assert_non_null(snapshot);
    session_init(&session, &protocol_text, snapshot, wanted);
}

static int end(void **state)
{
    (void) state;
    snapshot_release(session.snapshot);
    session.snapshot = NULL;
    return 0;
}

static void expect_request(const char *expected)
{
    bool more = session_has_more(&session);
    size_t len = session_ask(&session, request);
    assert_int_equal(more, len > 0);
    assert_true(slice_is((struct slice){request, len}, expected));
}

static enum session_status hear(const char *text)
{
    struct slice input = slice_of(text);
    enum session_status status = session_take(&session, &input);
    if (status == SESSION_PAUSES) assert_int_equal(input.len, 0);
    return status;
}

/* --- The login --- */

static void begin_login(void)
{
    begin(ALL);
    session_await_login(&session);
    assert_int_equal(session_status(&session), SESSION_WAITS);
}

static void test_login_comes_first(void **state)
{
    static const char *const answers[] = {"STORED\r\n", "NOT_STORED\r\n",
                                          "SERVER_ERROR out of memory storing object\r\n", "STORED\n"};
    for (size_t n = 0; n < ARRAY_LEN(answers); n++) {
        begin_login();
        assert_int_equal(hear(answers[n]), SESSION_PAUSES);
        expect_request(FIRST_BATCH);
        assert_int_equal(hear("STAT pid 1\r\n"), SESSION_WAITS);
        end(state);
    }
}

static void test_login_in_pieces(void **state)
{
    static const char answer[] = "STORED\r\n";
    for (size_t at = 0; at < sizeof(answer) - 1; at++) {
        struct slice first = {answer, at}, whole = {answer, sizeof(answer) - 1};
        begin_login();
        assert_int_equal(session_take(&session, &first), SESSION_WAITS);
        assert_int_equal(first.len, at);
        assert_int_equal(session_take(&session, &whole), SESSION_PAUSES);
        assert_int_equal(whole.len, 0);
        end(state);
    }
}

static void test_login_is_refused(void **state)
{
    static const struct {
        const char *answer, *error;
        enum target_state state;
    } rows[] = {
        {"CLIENT_ERROR authentication failure\r\n", "check user name and password", TARGET_AUTH_FAILED},
        {"CLIENT_ERROR unauthenticated\r\n", "check user name and password", TARGET_AUTH_FAILED},
        {"CLIENT_ERROR bad authentication token format\r\n", "bad authentication", TARGET_AUTH_FAILED},
        {"ERROR\r\n", "does not take the login", TARGET_AUTH_FAILED},
        {"ERROR Too many open connections\r\n", "Too many", TARGET_OVERLOADED},
        {"HTTP/1.1 400 Bad Request\r\n", "HTTP", TARGET_PROTOCOL_ERROR},
        {"HTT", "protocol", TARGET_PROTOCOL_ERROR},
        {"\x15\x03\x03", "TLS", TARGET_TLS_ERROR},
        {"STOREDX\r\n", "does not take the login", TARGET_AUTH_FAILED},
        {"\r\n", "protocol", TARGET_PROTOCOL_ERROR},
        {"STORY\r\n", "protocol", TARGET_PROTOCOL_ERROR},
    };
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        begin_login();
        assert_int_equal(hear(rows[n].answer), SESSION_FAILED);
        assert_int_equal(session.failure, rows[n].state);
        assert_non_null(strstr(session.error, rows[n].error));
        end(state);
    }
}

/* --- What is asked --- */

static void test_first_batch(void **state)
{
    (void) state;
    begin(ALL);
    expect_request(FIRST_BATCH);
    assert_int_equal(session_status(&session), SESSION_WAITS);
    assert_int_equal(session.snapshot->asked, commands_harmless());
}

static void test_only_what_is_wanted(void **state)
{
    (void) state;
    begin(COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_CONNS));
    expect_request("stats\r\nstats conns\r\n");
    assert_int_equal(hear("STAT version 1.6.18\r\nSTAT extstore_limit_maxbytes 1\r\nEND\r\nEND\r\n"),
                     SESSION_PAUSES);
    expect_request("");
}

/* After each `stats`, the second batch. */
static const struct {
    const char *stats, *second;
} second_batches[] = {
    {"", ""},
    {"STAT version 1.4.26\r\n", ""},
    {"STAT version 1.4.27\r\n", "stats sizes\r\n"},
    {"STAT version 1.4.5\r\n", ""},
    {"STAT version 1.4.100\r\n", "stats sizes\r\n"},
    {"STAT version 1.2.99\r\n", ""},
    {"STAT version 0.9.99\r\n", ""},
    {"STAT version 2.0.0\r\n", "stats sizes\r\n"},
    {"STAT version 1.6.18\r\n", "stats sizes\r\n"},
    {"STAT version 1.5.4-rc1\r\n", "stats sizes\r\n"},
    {"STAT version 1.4.25_6_g1\r\n", ""},
    {"STAT version 1.6.0 DF\r\n", "stats sizes\r\n"},
    {"STAT version 1.6\r\n", ""},
    {"STAT version 1.6.\r\n", ""},
    {"STAT version 1.6.x\r\n", ""},
    {"STAT version 1.6.18x\r\n", ""},
    {"STAT version 1.6.18.1\r\n", ""},
    {"STAT version v1.6.18\r\n", ""},
    {"STAT version  1.6.18\r\n", ""},
    {"STAT version 1,6,18\r\n", ""},
    {"STAT version -1.6.18\r\n", ""},
    {"STAT version 1.4.99999999999999999999\r\n", ""},
    {"STAT version unknown\r\n", ""},
    {"STAT version\r\n", ""},
    {"STAT versions 1.6.18\r\n", ""},
    {"STAT extstore_limit_maxbytes 67108864\r\n", "stats extstore\r\n"},
    {"STAT extstore_limit_maxbytes_not 67108864\r\n", ""},
    {"STAT extstore_compact_lost 1\r\n", ""},
    {"STAT extstore_limit_maxbytes 1\r\nSTAT version 1.6.18\r\n", "stats sizes\r\nstats extstore\r\n"},
    {"STAT extstore_limit_maxbytes 1\r\nSTAT version 1.4.20\r\n", "stats extstore\r\n"},
};

static void test_second_batch(void **state)
{
    for (size_t n = 0; n < ARRAY_LEN(second_batches); n++) {
        char replies[512];
        snprintf(replies, sizeof(replies), FIRST_REPLIES("%s"), second_batches[n].stats);
        begin(ALL);
        expect_request(FIRST_BATCH);
        assert_int_equal(hear(replies), SESSION_PAUSES);
        expect_request(second_batches[n].second);
        unsigned asked = commands_harmless();
        if (strstr(second_batches[n].second, "sizes")) asked |= COMMAND_BIT(COMMAND_SIZES);
        if (strstr(second_batches[n].second, "extstore")) asked |= COMMAND_BIT(COMMAND_EXTSTORE);
        assert_int_equal(session.snapshot->asked, asked);
        end(state);
    }
}

/* Another command that says it is not `stats` saying it. */
static void test_only_stats_allows(void **state)
{
    (void) state;
    begin(ALL);
    session_ask(&session, request);
    assert_int_equal(
        hear("STAT pid 1\r\nEND\r\nSTAT extstore_limit_maxbytes 1\r\nSTAT version 1.6.18\r\nEND\r\n"
             "STAT extstore_limit_maxbytes 1\r\nEND\r\nSTAT version 1.6.18\r\nEND\r\n"
             "END\r\nEND\r\nSTAT version 1.6.18\r\nEND\r\nEND\r\nEND\r\n"),
        SESSION_PAUSES);
    expect_request("");
}

/* What was allowed on one connection is not on the next. */
static void test_a_new_session_has_learnt_nothing(void **state)
{
    (void) state;
    begin(ALL);
    session_ask(&session, request);
    assert_int_equal(hear(FIRST_REPLIES("STAT extstore_limit_maxbytes 1\r\n")), SESSION_PAUSES);
    struct snapshot *old = session.snapshot;
    begin(ALL);
    snapshot_release(old);
    session_ask(&session, request);
    assert_int_equal(hear(FIRST_REPLIES("")), SESSION_PAUSES);
    expect_request("");
}

static void test_both_batches(void **state)
{
    (void) state;
    begin(ALL);
    session_ask(&session, request);
    hear(FIRST_REPLIES("STAT extstore_limit_maxbytes 1\r\nSTAT version 1.6.18\r\n"));
    expect_request("stats sizes\r\nstats extstore\r\n");
    assert_int_equal(hear("STAT 96 4\r\nEND\r\n"), SESSION_WAITS);
    assert_int_equal(hear("STAT 0:bytes 4\r\nEND\r\n"), SESSION_PAUSES);
    expect_request("");
    assert_int_equal(session.snapshot->sizes.count, 1);
    unsigned refused = COMMAND_BIT(COMMAND_CONNS) | COMMAND_BIT(COMMAND_PROXY) |
                       COMMAND_BIT(COMMAND_PROXYFUNCS) | COMMAND_BIT(COMMAND_PROXYBE);
    assert_int_equal(session.snapshot->answered, ALL & ~refused);
    assert_int_equal(session.snapshot->asked, ALL);
}

/* --- What is heard --- */

static void test_bytes_behind_the_last_reply_are_left(void **state)
{
    struct slice input = SLICE("STAT pid 1\r\nEND\r\nSTAT a 1\r\n");
    (void) state;
    begin(COMMAND_BIT(COMMAND_STATS));
    session_ask(&session, request);
    assert_int_equal(session_take(&session, &input), SESSION_PAUSES);
    assert_true(slice_is(input, "STAT a 1\r\n"));
}

static void test_failures(void **state)
{
    static const struct {
        const char *reply;
        enum target_state failure;
    } failures[] = {
        {"ERROR\r\n", TARGET_PROTOCOL_ERROR},
        {"ERROR Too many open connections\r\n", TARGET_OVERLOADED},
        {"CLIENT_ERROR unauthenticated\r\n", TARGET_AUTH_FAILED},
        {"STAT pid 1\r\nEND\r\nEND\r\nEND\r\nEND\r\nPREFIX a get 1 hit 1 set 1 del 1\r\n",
         TARGET_PROTOCOL_ERROR},
        {"STAT pid 1\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nSTAT a 1\r\n", TARGET_PROTOCOL_ERROR},
        {"END\r\n", TARGET_PROTOCOL_ERROR},
        {"STAT version 1.6.18\r\nEND\r\n", TARGET_PROTOCOL_ERROR},
        {"HTTP/1.1", TARGET_PROTOCOL_ERROR},
    };
    for (size_t n = 0; n < ARRAY_LEN(failures); n++) {
        begin(ALL);
        session_ask(&session, request);
        assert_int_equal(hear(failures[n].reply), SESSION_FAILED);
        assert_int_equal(session.failure, failures[n].failure);
        assert_true(strlen(session.error) > 0);
        end(state);
    }
}

/* What the first bytes of others tell of them, in the error and in the state. */
static void test_strangers_are_named(void **state)
{
    static const struct {
        const char *bytes, *word;
        enum target_state failure;
    } strangers[] = {
        {"\x15\x03\x01", "TLS", TARGET_TLS_ERROR},
        {"\x16\x03\x03", "TLS", TARGET_TLS_ERROR},
        {"\x81\x10", "binary protocol", TARGET_PROTOCOL_ERROR},
        {"HTTP/1.1 400 Bad Request\r\n", "HTTP", TARGET_PROTOCOL_ERROR},
        {"<html>", "HTML", TARGET_PROTOCOL_ERROR},
        {"-ERR unknown command\r\n", "Redis", TARGET_PROTOCOL_ERROR},
        {"-NOAUTH Authentication required.\r\n", "login", TARGET_PROTOCOL_ERROR},
        {"SSH-2.0-OpenSSH_9.2\r\n", "SSH", TARGET_PROTOCOL_ERROR},
        {"220 mail.example ESMTP\r\n", "SMTP", TARGET_PROTOCOL_ERROR},
        {"CLIENT_ERROR unauthenticated\r\n", "login", TARGET_AUTH_FAILED},
        {"garbage\r\n", "not in the memcached protocol", TARGET_PROTOCOL_ERROR},
        /* Not at the beginning they tell nothing. */
        {"STAT pid 1\r\nHTTP/1.1", "not in the memcached protocol", TARGET_PROTOCOL_ERROR},
        {"STAT version 1.6.18\r\n\x16\x03", "not in the memcached protocol", TARGET_PROTOCOL_ERROR},
    };
    for (size_t n = 0; n < ARRAY_LEN(strangers); n++) {
        begin(ALL);
        session_ask(&session, request);
        assert_int_equal(hear(strangers[n].bytes), SESSION_FAILED);
        assert_int_equal(session.failure, strangers[n].failure);
        if (!strstr(session.error, strangers[n].word)) fail_msg("%s: %s", strangers[n].bytes, session.error);
        end(state);
    }
}

/* Of any command, in pieces of any size. */
static void test_a_long_value_costs_its_sample_alone(void **state)
{
    static const enum command commands[] = {COMMAND_STATS, COMMAND_PROXYFUNCS, COMMAND_DETAIL};
    for (size_t n = 0; n < ARRAY_LEN(commands); n++) {
        unsigned set = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(commands[n]);
        const char *word = commands[n] == COMMAND_DETAIL ? "PREFIX" : "STAT";
        char replies[8192];
        int len =
            snprintf(replies, sizeof(replies), "STAT pid 1\r\n%s%s long %05000d\r\nSTAT uptime 2\r\nEND\r\n",
                     commands[n] == COMMAND_STATS ? "" : "END\r\n", word, 1);
        if (commands[n] == COMMAND_DETAIL) memcpy(strstr(replies, "STAT uptime 2"), "PREFIX a get2", 13);
        for (size_t size = 1; size <= (size_t) len; size = 3 * size + 1) {
            struct slice input = {replies, 0};
            begin(set);
            session_ask(&session, request);
            for (size_t at = 0; at < (size_t) len; at += size) {
                size_t arrived = at + size < (size_t) len ? at + size : (size_t) len;
                input.len = (size_t) (replies + arrived - input.data);
                assert_int_not_equal(session_take(&session, &input), SESSION_FAILED);
                assert_true(input.len <= 2048);
            }
            assert_int_equal(session_status(&session), SESSION_PAUSES);
            assert_int_equal(session.snapshot->answered, set);
            unsigned wrong = commands[n] == COMMAND_DETAIL ? 2 : 1;
            assert_int_equal(session.snapshot->builder.parse_errors, wrong);
            assert_string_equal(session.snapshot->builder.remark.key, "long");
            assert_int_equal(session.snapshot->builder.remark.command, commands[n]);
            end(state);
        }
    }
}

/* --- Every split point --- */

#define SERVERS 3
static const char *const servers[SERVERS] = {"prox33", "d18x", "v45x"};

static bool data_exists(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", getenv("TEST_DATA"), name);
    return access(path, R_OK) == 0;
}

/* The replies of a server to a set of commands, from its captures; one that was not captured says ERROR. */
static void append_replies(struct buffer *out, const char *server, unsigned commands)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        char path[128];
        const char *name = command_info(command)->name;
        if (!(commands & COMMAND_BIT(command))) continue;
        if (command == COMMAND_DETAIL) name = "detail-dump";
        snprintf(path, sizeof(path), "samples/%s-stats%s%s.txt", server, command ? "-" : "",
                 command ? name : "");
        if (!data_exists(path)) {
            buffer_append_string(out, "ERROR\r\n");
            continue;
        }
        struct slice bytes = data_read(path);
        buffer_append_slice(out, bytes);
        free((char *) bytes.data);
    }
}

/* Takes replies in two pieces, cut there; in one for 0. */
static void take_pieces(struct slice replies, size_t cut)
{
    struct slice piece = {replies.data, cut};
    if (cut) assert_int_equal(session_take(&session, &piece), SESSION_WAITS);
    struct slice rest = slice_from(replies, (size_t) (piece.data - replies.data));
    assert_int_equal(session_take(&session, &rest), SESSION_PAUSES);
    assert_int_equal(rest.len, 0);
}

/* A talk whose replies are cut once, in the first batch or in the second. */
static struct snapshot *talk(struct slice first, struct slice second, size_t cut)
{
    begin(ALL);
    assert_true(session_ask(&session, request) > 0);
    take_pieces(first, cut < first.len ? cut : 0);
    assert_true(session_ask(&session, request) > 0);
    take_pieces(second, cut > first.len ? cut - first.len : 0);
    snapshot_finish(session.snapshot);
    return snapshot_hold(session.snapshot);
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->answered, b->answered);
    assert_int_equal(a->asked, b->asked);
    assert_int_equal(a->parse_errors, 0);
    assert_int_equal(b->parse_errors, 0);
    assert_int_equal(a->records_len, b->records_len);
    assert_memory_equal(a->records, b->records, a->records_len);
    assert_int_equal(a->sizes.count, b->sizes.count);
    assert_int_equal(a->prefixes.count, b->prefixes.count);
    assert_memory_equal(a->connections, b->connections, sizeof(*a->connections));
}

static void test_every_split_point(void **state)
{
    for (size_t n = 0; n < SERVERS; n++) {
        struct buffer first, second;
        unsigned dangerous = ALL & ~commands_harmless();
        bool storage = n > 0;
        buffer_init(&first, 1 << 16);
        buffer_init(&second, 1 << 16);
        append_replies(&first, servers[n], commands_harmless());
        if (!storage) dangerous &= ~COMMAND_BIT(COMMAND_EXTSTORE);
        append_replies(&second, servers[n], dangerous);
        struct snapshot *whole = talk(buffer_slice(&first), buffer_slice(&second), 0);
        assert_true(whole->count > 150);
        assert_int_equal((whole->asked & COMMAND_BIT(COMMAND_EXTSTORE)) != 0, storage);
        end(state);
        for (size_t cut = 1; cut < first.len + second.len; cut++) {
            if (cut == first.len) continue;
            struct snapshot *parts = talk(buffer_slice(&first), buffer_slice(&second), cut);
            assert_same(whole, parts);
            snapshot_release(parts);
            end(state);
        }
        snapshot_release(whole);
        buffer_deinit(&first);
        buffer_deinit(&second);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_comes_first),
        cmocka_unit_test(test_login_in_pieces),
        cmocka_unit_test(test_login_is_refused),
        TEST(test_first_batch),
        TEST(test_only_what_is_wanted),
        TEST(test_second_batch),
        TEST(test_only_stats_allows),
        TEST(test_a_new_session_has_learnt_nothing),
        TEST(test_both_batches),
        TEST(test_bytes_behind_the_last_reply_are_left),
        TEST(test_failures),
        TEST(test_strangers_are_named),
        TEST(test_a_long_value_costs_its_sample_alone),
        TEST(test_every_split_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
