/* The operations of the format; the messages that they make are in test_protobuf.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/encoder.h"

static const struct family up = {"up", "Whether.", METRIC_GAUGE, ""};

/* Its message says what a family is, so that nothing goes before it. */
static void test_no_head_and_no_end(void **unused)
{
    struct encoder encoder;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    family_append_head(&up, FORMAT_PROTOBUF, &out);
    encoder_init(&encoder, FORMAT_PROTOBUF, SLICE(""));
    encoder_set_out(&encoder, &out);
    encoder_family(&encoder, &up);
    encoder_finish(&encoder);
    assert_int_equal(out.len, 0);
    assert_false(out.failed);
    encoder_deinit(&encoder);
    buffer_deinit(&out);
}

/* A number is the same message in whatever form it is given. */
static void test_forms_of_a_number(void **unused)
{
    struct buffer out;
    size_t first = 0;
    (void) unused;
    buffer_init(&out, 4096);
    for (unsigned form = 0; form < 3; form++) {
        struct encoder encoder;
        size_t start = out.len;
        encoder_init(&encoder, FORMAT_PROTOBUF, SLICE(""));
        encoder_set_out(&encoder, &out);
        encoder_family(&encoder, &up);
        if (form == 0) encoder_sample(&encoder, SLICE("a=\"b\""), SLICE(""), SLICE("12"));
        if (form == 1) encoder_sample_u64(&encoder, SLICE("a=\"b\""), SLICE(""), 12);
        if (form == 2) encoder_sample_double(&encoder, SLICE("a=\"b\""), SLICE(""), 12);
        encoder_finish(&encoder);
        encoder_deinit(&encoder);
        if (form == 0) first = out.len;
        assert_true(out.len - start == first && first > 0);
        assert_memory_equal(out.data + start, out.data, first);
    }
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_head_and_no_end),
        cmocka_unit_test(test_forms_of_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
