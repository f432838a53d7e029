#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "web/html.h"

#include <string.h>

static void expect(void (*append)(struct buffer *page, struct slice text), struct slice text,
                   const char *expected)
{
    struct buffer page;
    buffer_init(&page, 4096);
    append(&page, text);
    buffer_append_char(&page, '\0');
    assert_false(page.failed);
    assert_string_equal(page.data, expected);
    buffer_deinit(&page);
}

static void test_texts(void **state)
{
    (void) state;
    expect(html_append, SLICE("plain text, ä"), "plain text, ä");
    expect(html_append, SLICE("<script>&"), "&lt;script&gt;&amp;");
    expect(html_append, SLICE("\"'\\"), "&quot;'\\");
    expect(html_append, SLICE("a\x1b[31m\r\n\xff"), "a\\u001b[31m\\u000d\\n\xef\xbf\xbd");
    expect(html_append, SLICE("\xe2\x80\xaex"), "\\u202ex"); /* would turn the direction of writing */
    expect(html_append, (struct slice){"", 0}, "");
}

static void append_path(struct buffer *page, struct slice path)
{
    html_append_path(page, path.data);
}

static void test_urls(void **state)
{
    (void) state;
    expect(append_path, SLICE("/a/b-c"), "/a/b-c");
    expect(append_path, SLICE("/\"<b>?#&%x"), "/%22%3Cb%3E%3F%23%26%25x");
    expect(html_append_query_value, SLICE("host.example:11211"), "host.example:11211");
    expect(html_append_query_value, SLICE("[::1]:1&module=x#\"' +"),
           "%5B::1%5D:1%26module%3Dx%23%22%27%20%2B");
    expect(html_append_query_value, SLICE("unix:/run/ä"), "unix:/run/%C3%A4");
}

static void test_no_memory(void **state)
{
    struct buffer page;
    (void) state;
    buffer_init(&page, 4);
    html_append(&page, SLICE("<<<<"));
    assert_true(page.failed);
    buffer_deinit(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
