#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/readable.h"

#include <string.h>

static struct buffer out;

/* What was appended since the last time. */
static const char *said(void)
{
    static char text[64];
    assert_true(out.len < sizeof(text));
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    buffer_clear(&out);
    return text;
}

static void test_values(void **state)
{
    (void) state;
    buffer_init(&out, 4096);
    readable_bytes(&out, 0);
    assert_string_equal(said(), "0 B");
    readable_bytes(&out, 1023);
    assert_string_equal(said(), "1023 B");
    readable_bytes(&out, 1536);
    assert_string_equal(said(), "1.5 KiB");
    readable_bytes(&out, 1024.0 * 1024 * 1024 * 1024 * 1024 * 2000);
    assert_string_equal(said(), "2000 PiB");
    readable_count(&out, 999);
    assert_string_equal(said(), "999");
    readable_count(&out, 123456);
    assert_string_equal(said(), "123 k");
    readable_rate(&out, 0);
    assert_string_equal(said(), "0");
    readable_rate(&out, 0.44);
    assert_string_equal(said(), "0.4");
    readable_rate(&out, 1234);
    assert_string_equal(said(), "1.2 k");
    readable_ratio(&out, 39, 1);
    assert_string_equal(said(), "97.5 %");
    readable_ratio(&out, 0, 0);
    assert_string_equal(said(), "–");
    readable_time(&out, 1700000000);
    assert_string_equal(said(), "2023-11-14 22:13:20 UTC");
    buffer_deinit(&out);
}

static void test_durations(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } rows[] = {{0, "0 s"},       {59, "59 s"},        {60, "1 min"},
                {3599, "59 min"}, {3600, "1 h 0 min"}, {90000, "1 d 1 h"}};
    (void) state;
    buffer_init(&out, 4096);
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        readable_duration(&out, rows[n].seconds);
        assert_string_equal(said(), rows[n].text);
    }
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
