#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/collector.h"

/* Counts down, one sample a step. */
struct countdown {
    struct walk walk;
    const struct family *family;
    unsigned left;
};

static bool step(struct walk *walk, struct encoder *encoder)
{
    struct countdown *countdown = container_of(walk, struct countdown, walk);
    if (countdown->left == 0) return false;
    encoder_family(encoder, countdown->family);
    encoder_sample_u64(encoder, SLICE(""), SLICE(""), countdown->left--);
    return true;
}

static const struct family first = {"first", "First.", METRIC_GAUGE, ""};
static const struct family second = {"second", "Second.", METRIC_GAUGE, ""};
static const struct family *const firsts[] = {&first}, *const seconds[] = {&second};
static const struct collector first_collector = {"first", firsts, 1, ""};
static const struct collector second_collector = {"second", seconds, 1, ""};
static const struct collector labelled_collector = {"labelled", seconds, 1, "zone=\"a\",rack=\"b\""};

static const char whole[] = "# HELP first First.\n# TYPE first gauge\nfirst 3\nfirst 2\nfirst 1\n"
                            "# HELP second Second.\n# TYPE second gauge\nsecond 2\nsecond 1\n";
static const char end[] = "# EOF\n";

/*
 * Fills pieces of at least `want` bytes to the end; the same exposition comes of it, however small they are.
 */
static void expect_in_pieces(enum format format, size_t want, const char *expected)
{
    struct countdown a = {{&first_collector, step}, &first, 3}, none = {{&first_collector, step}, &first, 0},
                     b = {{&second_collector, step}, &second, 2};
    struct exposition exposition;
    struct buffer piece, out;
    bool more = true;
    buffer_init(&piece, 4096);
    buffer_init(&out, 4096);
    exposition_init(&exposition, format, SLICE(""));
    exposition_add(&exposition, &a.walk);
    exposition_add(&exposition, &none.walk);
    exposition_add(&exposition, &b.walk);
    for (unsigned turns = 0; more && turns < 100; turns++) {
        buffer_clear(&piece);
        more = exposition_fill(&exposition, &piece, want);
        if (more) assert_true(piece.len >= want);
        buffer_append_slice(&out, buffer_slice(&piece));
    }
    assert_false(more);
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buffer_deinit(&piece);
    buffer_deinit(&out);
}

static void test_pieces_of_every_size(void **unused)
{
    char ended[sizeof(whole) + sizeof(end)];
    (void) unused;
    strcat(strcpy(ended, whole), end);
    for (size_t want = 1; want < sizeof(ended) + 10; want++) {
        expect_in_pieces(FORMAT_TEXT, want, whole);
        expect_in_pieces(FORMAT_OPENMETRICS, want, ended);
    }
}

static bool step_silently(struct walk *walk, struct encoder *encoder)
{
    struct countdown *countdown = container_of(walk, struct countdown, walk);
    return countdown->left-- > 1 ? true : step(walk, encoder);
}

/* What has little to say for long gives the reader time in between, and loses nothing. */
static void test_long_silence(void **unused)
{
    struct countdown silent = {{&first_collector, step_silently}, &first, 5000};
    struct exposition exposition;
    struct buffer out;
    unsigned pieces = 0;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &silent.walk);
    while (exposition_fill(&exposition, &out, 4096)) {
        assert_int_equal(out.len, 0);
        assert_in_range(++pieces, 1, 100);
    }
    assert_in_range(pieces, 5, 100);
    buffer_deinit(&out);
}

static void test_nothing_to_collect(void **unused)
{
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    assert_false(exposition_fill(&exposition, &out, 100));
    assert_int_equal(out.len, 0);
}

/* An exposition ends once, even for one who asks on behind its end. */
static void test_ends_once(void **unused)
{
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition, FORMAT_OPENMETRICS, SLICE(""));
    assert_false(exposition_fill(&exposition, &out, 100));
    assert_false(exposition_fill(&exposition, &out, 100));
    assert_true(slice_is(buffer_slice(&out), end));
    buffer_deinit(&out);
}

/* Each collector's constant labels are on its own samples, and on no other's. */
static void test_constant_labels(void **unused)
{
    struct countdown a = {{&labelled_collector, step}, &second, 1}, b = {{&first_collector, step}, &first, 1};
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &a.walk);
    exposition_add(&exposition, &b.walk);
    assert_false(exposition_fill(&exposition, &out, 4096));
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data,
                        "# HELP second Second.\n# TYPE second gauge\nsecond{zone=\"a\",rack=\"b\"} 1\n"
                        "# HELP first First.\n# TYPE first gauge\nfirst 1\n");
    buffer_deinit(&out);
}

/* What the filter does not take is walked all the same, and leaves no byte. */
static void test_filter(void **unused)
{
    struct countdown a = {{&first_collector, step}, &first, 3}, b = {{&second_collector, step}, &second, 1};
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 4096);
    exposition_init(&exposition, FORMAT_OPENMETRICS, SLICE("none\0second\0"));
    exposition_add(&exposition, &a.walk);
    exposition_add(&exposition, &b.walk);
    assert_false(exposition_fill(&exposition, &out, 4096));
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data, "# HELP second Second.\n# TYPE second gauge\nsecond 1\n# EOF\n");
    assert_int_equal(a.left, 0);
    buffer_deinit(&out);
    exposition_deinit(&exposition);
}

/* A buffer that cannot grow ends the piece, not the program. */
static void test_full_buffer(void **unused)
{
    struct countdown a = {{&first_collector, step}, &first, 3};
    struct exposition exposition;
    struct buffer out;
    (void) unused;
    buffer_init(&out, 16);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &a.walk);
    assert_true(exposition_fill(&exposition, &out, 100));
    assert_true(out.failed);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_every_size), cmocka_unit_test(test_long_silence),
        cmocka_unit_test(test_nothing_to_collect),   cmocka_unit_test(test_ends_once),
        cmocka_unit_test(test_constant_labels),      cmocka_unit_test(test_filter),
        cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
