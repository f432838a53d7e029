/* What a trace keeps, in which form, and how much at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/trace.h"

#include <stdbool.h>
#include <stdlib.h>

/* Returns the text, NUL-terminated; the caller frees it. */
static char *copy_text(const struct trace *trace)
{
    struct slice text = trace_text(trace);
    char *copy = strndup(text.len ? text.data : "", text.len);
    assert_non_null(copy);
    return copy;
}

static void test_lines(void **state)
{
    struct trace *trace = trace_new();
    (void) state;
    assert_non_null(trace);
    trace_note(trace, "looking up %s", "h");
    trace_append_bytes(trace, "received", "<", SLICE("STAT a 1\r\n\x1b[31m\xff\r\nEN"));
    char *text = copy_text(trace);
    assert_non_null(strstr(text, " ms  looking up h\n"));
    assert_non_null(strstr(text, " ms  received 20 bytes\n"));
    assert_non_null(strstr(text, " < STAT a 1\n"));
    assert_non_null(strstr(text, " < \\u001b[31m\xef\xbf\xbd\n"));
    assert_non_null(strstr(text, " < EN\n"));
    free(text);
    trace_free(trace);
}

static bool evaluated;

static int evaluate(void)
{
    evaluated = true;
    return 1;
}

static void test_nobody_watches(void **state)
{
    struct trace *nobody = NULL;
    (void) state;
    trace_note(nobody, "%d", evaluate());
    assert_false(evaluated);
    assert_int_equal(trace_text(NULL).len, 0);
    assert_int_equal(trace_left_out(NULL), 0);
    trace_free(NULL);
}

static void test_bounds(void **state)
{
    static char bytes[64 * 1024];
    struct trace *trace = trace_new();
    (void) state;
    assert_non_null(trace);
    memset(bytes, 1, sizeof(bytes));
    for (unsigned n = 0; n < 100; n++)
        trace_append_bytes(trace, "received", "<", (struct slice){bytes, sizeof(bytes)});
    for (unsigned n = 0; n < 100; n++) trace_note(trace, "%s", "more");
    char *text = copy_text(trace);
    assert_true(strlen(text) > TRACE_MAX && strlen(text) < 2 * TRACE_MAX);
    assert_true(trace_left_out(trace) > 150);
    assert_non_null(strstr(text, " < ... and 64512 bytes more\n"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
    trace_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_nobody_watches),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
