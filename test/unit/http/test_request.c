/* One request head: what is read from it, what is refused, and that arriving in pieces changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/request.h"

#include "base/container.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: h\r\n"

/* What was read last; the slices point into the test's bytes. */
static struct request request;
static struct request_refusal refusal;
static size_t consumed;
static struct request_reader reader;

/* From a heap copy of the exact length, so that a read behind the end is seen. */
static enum request_outcome parse_copy(struct slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    memcpy(copy, bytes.data, bytes.len);
    enum request_outcome outcome =
        request_read(&reader, &request, (struct slice){copy, bytes.len}, &consumed, &refusal);
    request_reader_reset(&reader);
    free(copy);
    return outcome;
}

static void parse(const char *text)
{
    refusal = (struct request_refusal){0, "none"};
    request_reader_reset(&reader);
    enum request_outcome outcome = request_read(&reader, &request, slice_of(text), &consumed, &refusal);
    if (outcome != REQUEST_DONE) fail_msg("refused: %d %s", refusal.status, refusal.why);
}

#define assert_slice(slice, string)                                                                          \
    do {                                                                                                     \
        assert_int_equal((slice).len, strlen(string));                                                       \
        assert_memory_equal((slice).data, string, strlen(string));                                           \
    } while (0)

static void test_reads_a_scrape(void **state)
{
    (void) state;
    const char *text = "GET /scrape?target=a%3A1&x=2 HTTP/1.1\r\n"
                       "hOST: exporter:9150\r\n"
                       "Accept: text/plain;version=0.0.4\r\n"
                       "Accept-Encoding:gzip  \r\n"
                       "X-Prometheus-Scrape-Timeout-Seconds: \t 9.5\r\n"
                       "\r\n";
    parse(text);
    assert_int_equal(consumed, strlen(text));
    assert_int_equal(request.method, METHOD_GET);
    assert_slice(request.target, "/scrape?target=a%3A1&x=2");
    assert_slice(request.path, "/scrape");
    assert_slice(request.query, "target=a%3A1&x=2");
    assert_slice(request.headers[HEADER_ACCEPT], "text/plain;version=0.0.4");
    assert_slice(request.headers[HEADER_ACCEPT_ENCODING], "gzip");
    assert_slice(request.headers[HEADER_SCRAPE_TIMEOUT], "9.5");
    assert_int_equal(request.minor, 1);
    assert_true(request.keep_alive);
}

static void test_headers_may_be_absent_or_empty(void **state)
{
    (void) state;
    parse("GET / HTTP/1.1\r\nHost:\r\nAccept:\r\n\r\n");
    for (size_t n = 0; n < REQUEST_HEADERS; n++) assert_int_equal(request.headers[n].len, 0);
    assert_int_equal(request.query.len, 0);
}

/* Lists over several lines are one list; of other headers the first line counts. */
static void test_headers_may_be_repeated(void **state)
{
    (void) state;
    parse("GET / HTTP/1.1\r\nAccept: a/b\r\nAccept-Encoding:\r\nHost:\r\nAccept:c/d;q=0.5 , e/f\r\n"
          "X-Prometheus-Scrape-Timeout-Seconds: 1\r\naccept-encoding: a\r\nACCEPT-ENCODING: b\r\n"
          "X-Prometheus-Scrape-Timeout-Seconds: 2\r\nAccept: g/h\r\n\r\n");
    assert_slice(request.headers[HEADER_ACCEPT], "a/b,c/d;q=0.5 , e/f,g/h");
    assert_slice(request.headers[HEADER_ACCEPT_ENCODING], "a,b");
    assert_slice(request.headers[HEADER_SCRAPE_TIMEOUT], "1");
    request_reader_reset(&reader);
}

static void test_methods(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        enum request_method method;
    } rows[] = {
        {"GET", METHOD_GET},       {"HEAD", METHOD_HEAD},     {"get", METHOD_OTHER},   {"POST", METHOD_POST},
        {"CONNECT", METHOD_OTHER}, {"OPTIONS", METHOD_OTHER}, {"BREW!", METHOD_OTHER}, {"PRI", METHOD_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s /p HTTP/1.1\r\n" HOST "\r\n", rows[i].name);
        parse(text);
        assert_int_equal(request.method, rows[i].method);
        assert_slice(request.path, "/p");
    }
}

static void test_targets(void **state)
{
    (void) state;
    static const struct {
        const char *sent, *target, *path, *query;
    } rows[] = {
        {"/", "/", "/", ""},
        {"/a?", "/a?", "/a", ""},
        {"/a?b?c=/d", "/a?b?c=/d", "/a", "b?c=/d"},
        {"//a//b", "//a//b", "//a//b", ""},
        {"/a?u=http://x/y", "/a?u=http://x/y", "/a", "u=http://x/y"},
        {"http://host:9150/a?b=c", "/a?b=c", "/a", "b=c"},
        {"HTTP://host", "", "/", ""},
        {"http://host?b=c", "?b=c", "/", "b=c"},
        {"*", "*", "*", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].sent);
        parse(text);
        assert_slice(request.target, rows[i].target);
        assert_slice(request.path, rows[i].path);
        assert_slice(request.query, rows[i].query);
    }
}

static void test_keep_alive(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        int minor;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 1, true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 1, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: Foo, Close\r\n\r\n", 1, false},
        {"GET / HTTP/1.0\r\n\r\n", 0, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, true},
        /* An offer to speak HTTP/2 may be ignored. */
        {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
         "HTTP2-Settings: AAMA\r\n\r\n",
         1, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        parse(rows[i].text);
        assert_int_equal(request.minor, rows[i].minor);
        assert_int_equal(request.keep_alive, rows[i].keep_alive);
        assert_int_equal(consumed, strlen(rows[i].text));
    }
}

static void test_a_body_of_no_bytes_is_none(void **state)
{
    (void) state;
    parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 000 \r\n\r\n");
}

static void test_every_split_point(void **state)
{
    (void) state;
    const char *text = "\r\nGET /scrape?target=a HTTP/1.1\r\nHost: h\r\nAccept: a/b, c/d\r\n"
                       "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    for (size_t len = 0; len < strlen(text); len++) {
        assert_int_equal(parse_copy((struct slice){text, len}), REQUEST_MORE);
    }
    assert_int_equal(parse_copy(slice_of(text)), REQUEST_DONE);
    assert_int_equal(consumed, strlen(text));
}

/*
 * A byte at a time, as an attacker sends it: every byte is looked at once. The bytes that were seen before
 * are overwritten between the calls with what would be refused.
 */
static void test_each_byte_is_checked_once(void **state)
{
    (void) state;
    const char *text = "\r\nGET /scrape?target=a HTTP/1.1\r\nHost: h\r\nAccept: a/b, c/d\r\n\r\n";
    size_t len = strlen(text);
    char copy[128];
    request_reader_reset(&reader);
    for (size_t n = 1; n < len; n++) {
        memset(copy, '\n', sizeof(copy));
        memcpy(copy + reader.line, text + reader.line, n - reader.line);
        assert_int_equal(request_read(&reader, &request, (struct slice){copy, n}, &consumed, &refusal),
                         REQUEST_MORE);
        assert_in_range(reader.seen, n - 1, n); /* a CR waits for its LF */
    }
    assert_int_equal(request_read(&reader, &request, slice_of(text), &consumed, &refusal), REQUEST_DONE);
    assert_int_equal(consumed, len);
    assert_slice(request.headers[HEADER_ACCEPT], "a/b, c/d");
    request_reader_reset(&reader);
}

static void test_two_pipelined(void **state)
{
    (void) state;
    const char *text = "\r\n\r\nGET /one HTTP/1.1\r\n" HOST "\r\n"
                       "\r\nHEAD /two HTTP/1.1\r\n" HOST "\r\n";
    parse(text);
    assert_slice(request.path, "/one");
    parse(text + consumed);
    assert_slice(request.path, "/two");
    assert_int_equal(request.method, METHOD_HEAD);
    parse("GET /one HTTP/1.1\r\n" HOST "\r\n\x16\x03\x01\n");
}

/* --- Refusals --- */

struct bad {
    const char *text;
    int status;
    const char *why; /* a part of it */
};

#define LINE "GET / HTTP/1.1\r\n"

static const struct bad bad_heads[] = {
    {"\x16\x03\x01\x02", 400, "plain HTTP"},
    {"GET /\r\n", 400, "request line"},
    {"GET\r\n", 400, "request line"},
    {" / HTTP/1.1\r\n", 400, "request line"},
    {"GET  / HTTP/1.1\r\n", 400, "request line"},
    {"GET / HTTP/1.1 \r\n", 400, "request line"},
    {"GET / x HTTP/1.1\r\n", 400, "request line"},
    {"G(T / HTTP/1.1\r\n", 400, "request line"},
    {"(ET / HTTP/1.1\r\n", 400, "request line"},
    {"GET / HTTP/x.1\r\n", 400, "request line"},
    {"GET / HTTP/1.x\r\n", 400, "request line"},
    {"GET / HTTP/9.9\r\n", 505, "HTTP/1.1"},
    {"GET / http/1.1\r\n", 400, "request line"},
    {"GET / HTTP/1.10\r\n", 400, "request line"},
    {"GET / HTTP/11\r\n", 400, "request line"},
    {"stats\r\n", 400, "request line"},
    {"PRI * HTTP/2.0\r\n", 505, "HTTP/1.1"},
    {"GET / HTTP/1.2\r\n", 505, "HTTP/1.1"},
    {"GET / HTTP/0.9\r\n", 505, "HTTP/1.1"},
    {"GET /#top HTTP/1.1\r\n", 400, "percent-encoded"},
    {"GET /\x01 HTTP/1.1\r\n", 400, "percent-encoded"},
    {"GET /\t HTTP/1.1\r\n", 400, "percent-encoded"},
    {"GET /\x7f HTTP/1.1\r\n", 400, "percent-encoded"},
    {"GET /\xc3\xa4 HTTP/1.1\r\n", 400, "percent-encoded"},
    {"GET index.html HTTP/1.1\r\n" HOST "\r\n", 400, ""},
    {"CONNECT host:443 HTTP/1.1\r\n" HOST "\r\n", 400, ""},

    {"GET / HTTP/1.1\n", 400, "line ends without a carriage return"},
    {"\n", 400, "line ends without a carriage return"},
    {LINE "Host: h\nX: y\r\n", 400, "line ends without a carriage return"},
    {"GET /\rx HTTP/1.1", 400, "carriage return stands"},
    {"\rGET", 400, "carriage return stands"},
    {LINE "X: y\rZ", 400, "carriage return stands"},
    {LINE "X: y\r\r\n", 400, "carriage return stands"},
    {LINE "\rTransfer-Encoding: chunked\r\n", 400, "carriage return stands"},

    {LINE "X: y\r\n z\r\n", 400, "folded"},
    {LINE "X: y\r\n\tz\r\n", 400, "folded"},
    {LINE " X: y\r\n", 400, "folded"},
    {LINE "X : y\r\n", 400, "blank"},
    {LINE "X\t: y\r\n", 400, "blank"},
    {LINE "X y: z\r\n", 400, "token"},
    {LINE "X(: z\r\n", 400, "token"},
    {LINE "\xc3\xa4: z\r\n", 400, "token"},
    {LINE ": y\r\n", 400, "token"},
    {LINE "X\r\n", 400, "colon"},
    {LINE HOST "X: a\x01z\r\n\r\n", 400, ""},
    {LINE HOST "X: a\x7fz\r\n\r\n", 400, ""},

    {LINE "\r\n", 400, "Host header is missing"},
    {LINE HOST HOST "\r\n", 400, "more than one Host"},
    {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, "more than one Host"},
    {LINE "Host: a, b\r\n", 400, "no host"},
    {LINE "Host: a b\r\n", 400, "no host"},
    {LINE "Host: http://a\r\n", 400, "no host"},

    {LINE HOST "Content-Length: 1\r\n\r\n", 413, "body"},
    {LINE HOST "Content-Length: 0010\r\n\r\n", 413, "body"},
    {LINE HOST "Content-Length: 99999999999999999999999\r\n\r\n", 413, "body"},
    {LINE HOST "Transfer-Encoding: chunked\r\n\r\n", 413, "body"},
    {LINE HOST "Transfer-Encoding: identity\r\n\r\n", 413, "body"},
    {LINE HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "beside"},
    {LINE HOST "transfer-encoding:\r\ncontent-length: 0\r\n\r\n", 400, "beside"},
    {LINE HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, "more than one Content-Length"},
    {LINE HOST "Content-Length:\r\n\r\n", 400, "not a number"},
    {LINE HOST "Content-Length: -1\r\n\r\n", 400, "not a number"},
    {LINE HOST "Content-Length: +0\r\n\r\n", 400, "not a number"},
    {LINE HOST "Content-Length: 0, 0\r\n\r\n", 400, "not a number"},
    {LINE HOST "Content-Length: 0x0\r\n\r\n", 400, "not a number"},
};

/* Also with a good request in front of the rest, and as soon as the last byte of the bad line is there. */
static void test_refusals(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(bad_heads); i++) {
        const struct bad *bad = &bad_heads[i];
        refusal = (struct request_refusal){0, "none"};
        enum request_outcome outcome = parse_copy(slice_of(bad->text));
        if (outcome != REQUEST_REFUSED || refusal.status != bad->status || !strstr(refusal.why, bad->why)) {
            fail_msg("row %zu: outcome %d, %d %s", i, (int) outcome, refusal.status, refusal.why);
        }
        assert_null(strchr(refusal.why, '\n'));
        assert_true(strlen(refusal.why) > 10);
    }
}

/* Nothing that is refused was taken for good one byte earlier. */
static void test_no_prefix_of_a_bad_head_is_done(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(bad_heads); i++) {
        size_t len = strlen(bad_heads[i].text);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_not_equal(parse_copy((struct slice){bad_heads[i].text, cut}), REQUEST_DONE);
        }
    }
}

static void test_nul(void **state)
{
    (void) state;
    static const char in_target[] = "GET /a\0b HTTP/1.1\r\n";
    static const char in_value[] = "GET / HTTP/1.1\r\nX: a\0b\r\n";
    assert_int_equal(parse_copy((struct slice){in_target, sizeof(in_target) - 1}), REQUEST_REFUSED);
    assert_non_null(strstr(refusal.why, "NUL"));
    assert_int_equal(parse_copy((struct slice){in_value, sizeof(in_value) - 1}), REQUEST_REFUSED);
    assert_int_equal(refusal.status, 400);
    assert_non_null(strstr(refusal.why, "NUL"));
}

/* A head of `len` bytes in all, with `behind` more after it. */
static enum request_outcome parse_long(size_t len, size_t behind)
{
    static const char start[] = LINE HOST "X: ";
    char *text = malloc(len + behind);
    memset(text, 'x', len + behind);
    memcpy(text, start, sizeof(start) - 1);
    memcpy(text + len - 4, "\r\n\r\n", 4);
    enum request_outcome outcome = parse_copy((struct slice){text, len + behind});
    free(text);
    return outcome;
}

static void test_the_longest_head(void **state)
{
    (void) state;
    assert_int_equal(parse_long(REQUEST_HEAD_MAX, 0), REQUEST_DONE);
    assert_int_equal(consumed, REQUEST_HEAD_MAX);
    assert_int_equal(parse_long(REQUEST_HEAD_MAX, 100), REQUEST_DONE);
    assert_int_equal(consumed, REQUEST_HEAD_MAX);
    assert_int_equal(parse_long(REQUEST_HEAD_MAX + 1, 0), REQUEST_REFUSED);
    assert_int_equal(refusal.status, 431);
}

static void test_a_long_head_is_refused_before_it_ends(void **state)
{
    (void) state;
    static char text[70 * 1024];
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    assert_int_equal(parse_copy((struct slice){text, REQUEST_HEAD_MAX - 1}), REQUEST_MORE);
    assert_int_equal(parse_copy((struct slice){text, REQUEST_HEAD_MAX}), REQUEST_REFUSED);
    assert_int_equal(refusal.status, 431);
    assert_int_equal(parse_copy((struct slice){text, sizeof(text)}), REQUEST_REFUSED);
    assert_int_equal(refusal.status, 431);

    for (size_t i = 0; i < sizeof(text); i += 2) memcpy(text + i, "\r\n", 2);
    assert_int_equal(parse_copy((struct slice){text, REQUEST_HEAD_MAX}), REQUEST_REFUSED);
    assert_int_equal(refusal.status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_scrape),
        cmocka_unit_test(test_headers_may_be_absent_or_empty),
        cmocka_unit_test(test_headers_may_be_repeated),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_a_body_of_no_bytes_is_none),
        cmocka_unit_test(test_every_split_point),
        cmocka_unit_test(test_each_byte_is_checked_once),
        cmocka_unit_test(test_two_pipelined),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_prefix_of_a_bad_head_is_done),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_the_longest_head),
        cmocka_unit_test(test_a_long_head_is_refused_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
