/* The histograms of durations are native ones too, in the format that has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collectors/telemetry.h"
#include "protobuf.h"

/* The exposition, a line for each family. */
static void collect(struct telemetry *telemetry, struct buffer *text)
{
    struct exposition exposition;
    struct telemetry_walk walk;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    telemetry_walk_init(&walk, telemetry);
    exposition_init(&exposition, FORMAT_PROTOBUF, SLICE(""));
    exposition_add(&exposition, &walk.walk);
    assert_false(exposition_fill(&exposition, &out, 1 << 20));
    protobuf_print_all(text, buffer_slice(&out));
    exposition_deinit(&exposition);
    buffer_deinit(&out);
}

/* The line of a family holds this. */
static void expect(struct slice text, const char *family, const char *part)
{
    char start[128];
    snprintf(start, sizeof(start), "name=memcached_exporter_%s ", family);
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');
        if (!slice_starts(line, start)) continue;
        if (!memmem(line.data, line.len, part, strlen(part)))
            fail_msg("%s not in %.*s", part, SLICE_ARG(line));
        return;
    }
    fail_msg("no family %s", family);
}

static void test_durations_are_native_histograms(void **state)
{
    struct telemetry telemetry;
    struct snapshot snapshot = {.duration_ns = 2000000000, .state = TARGET_UP};
    struct buffer text;
    (void) state;
    buffer_init(&text, 1 << 20);
    assert_int_equal(telemetry_init(&telemetry), 0);
    telemetry_observe_scrape(&telemetry, 1000000000, 1, 1);
    telemetry_observe_poll(&telemetry, "a:1", &snapshot);
    telemetry_observe_turn(&telemetry, 500000000);
    collect(&telemetry, &text);
    expect(buffer_slice(&text), "scrape_duration_seconds", "zero_count=0 span{offset=0 length=1} delta=1");
    expect(buffer_slice(&text), "target_scrape_duration_seconds",
           "zero_count=0 span{offset=8 length=1} delta=1");
    expect(buffer_slice(&text), "event_loop_lag_seconds", "zero_count=0 span{offset=-8 length=1} delta=1");
    expect(buffer_slice(&text), "target_scrape_duration_seconds",
           "exemplar{label{name=target value=a:1} value=2 ");
    telemetry_deinit(&telemetry);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_native_histograms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
