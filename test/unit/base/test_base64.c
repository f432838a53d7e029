#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

static void test_texts(void **state)
{
    static const struct {
        const char *text, *bytes; /* NULL: it is none */
    } rows[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"ZGF2ZTpwYXNz", "dave:pass"},
        {"+/+/", "\xfb\xff\xbf"},
        {"Zg=", NULL},
        {"Zg", NULL},
        {"Zg==Zg==", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zm 9", NULL},
        {"Zm9v\n", NULL},
        {"-_-_", NULL},
        {"Zm\0v", NULL},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        struct buffer out;
        buffer_init(&out, 100);
        bool good = base64_decode(slice_of(rows[n].text), &out);
        if (good != (rows[n].bytes != NULL)) fail_msg("\"%s\"", rows[n].text);
        if (good) assert_true(slice_is(buffer_slice(&out), rows[n].bytes));
        buffer_deinit(&out);
    }
}

static void test_all_bytes(void **state)
{
    struct buffer out;
    (void) state;
    buffer_init(&out, 100);
    assert_true(base64_decode(SLICE("AAEC/f7/"), &out));
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "\x00\x01\x02\xfd\xfe\xff", 6);
    buffer_deinit(&out);
}

static void test_too_much(void **state)
{
    struct buffer out;
    (void) state;
    buffer_init(&out, 2);
    assert_false(base64_decode(SLICE("Zm9v"), &out));
    buffer_deinit(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
