#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/collector.h"

/* Counts down, one sample a step. */
struct countdown {
    struct collector collector;
    const struct family *family;
    unsigned left;
};

static bool step(struct collector *collector, struct encoder *encoder)
{
    struct countdown *countdown = container_of(collector, struct countdown, collector);
    if (countdown->left == 0) return false;
    encoder_family(encoder, countdown->family);
    encoder_sample_u64(encoder, SLICE(""), SLICE(""), countdown->left--);
    return true;
}

static const struct family first = {"first", "First.", METRIC_GAUGE};
static const struct family second = {"second", "Second.", METRIC_GAUGE};

static const char whole[] = "# HELP first First.\n# TYPE first gauge\nfirst 3\nfirst 2\nfirst 1\n"
                            "# HELP second Second.\n# TYPE second gauge\nsecond 2\nsecond 1\n";

/* However small the pieces are, together they are the same exposition. */
static void test_pieces_of_every_size(void **unused)
{
    (void) unused;
    for (size_t want = 1; want < sizeof(whole) + 10; want++) {
        struct countdown a = {{step}, &first, 3}, none = {{step}, &first, 0}, b = {{step}, &second, 2};
        struct exposition exposition;
        struct buffer piece, out;
        bool more = true;
        buffer_init(&piece, 4096);
        buffer_init(&out, 4096);
        exposition_init(&exposition);
        exposition_add(&exposition, &a.collector);
        exposition_add(&exposition, &none.collector);
        exposition_add(&exposition, &b.collector);
        for (unsigned turns = 0; more && turns < 100; turns++) {
            buffer_clear(&piece);
            more = exposition_fill(&exposition, &piece, want);
            if (more) assert_true(piece.len >= want);
            buffer_append_slice(&out, buffer_slice(&piece));
        }
        assert_false(more);
        assert_true(slice_is(buffer_slice(&out), whole));
        buffer_deinit(&piece);
        buffer_deinit(&out);
    }
}

static void test_nothing_to_collect(void **unused)
{
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition);
    assert_false(exposition_fill(&exposition, &out, 100));
    assert_int_equal(out.len, 0);
}

/* A buffer that cannot grow ends the piece, not the program. */
static void test_full_buffer(void **unused)
{
    struct countdown a = {{step}, &first, 3};
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 16);
    exposition_init(&exposition);
    exposition_add(&exposition, &a.collector);
    assert_true(exposition_fill(&exposition, &out, 100));
    assert_true(out.failed);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_every_size),
        cmocka_unit_test(test_nothing_to_collect),
        cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
