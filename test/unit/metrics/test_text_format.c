/* What heads a family in the text formats, and what ends an exposition; samples are in test_encoder.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/encoder.h"

struct head_case {
    struct family family;
    const char *text, *openmetrics;
};

static void expect_head(const struct family *family, enum format format, const char *expected)
{
    struct buffer head;
    buffer_init(&head, 4096);
    family_append_head(family, format, &head);
    buffer_append_char(&head, '\0');
    assert_string_equal(head.data, expected);
    buffer_deinit(&head);
}

static void test_heads(void **unused)
{
    static const struct head_case cases[] = {
        {{"a_total", "A.", METRIC_COUNTER, ""},
         "# HELP a_total A.\n# TYPE a_total counter\n",
         "# HELP a A.\n# TYPE a counter\n"},
        {{"a", "A.", METRIC_COUNTER, ""},
         "# HELP a A.\n# TYPE a counter\n",
         "# HELP a A.\n# TYPE a unknown\n"},
        {{"a_bytes", "A.", METRIC_GAUGE, ""},
         "# HELP a_bytes A.\n# TYPE a_bytes gauge\n",
         "# HELP a_bytes A.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n"},
        {{"a", "A.", METRIC_NAMED_COUNTER, ""},
         "# HELP a A.\n# TYPE a counter\n",
         "# HELP a A.\n# TYPE a gauge\n"},
        {{"a", "A.", METRIC_UNKNOWN, ""},
         "# HELP a A.\n# TYPE a untyped\n",
         "# HELP a A.\n# TYPE a unknown\n"},
        {{"a_info", "A.", METRIC_INFO, ""},
         "# HELP a_info A.\n# TYPE a_info gauge\n",
         "# HELP a A.\n# TYPE a info\n"},
        {{"a", "A.", METRIC_STATE_SET, "a"},
         "# HELP a A.\n# TYPE a gauge\n",
         "# HELP a A.\n# TYPE a stateset\n"},
        {{"a", "A.", METRIC_GAUGE_HISTOGRAM, ""},
         "# HELP a_bucket A.\n# TYPE a_bucket untyped\n",
         "# HELP a A.\n# TYPE a gaugehistogram\n"},
    };
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        expect_head(&cases[n].family, FORMAT_TEXT, cases[n].text);
        expect_head(&cases[n].family, FORMAT_OPENMETRICS, cases[n].openmetrics);
    }
}

static void test_end(void **unused)
{
    static const char *const ends[] = {[FORMAT_TEXT] = "", [FORMAT_OPENMETRICS] = "# EOF\n"};
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(ends); n++) {
        struct encoder encoder;
        struct buffer out;
        buffer_init(&out, 4096);
        encoder_init(&encoder, (enum format) n, SLICE(""));
        encoder_set_out(&encoder, &out);
        encoder_finish(&encoder);
        assert_true(slice_is(buffer_slice(&out), ends[n]));
        encoder_deinit(&encoder);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
