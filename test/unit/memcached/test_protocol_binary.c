#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/session.h"

#include <string.h>

#define ALL (COMMAND_BIT(COMMAND_COUNT) - 1)

static struct session session;
static struct buffer bytes;

/* An answer: magic, opcode, length of the key, length of extras, status, key and value. */
static void append_packet(uint8_t opcode, unsigned status, const char *key, struct slice value)
{
    size_t key_len = strlen(key), body = key_len + value.len;
    const unsigned char header[24] = {0x81,
                                      opcode,
                                      (unsigned char) (key_len >> 8),
                                      (unsigned char) key_len,
                                      0,
                                      0,
                                      (unsigned char) (status >> 8),
                                      (unsigned char) status,
                                      (unsigned char) (body >> 24),
                                      (unsigned char) (body >> 16),
                                      (unsigned char) (body >> 8),
                                      (unsigned char) body};
    buffer_append_slice(&bytes, (struct slice){(const char *) header, sizeof(header)});
    buffer_append_string(&bytes, key);
    if (value.len) buffer_append_slice(&bytes, value);
}

static void append_stat(const char *key, const char *value)
{
    append_packet(0x10, 0, key, slice_of(value));
}

static void begin(unsigned wanted)
{
    struct snapshot *snapshot = snapshot_new(0, 1 << 20, 1000);
    assert_non_null(snapshot);
    session_init(&session, &protocol_binary, snapshot, wanted);
    buffer_init(&bytes, 1 << 20);
}

static void end(void)
{
    snapshot_release(session.snapshot);
    session.snapshot = NULL;
    buffer_deinit(&bytes);
}

static enum session_status hear(void)
{
    struct slice input = buffer_slice(&bytes);
    enum session_status status = session_take(&session, &input);
    assert_true(status != SESSION_PAUSES || input.len == 0);
    return status;
}

/* --- Requests --- */

#define ZEROS_12 "\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_binary_requests(void **state)
{
    static const char expected[] =
        "\x80\x10\0\0\0\0\0\0\0\0\0\0" ZEROS_12 "\x80\x10\0\x08\0\0\0\0\0\0\0\x08" ZEROS_12 "settings"
        "\x80\x10\0\x05\0\0\0\0\0\0\0\x05" ZEROS_12 "items";
    char request[PROTOCOL_REQUESTS_MAX];
    (void) state;
    begin(COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_ITEMS) |
          COMMAND_BIT(COMMAND_DETAIL));
    assert_int_equal(session_ask(&session, request), sizeof(expected) - 1);
    assert_memory_equal(request, expected, sizeof(expected) - 1);
    end();
}

static void test_binary_login(void **state)
{
    static const char expected[] = "\x80\x21\0\x05\0\0\0\0\0\0\0\x0e" ZEROS_12 "PLAIN\0user\0pw\x7f";
    struct buffer request;
    (void) state;
    buffer_init(&request, 100);
    protocol_binary.append_login(&request, "user", "pw\x7f");
    assert_int_equal(request.len, sizeof(expected) - 1);
    assert_memory_equal(request.data, expected, request.len);
    buffer_deinit(&request);
}

/* --- The answer to a login --- */

static void begin_login(void)
{
    begin(ALL);
    session_await_login(&session);
}

static void test_answers_to_a_binary_login(void **state)
{
    static const struct {
        unsigned status;
        const char *error;
    } rows[] = {{0, NULL},
                {0x81, NULL},
                {0x20, "check user name and password; it said: Auth failure."},
                {0x21, "does not take the login"},
                {0x83, "does not take the login"},
                {0x04, "does not take the login"}};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        begin_login();
        append_packet(0x21, rows[n].status, "", SLICE("Auth failure."));
        assert_int_equal(hear(), rows[n].error ? SESSION_FAILED : SESSION_PAUSES);
        if (rows[n].error) {
            assert_int_equal(session.failure, TARGET_AUTH_FAILED);
            assert_non_null(strstr(session.error, rows[n].error));
        }
        end();
    }
}

/* The first bytes of answers that are none. */
static const struct {
    struct slice bytes;
    enum target_state state;
    const char *error;
} strangers[] = {
    {SLICE("ERROR Too many open connections\r\n"), TARGET_OVERLOADED,
     "the server said: ERROR Too many open connections"},
    {SLICE("ERROR\r\n"), TARGET_PROTOCOL_ERROR, "text protocol"},
    {SLICE("CLIENT_ERROR x\r\n"), TARGET_PROTOCOL_ERROR, "text protocol"},
    {SLICE("\x15\x03\x03"), TARGET_TLS_ERROR, "TLS"},
    {SLICE("HTTP/1.1 400 Bad\r\n"), TARGET_PROTOCOL_ERROR, "HTTP"},
    {SLICE("\x81\x0b\0\0\0\0\0\0\0\0\0\0" ZEROS_12), TARGET_PROTOCOL_ERROR,
     "the answer is not in the memcached protocol"},
    /* A key that is longer than the body, and extras that are. */
    {SLICE("\x81\x10\0\x05\0\0\0\0\0\0\0\x04" ZEROS_12), TARGET_PROTOCOL_ERROR, ""},
    {SLICE("\x81\x10\0\0\xff\0\0\0\0\0\0\x04" ZEROS_12), TARGET_PROTOCOL_ERROR, ""},
    /* A refusal without end. */
    {SLICE("\x81\x10\0\0\0\0\0\x01\0\xff\0\0" ZEROS_12), TARGET_PROTOCOL_ERROR, ""},
};

static void test_strangers(void **state)
{
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(strangers); n++) {
        char request[PROTOCOL_REQUESTS_MAX];
        begin(ALL);
        session_ask(&session, request);
        buffer_append_slice(&bytes, strangers[n].bytes);
        assert_int_equal(hear(), SESSION_FAILED);
        assert_int_equal(session.failure, strangers[n].state);
        assert_non_null(strstr(session.error, strangers[n].error));
        assert_null(strchr(session.error, '\r'));
        end();
    }
    begin_login();
    buffer_append_slice(&bytes, SLICE("ERROR Too many open connections\r\n"));
    assert_int_equal(hear(), SESSION_FAILED);
    assert_int_equal(session.failure, TARGET_OVERLOADED);
    end();
}

/* --- Answers --- */

static void ask(unsigned wanted)
{
    char request[PROTOCOL_REQUESTS_MAX];
    begin(wanted);
    assert_true(session_ask(&session, request) > 0);
}

static void check_whole(void)
{
    assert_int_equal(session.snapshot->answered, COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS));
    assert_true(session.has_storage);
    assert_int_equal(session.snapshot->builder.parse_errors, 1);
    assert_string_equal(session.snapshot->builder.remark.key, "long");
}

/* Long stats are passed over, and cost themselves alone; a refused command leaves the others. */
static void append_answers(void)
{
    static char much[3000];
    memset(much, 'x', sizeof(much));
    append_stat("pid", "1");
    append_stat("extstore_limit_maxbytes", "5");
    append_packet(0x10, 0, "long", (struct slice){much, sizeof(much)});
    append_stat("empty", "");
    append_stat("", "");
    append_stat("maxbytes", "67108864");
    append_stat("", "");
    append_packet(0x10, 1, "", SLICE("Not found"));
}

static const unsigned three =
    COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_CONNS);

static void test_binary_answers(void **state)
{
    (void) state;
    ask(three);
    append_answers();
    assert_int_equal(hear(), SESSION_PAUSES);
    check_whole();
    end();
}

/* At each split point; what is left of the first piece comes again with the second one. */
static void test_binary_answers_in_pieces(void **state)
{
    (void) state;
    ask(three);
    append_answers();
    size_t len = bytes.len;
    end();
    for (size_t at = 0; at < len; at++) {
        ask(three);
        append_answers();
        struct slice first = {bytes.data, at}, whole = buffer_slice(&bytes);
        assert_int_equal(session_take(&session, &first), SESSION_WAITS);
        assert_true(first.len <= REPLY_LINE_MAX);
        struct slice rest = slice_from(whole, at - first.len);
        assert_int_equal(session_take(&session, &rest), SESSION_PAUSES);
        assert_int_equal(rest.len, 0);
        check_whole();
        end();
    }
}

static void test_a_login_is_wanted(void **state)
{
    (void) state;
    ask(three);
    append_packet(0x10, 0x20, "", SLICE("Auth failure."));
    assert_int_equal(hear(), SESSION_FAILED);
    assert_int_equal(session.failure, TARGET_AUTH_FAILED);
    assert_non_null(strstr(session.error, "--memcached.username"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binary_requests),
        cmocka_unit_test(test_binary_login),
        cmocka_unit_test(test_answers_to_a_binary_login),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_binary_answers),
        cmocka_unit_test(test_binary_answers_in_pieces),
        cmocka_unit_test(test_a_login_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
