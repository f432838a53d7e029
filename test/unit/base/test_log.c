#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The log writes into a pipe that the tests read. */
static int ends[2];

static int open_pipe(void **state)
{
    (void) state;
    return pipe(ends);
}

static int close_pipe(void **state)
{
    (void) state;
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

#define TIME "2026-01-01T00:00:00.000Z"

/* Takes what was written, which is at most one line, and checks its form of time; the rest has to be
 * `expected`. */
static void assert_line(const char *before, const char *expected)
{
    static char text[16384];
    ssize_t len = read(ends[0], text, sizeof(text));
    assert_in_range(len, strlen(before) + strlen(TIME), sizeof(text) - 1);
    text[len] = '\0';
    assert_memory_equal(text, before, strlen(before));
    const char *time = text + strlen(before);
    for (size_t i = 0; i < strlen(TIME); i++) {
        bool digit = time[i] >= '0' && time[i] <= '9';
        bool expect_digit = TIME[i] >= '0' && TIME[i] <= '9';
        assert_int_equal(digit, expect_digit);
        if (!digit) assert_int_equal(time[i], TIME[i]);
    }
    assert_string_equal(time + strlen(TIME), expected);
}

static void writes_logfmt(void **state)
{
    (void) state;
    log_configure(LOG_DEBUG, LOG_LOGFMT, ends[1]);
    log_line(LOG_WARN, "target is down", LOG_FIELD("target", "cache-1:11211"),
             LOG_FIELD("err", "connection refused"));
    assert_line("time=",
                " level=WARN msg=\"target is down\" target=cache-1:11211 err=\"connection refused\"\n");
    log_line(LOG_DEBUG, "x", LOG_FIELD("a", "b"));
    assert_line("time=", " level=DEBUG msg=x a=b\n");
    log_write(LOG_ERROR, "x", NULL, 0);
    assert_line("time=", " level=ERROR msg=x\n");
}

static void writes_json(void **state)
{
    (void) state;
    log_configure(LOG_INFO, LOG_JSON, ends[1]);
    log_line(LOG_INFO, "a \"b\"", LOG_FIELD("target", "c"), LOG_FIELD("err", ""));
    assert_line("{\"time\":\"",
                "\",\"level\":\"INFO\",\"msg\":\"a \\\"b\\\"\",\"target\":\"c\",\"err\":\"\"}\n");
}

static const struct {
    struct slice value;
    const char *logfmt, *json;
} values[] = {
    {SLICE("plain"), "plain", "\"plain\""},
    {SLICE(""), "\"\"", "\"\""},
    {SLICE("a b"), "\"a b\"", "\"a b\""},
    {SLICE("a=b"), "\"a=b\"", "\"a=b\""},
    {SLICE("\""), "\"\\\"\"", "\"\\\"\""},
    {SLICE("a\\b"), "\"a\\\\b\"", "\"a\\\\b\""},
    {SLICE("a\nb"), "\"a\\nb\"", "\"a\\nb\""},
    {SLICE("a\r\tb"), "\"a\\u000d\\u0009b\"", "\"a\\u000d\\u0009b\""},
    {SLICE("\0"), "\"\\u0000\"", "\"\\u0000\""},
    {SLICE("\x1b[31m\x7f"), "\"\\u001b[31m\\u007f\"", "\"\\u001b[31m\\u007f\""},
    {SLICE("caf\xc3\xa9"), "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\""},
    {SLICE("a\xff\xc3z"), "\"a" UTF8_REPLACEMENT UTF8_REPLACEMENT "z\"",
     "\"a" UTF8_REPLACEMENT UTF8_REPLACEMENT "z\""},
};

static void any_bytes_stay_one_clean_line(void **state)
{
    char expected[256];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct log_field field = {"v", values[i].value};
        log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
        log_write(LOG_INFO, "m", &field, 1);
        snprintf(expected, sizeof(expected), " level=INFO msg=m v=%s\n", values[i].logfmt);
        assert_line("time=", expected);

        log_configure(LOG_INFO, LOG_JSON, ends[1]);
        log_write(LOG_INFO, "m", &field, 1);
        snprintf(expected, sizeof(expected), "\",\"level\":\"INFO\",\"msg\":\"m\",\"v\":%s}\n",
                 values[i].json);
        assert_line("{\"time\":\"", expected);
    }
}

static void cuts_long_values(void **state)
{
    char value[1025], expected[1100];
    (void) state;
    memset(value, 'x', sizeof(value));
    struct log_field field = {"v", {value, sizeof(value)}};
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    log_write(LOG_INFO, "m", &field, 1);
    snprintf(expected, sizeof(expected), " level=INFO msg=m v=%.1024s\n", value);
    assert_line("time=", expected);
}

/* The worst that fields can hold is longer when escaped, and still comes out. */
static void loses_no_line_for_its_length(void **state)
{
    char value[1024];
    struct log_field fields[8];
    char text[65536];
    (void) state;
    memset(value, '\x01', sizeof(value));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        fields[i] = (struct log_field){"v", {value, sizeof(value)}};
    log_configure(LOG_INFO, LOG_JSON, ends[1]);
    log_write(LOG_INFO, "m", fields, ARRAY_LEN(fields));
    log_write(LOG_INFO, "end", NULL, 0);
    ssize_t len = read(ends[0], text, sizeof(text));
    assert_in_range(len, ARRAY_LEN(fields) * sizeof(value) * strlen("\\u0001"), sizeof(text));
}

static void leaves_out_lower_levels(void **state)
{
    (void) state;
    for (int threshold = LOG_DEBUG; threshold <= LOG_ERROR; threshold++) {
        static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
        log_configure((enum log_level) threshold, LOG_LOGFMT, ends[1]);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
            char expected[64];
            assert_int_equal(log_enabled((enum log_level) level), level >= threshold);
            log_line((enum log_level) level, "m", LOG_FIELD("k", "v"));
            if (level < threshold) continue;
            /* The first line that is there is the first that should be: nothing came before it. */
            snprintf(expected, sizeof(expected), " level=%s msg=m k=v\n", names[level]);
            assert_line("time=", expected);
        }
    }
}

/* --- Nobody reads --- */

static char piece[256 * 1024];

/* What is in the pipe now, as a string. */
static const char *read_pipe(int descriptor)
{
    size_t len = 0;
    struct pollfd ready = {.fd = descriptor, .events = POLLIN};
    while (len < sizeof(piece) - 1 && poll(&ready, 1, 0) > 0) {
        ssize_t n = read(descriptor, piece + len, sizeof(piece) - 1 - len);
        if (n <= 0) break;
        len += (size_t) n;
    }
    piece[len] = '\0';
    return piece;
}

static unsigned count_lines(const char *text, const char *part)
{
    unsigned count = 0;
    for (; (text = strstr(text, part)); text++) count++;
    return count;
}

/* Writes lines until some are lost; the reader then finds whole lines, and how many are missing. */
static void fill_and_drain(int reader)
{
    char number[32];
    unsigned written = 0;
    uint64_t lost = log_lost();
    while (log_lost() < lost + 3) {
        snprintf(number, sizeof(number), "%u", written++);
        log_line(LOG_INFO, "fill", LOG_FIELD("n", number));
    }
    const char *text = read_pipe(reader);
    unsigned whole = count_lines(text, "msg=fill");
    log_line(LOG_INFO, "after", LOG_FIELD("k", "v"));
    text = read_pipe(reader);
    whole += count_lines(text, "msg=fill"); /* one may have been written in part before */
    assert_in_range(whole, written - 3, written - 2);
    assert_non_null(
        strstr(text, "level=WARN msg=\"log lines were lost, nobody read them in time\" lines=3\n"));
    assert_non_null(strstr(text, "level=INFO msg=after k=v\n"));
    log_line(LOG_INFO, "later", LOG_FIELD("k", "v"));
    assert_int_equal(count_lines(read_pipe(reader), "\n"), 1);
}

static void a_full_pipe_loses_lines_and_says_so(void **state)
{
    (void) state;
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    fill_and_drain(ends[0]);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* others may share it */
}

static void a_full_socket_loses_lines_and_says_so(void **state)
{
    (void) state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    log_configure(LOG_INFO, LOG_LOGFMT, pair[1]);
    fill_and_drain(pair[0]);
    close(pair[0]);
    log_line(LOG_INFO, "gone", LOG_FIELD("k", "v")); /* no SIGPIPE */
    close(pair[1]);
}

/* As when the pipe belongs to another user: it cannot be opened anew. */
static void a_pipe_that_cannot_be_opened_anew(void **state)
{
    (void) state;
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    log_configure(LOG_INFO, LOG_LOGFMT, -1);
    int spare = dup(0);
    none = (struct rlimit){(rlim_t) spare, limit.rlim_max};
    close(spare);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fill_and_drain(ends[0]);
}

static void a_limited_line_comes_once_a_minute(void **state)
{
    (void) state;
    struct log_limit limit = {0};
    struct log_field field = LOG_FIELD("k", "v");
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    for (int n = 0; n < 5; n++) log_write_limited(&limit, LOG_WARN, "m", &field, 1);
    assert_line("time=", " level=WARN msg=m k=v\n");
    assert_int_equal(limit.held, 4);
    limit.next_ns = 1; /* the minute is over */
    log_write_limited(&limit, LOG_WARN, "m", &field, 1);
    assert_line("time=", " level=WARN msg=m k=v repeated=4\n");
    log_write_limited(&limit, LOG_WARN, "m", &field, 1);
    assert_string_equal(read_pipe(ends[0]), "");
    for (int n = 0; n < 3; n++) log_line_limited(LOG_WARN, "one place", LOG_FIELD("k", "v"));
    assert_int_equal(count_lines(read_pipe(ends[0]), "one place"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_logfmt),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(any_bytes_stay_one_clean_line),
        cmocka_unit_test(cuts_long_values),
        cmocka_unit_test(loses_no_line_for_its_length),
        cmocka_unit_test(leaves_out_lower_levels),
        cmocka_unit_test(a_full_pipe_loses_lines_and_says_so),
        cmocka_unit_test(a_full_socket_loses_lines_and_says_so),
        cmocka_unit_test(a_pipe_that_cannot_be_opened_anew),
        cmocka_unit_test(a_limited_line_comes_once_a_minute),
    };
    return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
