/* Answer heads, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/response.h"

#define DATE "Date: Sat, 21 Nov 2026 13:17:10 GMT\r\n"
#define NOW  1795267030

static void expect(const struct response *response, const struct response_transfer *transfer,
                   const char *expected)
{
    struct buffer out;
    buffer_init(&out, 4096);
    response_append_head(&out, response, transfer);
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buffer_deinit(&out);
}

static void test_length(void **state)
{
    (void) state;
    struct response response = {.status = 200, .content_type = "text/plain"};
    struct response_transfer transfer = {.framing = FRAMING_LENGTH,
                                         .length = 18446744073709551615u,
                                         .keep_alive = true,
                                         .minor = 1,
                                         .now = NOW};
    expect(&response, &transfer,
           "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n"
           "Content-Length: 18446744073709551615\r\n\r\n");
}

static void test_everything(void **state)
{
    (void) state;
    struct response response = {.status = 503,
                                .content_type = "text/plain; charset=utf-8",
                                .allow = "GET, HEAD",
                                .retry_after = true,
                                .varies = true};
    struct response_transfer transfer = {
        .framing = FRAMING_CHUNKED, .coding = "gzip", .minor = 1, .now = NOW};
    expect(&response, &transfer,
           "HTTP/1.1 503 Service Unavailable\r\n" DATE "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Encoding: gzip\r\nX-Content-Type-Options: nosniff\r\nVary: Accept, "
           "Accept-Encoding\r\nAllow: GET, HEAD\r\nRetry-After: 1\r\n"
           "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

static void test_http_1_0(void **state)
{
    (void) state;
    struct response response = {.status = 404, .content_type = "text/html"};
    struct response_transfer transfer = {
        .framing = FRAMING_LENGTH, .length = 0, .keep_alive = true, .minor = 0, .now = NOW};
    expect(&response, &transfer,
           "HTTP/1.1 404 Not Found\r\n" DATE
           "Content-Type: text/html\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n"
           "Connection: keep-alive\r\n\r\n");
    transfer.framing = FRAMING_CLOSE;
    transfer.keep_alive = false;
    expect(&response, &transfer,
           "HTTP/1.1 404 Not Found\r\n" DATE
           "Content-Type: text/html\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
}

/* Single digits are padded, and the century's leap day is known. */
static void test_date(void **state)
{
    (void) state;
    struct response response = {.status = 200, .content_type = "a/b"};
    struct response_transfer transfer = {.framing = FRAMING_CLOSE, .keep_alive = true, .minor = 1};
    transfer.now = 951786123;
    expect(&response, &transfer,
           "HTTP/1.1 200 OK\r\nDate: Tue, 29 Feb 2000 01:02:03 GMT\r\nContent-Type: a/b\r\n\r\n");
}

static void test_reasons(void **state)
{
    (void) state;
    static const int sent[] = {200, 400, 403, 404, 405, 408, 413, 431, 500, 502, 503, 505};
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        assert_string_not_equal(response_reason(sent[i]), "Unknown");
    }
    assert_string_equal(response_reason(408), "Request Timeout");
    assert_string_equal(response_reason(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length), cmocka_unit_test(test_everything), cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_date),   cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
