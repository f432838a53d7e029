/* Families and samples in protobuf, read back field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/collector.h"
#include "metrics/native.h"
#include "protobuf.h"

#include <math.h>
#include <stdlib.h>

static const struct slice none = {"", 0};

static const struct family up = {"up", "Whether.", METRIC_GAUGE, ""};
static const struct family hits = {"hits_total", "Hits.", METRIC_COUNTER, "command"};
static const struct family read_bytes = {"read_bytes_total", "Bytes.", METRIC_COUNTER, ""};
static const struct family malloced = {"malloced", "No total.", METRIC_COUNTER, ""};
static const struct family state = {"state", "State.", METRIC_STATE_SET, "state"};
static const struct family build = {"build_info", "Build.", METRIC_INFO, "version"};
static const struct family other = {"other", "Other.", METRIC_UNKNOWN, ""};
static const struct family duration = {"duration_seconds", "Duration.", METRIC_HISTOGRAM, "kind"};
static const struct family sizes = {"size_bytes", "Sizes.", METRIC_GAUGE_HISTOGRAM, "slab"};
static const struct family answers = {"answers", "Answers.", METRIC_SUMMARY, "kind"};

/* An encoder and where it writes. */
struct world {
    struct encoder encoder;
    struct buffer out;
};

static int setup(void **state_)
{
    static struct world world;
    buffer_init(&world.out, 1 << 24);
    encoder_init(&world.encoder, FORMAT_PROTOBUF, none);
    encoder_set_out(&world.encoder, &world.out);
    *state_ = &world;
    return 0;
}

static int teardown(void **state_)
{
    struct world *world = *state_;
    encoder_deinit(&world->encoder);
    buffer_deinit(&world->out);
    return 0;
}

/* Ends the exposition, and compares the whole of it. */
static void expect(struct world *world, const char *expected)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    encoder_finish(&world->encoder);
    assert_false(world->out.failed);
    protobuf_print_all(&text, buffer_slice(&world->out));
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, expected);
    buffer_deinit(&text);
    buffer_clear(&world->out);
}

/* --- Numbers --- */

/* Lengths take one byte up to 127, two beyond: of the value, of the label, of the metric. */
static void test_every_length(void **state_)
{
    struct world *world = *state_;
    for (size_t len = 0; len < 300; len++) {
        struct buffer labels, text;
        char value[302] = "";
        memset(value, 'v', len);
        value[len] = len % 3 ? '\0' : '"'; /* which is escaped in the set */
        buffer_init(&labels, 1024);
        buffer_init(&text, 4096);
        labels_append(&labels, "a", slice_of(value));
        labels_append(&labels, "b", SLICE("w"));
        encoder_family(&world->encoder, &up);
        encoder_sample_u64(&world->encoder, none, buffer_slice(&labels), len);
        encoder_finish(&world->encoder);
        protobuf_print_all(&text, buffer_slice(&world->out));
        buffer_append_char(&text, '\0');
        assert_non_null(strstr(text.data, value));
        assert_non_null(strstr(text.data, "w"));
        buffer_clear(&world->out);
        world->encoder.family = NULL;
        buffer_deinit(&labels);
        buffer_deinit(&text);
    }
}

static void test_types(void **state_)
{
    struct world *world = *state_;
    const struct family *const families[] = {&up, &hits, &read_bytes, &malloced, &state, &build, &other};
    for (size_t n = 0; n < ARRAY_LEN(families); n++) {
        encoder_family(&world->encoder, families[n]);
        encoder_sample_u64(&world->encoder, none, none, n);
    }
    expect(world, "name=up help=Whether. type=1 metric{gauge{value=0}}\n"
                  "name=hits_total help=Hits. type=0 metric{counter{value=1}}\n"
                  "name=read_bytes_total help=Bytes. type=0 unit=bytes metric{counter{value=2}}\n"
                  "name=malloced help=No total. type=0 metric{counter{value=3}}\n"
                  "name=state help=State. type=1 metric{gauge{value=4}}\n"
                  "name=build_info help=Build. type=1 metric{gauge{value=5}}\n"
                  "name=other help=Other. type=3 metric{untyped{value=6}}\n");
}

/* Only counters have the time since which they count, as long as it is known. */
static void test_counters_since(void **state_)
{
    struct world *world = *state_;
    const struct family *const families[] = {&up, &hits, &malloced, &state, &other};
    for (size_t n = 0; n < ARRAY_LEN(families); n++) {
        encoder_set_since(&world->encoder, 1764403200);
        encoder_family(&world->encoder, families[n]);
        encoder_sample_u64(&world->encoder, none, none, n);
        encoder_set_since(&world->encoder, 0);
        encoder_sample_u64(&world->encoder, none, SLICE("b=\"c\""), n);
    }
    encoder_family(&world->encoder, &read_bytes);
    encoder_set_since(&world->encoder, UINT32_MAX);
    encoder_sample_u64(&world->encoder, none, none, 1);
    encoder_set_since(&world->encoder, 1);
    encoder_sample_u64(&world->encoder, none, none, 2);
    expect(
        world,
        "name=up help=Whether. type=1 metric{gauge{value=0}} metric{label{name=b value=c} gauge{value=0}}\n"
        "name=hits_total help=Hits. type=0 metric{counter{value=1 created{seconds=1764403200}}} "
        "metric{label{name=b value=c} counter{value=1}}\n"
        "name=malloced help=No total. type=0 metric{counter{value=2 created{seconds=1764403200}}} "
        "metric{label{name=b value=c} counter{value=2}}\n"
        "name=state help=State. type=1 metric{gauge{value=3}} metric{label{name=b value=c} gauge{value=3}}\n"
        "name=other help=Other. type=3 metric{untyped{value=4}} "
        "metric{label{name=b value=c} untyped{value=4}}\n"
        "name=read_bytes_total help=Bytes. type=0 unit=bytes "
        "metric{counter{value=1 created{seconds=4294967295}}} metric{counter{value=2 created{seconds=1}}}\n");
}

static void test_values(void **state_)
{
    static const char *const values[] = {"1",    "-0.5", "1e300", "18446744073709551615",
                                         "+Inf", "-Inf", "NaN",   "1_"};
    struct world *world = *state_;
    encoder_family(&world->encoder, &up);
    for (size_t n = 0; n < ARRAY_LEN(values); n++)
        encoder_sample(&world->encoder, none, none, slice_of(values[n]));
    encoder_sample_u64(&world->encoder, none, none, 9007199254740992);
    encoder_sample_double(&world->encoder, none, none, 0.1);
    encoder_sample_double(&world->encoder, none, none, INFINITY);
    expect(world, "name=up help=Whether. type=1 metric{gauge{value=1}} metric{gauge{value=-0.5}} "
                  "metric{gauge{value=1e+300}} metric{gauge{value=1.8446744073709552e+19}} "
                  "metric{gauge{value=+Inf}} metric{gauge{value=-Inf}} metric{gauge{value=NaN}} "
                  "metric{gauge{value=NaN}} metric{gauge{value=9007199254740992}} metric{gauge{value=0.1}} "
                  "metric{gauge{value=+Inf}}\n");
}

static void test_labels(void **state_)
{
    struct world *world = *state_;
    world->encoder.constant_labels = SLICE("zone=\"z\"");
    encoder_family(&world->encoder, &hits);
    encoder_sample_u64(&world->encoder, SLICE("a=\"1,\\\"\",b=\"\\\\n\\n\""), SLICE("command=\"\""), 1);
    expect(world,
           "name=hits_total help=Hits. type=0 metric{label{name=zone value=z} label{name=a value=1,\"} "
           "label{name=b value=\\n\n} label{name=command value=} counter{value=1}}\n");
}

/* --- Several numbers --- */

static void test_histogram(void **state_)
{
    static const double bounds[] = {0.5, 1};
    static const uint64_t counts[] = {1, 2, 4};
    static const struct exemplar exemplars[3] = {
        [1] = {.value = 0.75, .timestamp = 1700000000.125, .labels_len = 7, .labels = "a=\"b:1\"rest"},
        [2] = {.value = INFINITY, .timestamp = 1},
    };
    struct world *world = *state_;
    struct histogram_view view = {bounds, counts, 2, 12.5, 1600000000.5, exemplars, NULL};
    encoder_family(&world->encoder, &duration);
    encoder_histogram(&world->encoder, none, SLICE("kind=\"get\""), &view);
    view = (struct histogram_view){bounds, counts, 0, NAN, 0, NULL, NULL};
    encoder_histogram(&world->encoder, none, none, &view);
    expect(world,
           "name=duration_seconds help=Duration. type=4 unit=seconds metric{label{name=kind value=get} "
           "histogram{count=7 sum=12.5 bucket{count=1 bound=0.5} bucket{count=3 bound=1 "
           "exemplar{label{name=a value=b:1} value=0.75 time{seconds=1700000000 nanos=125000000}}} "
           "bucket{count=7 bound=+Inf exemplar{value=+Inf time{seconds=1 nanos=0}}} "
           "created{seconds=1600000000 nanos=500000000}}} "
           "metric{histogram{count=1 sum=NaN bucket{count=1 bound=+Inf}}}\n");
}

/* Runs of buckets, gaps between them, and counts as differences. */
static void test_native_histogram(void **state_)
{
    static const double values[] = {0, 0.5, 1, 1, 1, 1.05, 4, 4.2};
    struct world *world = *state_;
    struct histogram histogram;
    struct native native;
    histogram_init(&histogram, NULL, 0, 0);
    histogram_set_native(&histogram, &native);
    encoder_family(&world->encoder, &duration);
    struct histogram_view view = histogram_view(&histogram);
    encoder_histogram(&world->encoder, none, none, &view);
    for (size_t n = 0; n < ARRAY_LEN(values); n++) histogram_observe(&histogram, values[n]);
    view = histogram_view(&histogram);
    encoder_histogram(&world->encoder, none, none, &view);
    expect(world,
           "name=duration_seconds help=Duration. type=4 unit=seconds "
           "metric{histogram{count=0 sum=0 bucket{count=0 bound=+Inf} schema=3 "
           "zero_threshold=2.938735877055719e-39 zero_count=0}} "
           "metric{histogram{count=8 sum=12.75 bucket{count=8 bound=+Inf} schema=3 "
           "zero_threshold=2.938735877055719e-39 zero_count=1 span{offset=-8 length=1} "
           "span{offset=7 length=2} span{offset=14 length=2} delta=1 delta=2 delta=-2 delta=0 delta=0}}\n");
    histogram_deinit(&histogram);
}

/* The text has no native histograms. */
static void test_text_leaves_native_histograms_out(void **state_)
{
    struct world *world = *state_;
    struct histogram histogram;
    struct native native;
    histogram_init(&histogram, NULL, 0, 0);
    histogram_set_native(&histogram, &native);
    histogram_observe(&histogram, 1);
    struct histogram_view view = histogram_view(&histogram);
    encoder_deinit(&world->encoder);
    encoder_init(&world->encoder, FORMAT_TEXT, none);
    encoder_set_out(&world->encoder, &world->out);
    encoder_family(&world->encoder, &duration);
    encoder_histogram(&world->encoder, none, none, &view);
    encoder_finish(&world->encoder);
    assert_true(slice_is(buffer_slice(&world->out),
                         "# HELP duration_seconds Duration.\n# TYPE duration_seconds histogram\n"
                         "duration_seconds_bucket{le=\"+Inf\"} 1\nduration_seconds_count 1\n"
                         "duration_seconds_sum 1\n"));
    histogram_deinit(&histogram);
}

/* Its buckets, under the name that the text gives them. */
static void test_gauge_histogram(void **state_)
{
    static const double bounds[] = {1, 2.5};
    static const uint64_t counts[] = {1, 2, 4};
    struct world *world = *state_;
    struct histogram_view view = {bounds, counts, 2, 12.5, 0, NULL, NULL};
    encoder_family(&world->encoder, &sizes);
    encoder_histogram(&world->encoder, none, SLICE("slab=\"1\""), &view);
    view.sum = NAN;
    view.count = 0;
    encoder_histogram(&world->encoder, none, SLICE("slab=\"2\""), &view);
    expect(world, "name=size_bytes_bucket help=Sizes. type=3 "
                  "metric{label{name=slab value=1} label{name=le value=1.0} untyped{value=1}} "
                  "metric{label{name=slab value=1} label{name=le value=2.5} untyped{value=3}} "
                  "metric{label{name=slab value=1} label{name=le value=+Inf} untyped{value=7}} "
                  "metric{label{name=slab value=2} label{name=le value=+Inf} untyped{value=1}}\n");
}

static void test_summary(void **state_)
{
    static const double quantiles[] = {0.5, 1};
    struct world *world = *state_;
    encoder_family(&world->encoder, &answers);
    encoder_summary(&world->encoder, none, SLICE("kind=\"get\""),
                    &(struct summary_view){quantiles, {2.5, 1024}, 2, UINT64_MAX, 1027.5, 1600000000});
    encoder_summary(&world->encoder, none, none, &(struct summary_view){quantiles, {NAN, NAN}, 2, 0, 0, 0});
    expect(world, "name=answers help=Answers. type=2 metric{label{name=kind value=get} "
                  "summary{count=18446744073709551615 sum=1027.5 quantile{quantile=0.5 value=2.5} "
                  "quantile{quantile=1 value=1024} created{seconds=1600000000 nanos=0}}} "
                  "metric{summary{count=0 sum=0 quantile{quantile=0.5 value=NaN} "
                  "quantile{quantile=1 value=NaN}}}\n");
}

/* --- Families --- */

/* A family leaves when the next one begins; one without samples leaves no trace. */
static void test_families_leave_whole(void **state_)
{
    struct world *world = *state_;
    struct encoder *encoder = &world->encoder;
    struct buffer second;
    buffer_init(&second, 4096);
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, SLICE("a=\"1\""), none, 1);
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, SLICE("a=\"2\""), none, 2);
    assert_int_equal(world->out.len, 0);
    encoder_set_out(encoder, &second);
    encoder_family(encoder, &malloced);
    assert_int_equal(world->out.len, 0);
    assert_true(second.len > 0);
    encoder_set_out(encoder, &world->out);
    encoder_family(encoder, &other);
    encoder_sample_u64(encoder, none, none, 3);
    expect(world, "name=other help=Other. type=3 metric{untyped{value=3}}\n");
    buffer_append_slice(&world->out, buffer_slice(&second));
    expect(world, "name=up help=Whether. type=1 metric{label{name=a value=1} gauge{value=1}} "
                  "metric{label{name=a value=2} gauge{value=2}}\n");
    buffer_deinit(&second);
}

static void test_filter(void **state_)
{
    struct world *world = *state_;
    encoder_deinit(&world->encoder);
    encoder_init(&world->encoder, FORMAT_PROTOBUF, SLICE("other\0"));
    encoder_set_out(&world->encoder, &world->out);
    encoder_family(&world->encoder, &up);
    encoder_sample_u64(&world->encoder, none, none, 1);
    encoder_family(&world->encoder, &other);
    encoder_sample_u64(&world->encoder, none, none, 2);
    encoder_family(&world->encoder, &hits);
    encoder_sample_u64(&world->encoder, none, none, 3);
    expect(world, "name=other help=Other. type=3 metric{untyped{value=2}}\n");
}

static void test_nothing_at_all(void **state_)
{
    expect(*state_, "");
}

static size_t count_metrics(const char *text)
{
    size_t count = 0;
    while ((text = strstr(text, "metric{"))) {
        count++;
        text++;
    }
    return count;
}

/* A family that is too large for one message goes on in others, each with its head, none too large. */
static void test_large_families_are_divided(void **state_)
{
    struct world *world = *state_;
    size_t samples = 20000, messages = 0, found = 0;
    encoder_family(&world->encoder, &up);
    for (size_t n = 0; n < samples; n++) {
        encoder_sample_u64(&world->encoder, SLICE("instance=\"192.0.2.1:11211\""), none, n);
        assert_true(world->encoder.protobuf.message.len < PROTOBUF_MESSAGE_MAX);
    }
    encoder_finish(&world->encoder);
    for (struct slice rest = buffer_slice(&world->out); rest.len; messages++) {
        struct slice message = protobuf_next(&rest);
        struct buffer text;
        assert_true(message.len < PROTOBUF_MESSAGE_MAX + 1024);
        buffer_init(&text, 1 << 24);
        protobuf_print(&text, FAMILY, message);
        buffer_append_char(&text, '\0');
        assert_memory_equal(text.data, "name=up help=Whether. type=1 metric{", 36);
        found += count_metrics(text.data);
        buffer_deinit(&text);
    }
    assert_int_equal(found, samples);
    assert_true(messages > 1 && messages < 10);
}

/* --- Pieces --- */

/* A collector that writes one sample in each step. */
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

static const struct family *const ups[] = {&up}, *const others[] = {&other};
static const struct collector up_collector = {"up", ups, 1, ""};
static const struct collector other_collector = {"other", others, 1, "zone=\"z\""};

/* Appends up to so many pieces of at least `want` bytes; whether the exposition is whole then. */
static bool fill_pieces(struct buffer *out, size_t want, unsigned pieces)
{
    struct countdown a = {{&up_collector, step}, &up, 2}, b = {{&other_collector, step}, &other, 1};
    struct exposition exposition;
    struct buffer piece;
    bool more = true;
    buffer_init(&piece, 4096);
    exposition_init(&exposition, FORMAT_PROTOBUF, none);
    exposition_add(&exposition, &a.walk);
    exposition_add(&exposition, &b.walk);
    for (; more && pieces; pieces--) {
        buffer_clear(&piece);
        more = exposition_fill(&exposition, &piece, want);
        if (more) assert_true(piece.len >= want);
        buffer_append_slice(out, buffer_slice(&piece));
    }
    exposition_deinit(&exposition);
    buffer_deinit(&piece);
    return !more;
}

/* However small the pieces, they make the same messages. */
static void test_pieces_of_every_size(void **state_)
{
    struct world *world = *state_;
    for (size_t want = 1; want < 200; want++) {
        assert_true(fill_pieces(&world->out, want, 100));
        expect(world, "name=up help=Whether. type=1 metric{gauge{value=2}} metric{gauge{value=1}}\n"
                      "name=other help=Other. type=3 metric{label{name=zone value=z} untyped{value=1}}\n");
    }
}

/* What was gathered when a client left is released. */
static void test_ends_in_the_middle(void **state_)
{
    struct world *world = *state_;
    assert_false(fill_pieces(&world->out, 1, 1));
    assert_true(world->out.len > 0);
    encoder_family(&world->encoder, &up);
    encoder_sample_u64(&world->encoder, none, none, 1);
}

/* --- What goes wrong --- */

/* No half message is sent: the exposition fails. */
static void test_sample_beyond_every_bound(void **state_)
{
    struct world *world = *state_;
    struct buffer labels;
    char *value = malloc(3 * PROTOBUF_MESSAGE_MAX);
    assert_non_null(value);
    memset(value, 'x', 3 * PROTOBUF_MESSAGE_MAX);
    buffer_init(&labels, 1 << 24);
    labels_append(&labels, "a", (struct slice){value, 3 * PROTOBUF_MESSAGE_MAX});
    encoder_family(&world->encoder, &up);
    encoder_sample_u64(&world->encoder, buffer_slice(&labels), none, 1);
    assert_true(world->out.failed);
    assert_int_equal(world->out.len, 0);
    free(value);
    buffer_deinit(&labels);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_types),
        TEST(test_counters_since),
        TEST(test_every_length),
        TEST(test_values),
        TEST(test_labels),
        TEST(test_histogram),
        TEST(test_native_histogram),
        TEST(test_text_leaves_native_histograms_out),
        TEST(test_gauge_histogram),
        TEST(test_summary),
        TEST(test_families_leave_whole),
        TEST(test_filter),
        TEST(test_nothing_at_all),
        TEST(test_large_families_are_divided),
        TEST(test_pieces_of_every_size),
        TEST(test_ends_in_the_middle),
        TEST(test_sample_beyond_every_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
