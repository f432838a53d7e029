/* Each thing that is observed shows in the exposition, where and as it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collectors/telemetry.h"
#include "exposition.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define P "memcached_exporter_"

static int setup(void **state)
{
    struct telemetry *telemetry = malloc(sizeof(*telemetry));
    assert_non_null(telemetry);
    assert_int_equal(telemetry_init(telemetry), 0);
    *state = telemetry;
    return 0;
}

static int teardown(void **state)
{
    telemetry_deinit(*state);
    free(*state);
    return 0;
}

static char *collect(struct telemetry *telemetry, enum format format)
{
    struct telemetry_walk walk;
    telemetry_walk_init(&walk, telemetry);
    assert_ptr_equal(walk.walk.collector, &telemetry_collector);
    return exposition_text(format, (struct walk *[]){&walk.walk}, 1);
}

/* Fails unless the samples have these values; the list ends with NULL. */
static void expect_values(struct telemetry *telemetry, const char *const *lines)
{
    char *text = collect(telemetry, FORMAT_TEXT);
    for (; *lines; lines++) expect_line(text, *lines);
    free(text);
}

#define EXPECT(telemetry, ...) expect_values(telemetry, (const char *const[]){__VA_ARGS__, NULL})

/* Before anything has happened, all is there but requests by handler, at 0. */
static void test_nothing_observed(void **state)
{
    struct telemetry *telemetry = *state;
    char *text = collect(telemetry, FORMAT_TEXT);
    size_t seen = expect_families_of(text, &telemetry_collector);
    assert_int_equal(seen, telemetry_collector.count - 1 - ANSWER_FAMILIES);
    assert_int_equal(exposition_count(text, P "http_requests_total"), 0);
    for (struct slice rest = slice_of(text); rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        if (slice_starts(line, "# ")) continue;
        bool quantile = memmem(line.data, line.len, "quantile=", 9) != NULL;
        const char *end = quantile ? " NaN" : " 0";
        size_t len = strlen(end);
        if (memcmp(line.data + line.len - len, end, len) != 0) fail_msg("%.*s", SLICE_ARG(line));
    }
    free(text);
}

static void test_plain_numbers(void **state)
{
    struct telemetry *telemetry = *state;
    telemetry->targets = 7;
    telemetry->scrapes_running = 3;
    telemetry->scrapes_rejected = 5;
    telemetry->refused[POLICY_BY_LINK_LOCAL] = 4;
    EXPECT(telemetry, P "scrape_refused_total{rule=\"link_local\"} 4",
           P "scrape_refused_total{rule=\"allow\"} 0", P "scrape_refused_total{rule=\"listener\"} 0",
           P "targets 7", P "http_requests_in_flight 3",
           P "http_requests_rejected_total{reason=\"max_requests\"} 5",
           P "http_requests_rejected_total{reason=\"max_connections\"} 0",
           P "http_requests_rejected_total{reason=\"bad_request\"} 0",
           P "http_requests_rejected_total{reason=\"displaced\"} 0",
           P "http_requests_rejected_total{reason=\"stalled\"} 0",
           P "http_requests_rejected_total{reason=\"accept_failed\"} 0");
}

/* 2 ms complete, 20 ms partial, 20 s down; without targets nothing is missing. */
static void test_scrapes(void **state)
{
    struct telemetry *telemetry = *state;
    telemetry_observe_scrape(telemetry, 2000000, 3, 3);
    telemetry_observe_scrape(telemetry, 20000000, 1, 3);
    telemetry_observe_scrape(telemetry, 20000000000, 0, 3);
    telemetry_observe_scrape(telemetry, 1000, 0, 0);
    EXPECT(telemetry, P "scrapes_total{result=\"complete\"} 2", P "scrapes_total{result=\"partial\"} 1",
           P "scrapes_total{result=\"down\"} 1", P "scrape_duration_seconds_bucket{le=\"0.0005\"} 1",
           P "scrape_duration_seconds_bucket{le=\"0.001\"} 1",
           P "scrape_duration_seconds_bucket{le=\"0.0025\"} 2",
           P "scrape_duration_seconds_bucket{le=\"0.025\"} 3",
           P "scrape_duration_seconds_bucket{le=\"10.0\"} 3",
           P "scrape_duration_seconds_bucket{le=\"+Inf\"} 4", P "scrape_duration_seconds_count 4",
           P "target_scrape_duration_seconds_count 0");
}

static struct snapshot *make_snapshot(enum target_state how, uint64_t duration_ns, unsigned parse_errors)
{
    struct snapshot *snapshot = snapshot_new(COMMAND_BIT(COMMAND_STATS), 4096, 0);
    assert_non_null(snapshot);
    snapshot->state = how;
    snapshot->duration_ns = duration_ns;
    snapshot->parse_errors = parse_errors;
    return snapshot;
}

static void observe_poll(struct telemetry *telemetry, const char *target, enum target_state how,
                         uint64_t duration_ns, unsigned parse_errors)
{
    struct snapshot *snapshot = make_snapshot(how, duration_ns, parse_errors);
    telemetry_observe_poll(telemetry, target, snapshot);
    snapshot_release(snapshot);
}

static void test_polls(void **state)
{
    struct telemetry *telemetry = *state;
    observe_poll(telemetry, "a:1", TARGET_UP, 700000, 0);
    observe_poll(telemetry, "a:1", TARGET_UP, 800000, 2);
    observe_poll(telemetry, "b:1", TARGET_TIMEOUT, 1000000000, 0);
    observe_poll(telemetry, "b:1", TARGET_PROTOCOL_ERROR, 100000, 1);
    EXPECT(telemetry, P "target_scrapes_total{state=\"up\"} 2", P "target_scrapes_total{state=\"timeout\"} 1",
           P "target_scrapes_total{state=\"refused\"} 0",
           P "target_scrapes_total{state=\"protocol_error\"} 1", P "parse_errors_total{kind=\"value\"} 3",
           P "parse_errors_total{kind=\"protocol\"} 1",
           P "target_scrape_duration_seconds_bucket{le=\"0.0005\"} 1",
           P "target_scrape_duration_seconds_bucket{le=\"0.001\"} 3",
           P "target_scrape_duration_seconds_bucket{le=\"0.5\"} 3",
           P "target_scrape_duration_seconds_bucket{le=\"1.0\"} 4",
           P "target_scrape_duration_seconds_count 4", P "scrape_duration_seconds_count 0");
}

/* Every state has its sample, also those that have never been seen. */
static void test_every_state_is_counted(void **state)
{
    struct telemetry *telemetry = *state;
    for (unsigned n = 0; n < TARGET_STATE_COUNT; n++) {
        for (unsigned times = 0; times <= n; times++)
            observe_poll(telemetry, "a:1", (enum target_state) n, 1000, 0);
    }
    char *text = collect(telemetry, FORMAT_TEXT), series[128];
    for (unsigned n = 0; n < TARGET_STATE_COUNT; n++) {
        snprintf(series, sizeof(series), P "target_scrapes_total{state=\"%s\"}",
                 target_state_name((enum target_state) n));
        assert_int_equal((int) value_of(text, series), (int) n + 1);
    }
    assert_int_equal(exposition_count(text, P "target_scrapes_total"), TARGET_STATE_COUNT);
    free(text);
}

static void expect_between(double value, double low, double high)
{
    if (!(value >= low && value <= high)) fail_msg("%g is not between %g and %g", value, low, high);
}

static void test_answers(void **state)
{
    struct telemetry *telemetry = *state;
    static const struct answer_report reports[] = {
        {"metrics", 200, 1000, 2000000},
        {"metrics", 200, 1000, 2000000},
        {"metrics", 503, 1000, 2000000},
        {NULL, 400, 9000, 50000000},
    };
    for (size_t n = 0; n < 4; n++) telemetry_observe_answer(telemetry, &reports[n]);
    EXPECT(telemetry, P "http_requests_total{handler=\"metrics\",code=\"200\"} 2",
           P "http_requests_total{handler=\"metrics\",code=\"503\"} 1",
           P "http_requests_total{handler=\"\",code=\"400\"} 1", P "http_response_size_bytes_count 4",
           P "http_response_size_bytes_sum 12000", P "http_response_duration_seconds_count 4",
           P "http_response_duration_seconds_sum 0.056");
    char *text = collect(telemetry, FORMAT_TEXT);
    expect_between(value_of(text, P "http_response_size_bytes{quantile=\"0.5\"}"), 989, 1011);
    expect_between(value_of(text, P "http_response_size_bytes{quantile=\"0.99\"}"), 900, 9100);
    expect_between(value_of(text, P "http_response_duration_seconds{quantile=\"0.5\"}"), .00197, .00203);
    free(text);
}

/* The names of handlers and the codes are few; were they not, no memory would be written past the end. */
static void test_kinds_of_requests_are_capped(void **state)
{
    struct telemetry *telemetry = *state;
    for (int code = 100; code < 100 + TELEMETRY_REQUESTS_MAX + 10; code++) {
        struct answer_report report = {"root", code, 1, 1};
        telemetry_observe_answer(telemetry, &report);
        telemetry_observe_answer(telemetry, &report);
    }
    char *text = collect(telemetry, FORMAT_TEXT), line[128];
    assert_int_equal(exposition_count(text, P "http_requests_total"), TELEMETRY_REQUESTS_MAX);
    snprintf(line, sizeof(line), P "http_requests_total{handler=\"root\",code=\"%d\"} 2",
             100 + TELEMETRY_REQUESTS_MAX - 1);
    expect_line(text, line);
    expect_line(text, P "http_response_size_bytes_count 148");
    free(text);
}

static void test_turns(void **state)
{
    struct telemetry *telemetry = *state;
    telemetry_observe_turn(telemetry, 200000);
    telemetry_observe_turn(telemetry, 3000000000);
    EXPECT(telemetry, P "event_loop_lag_seconds_bucket{le=\"0.0001\"} 0",
           P "event_loop_lag_seconds_bucket{le=\"0.0005\"} 1",
           P "event_loop_lag_seconds_bucket{le=\"0.5\"} 1", P "event_loop_lag_seconds_bucket{le=\"+Inf\"} 2",
           P "event_loop_lag_seconds_sum 3.0002");
}

static void test_files(void **state)
{
    struct telemetry *telemetry = *state;
    telemetry_observe_file(telemetry, true);
    telemetry_observe_file(telemetry, false);
    telemetry_observe_file(telemetry, true);
    EXPECT(telemetry, P "output_writes_total{output=\"textfile\"} 3",
           P "output_failures_total{output=\"textfile\"} 1", P "output_writes_total{output=\"push\"} 0",
           P "output_failures_total{output=\"push\"} 0");
}

/* --- OpenMetrics --- */

/* The example of a bucket is the poll that fell into it last, with its target and the time. */
static void test_examples(void **state)
{
    struct telemetry *telemetry = *state;
    char name[300];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    observe_poll(telemetry, "a:1", TARGET_UP, 700000, 0);
    observe_poll(telemetry, "b\"1", TARGET_UP, 800000, 0);
    observe_poll(telemetry, name, TARGET_UP, 2000000000, 0);
    char *text = collect(telemetry, FORMAT_OPENMETRICS);
    struct slice line = exposition_line(text, P "target_scrape_duration_seconds_bucket{le=\"0.001\"} 2 # ");
    assert_non_null(line.data);
    line = slice_from(line, strlen(P "target_scrape_duration_seconds_bucket{le=\"0.001\"} 2 # "));
    assert_true(slice_starts(line, "{target=\"b\\\"1\"} 0.0008 "));
    expect_between(strtod(line.data + strlen("{target=\"b\\\"1\"} 0.0008 "), NULL), (double) time(NULL) - 60,
                   (double) time(NULL) + 1);
    assert_non_null(
        exposition_line(text, P "target_scrape_duration_seconds_bucket{le=\"2.5\"} 3 # {} 2 ").data);
    assert_int_equal(exposition_count(text, P "scrape_duration_seconds_bucket{le=\"0.001\"} 0 #"), 0);
    free(text);
    text = collect(telemetry, FORMAT_TEXT);
    assert_null(strstr(text, " # {"));
    free(text);
}

static void test_both_formats(void **state)
{
    struct telemetry *telemetry = *state;
    struct answer_report report = {"metrics", 200, 1, 1};
    telemetry_observe_answer(telemetry, &report);
    char *text = collect(telemetry, FORMAT_OPENMETRICS);
    expect_line(text, "# TYPE " P "http_requests counter");
    expect_line(text, "# TYPE " P "http_response_size_bytes summary");
    expect_line(text, "# UNIT " P "http_response_size_bytes bytes");
    expect_line(text, "# TYPE " P "scrape_duration_seconds histogram");
    expect_between(value_of(text, P "scrape_duration_seconds_created"), (double) time(NULL) - 60,
                   (double) time(NULL) + 1);
    expect_line(text, "# EOF");
    free(text);
    text = collect(telemetry, FORMAT_TEXT);
    expect_line(text, "# TYPE " P "http_requests_total counter");
    assert_int_equal(expect_families_of(text, &telemetry_collector),
                     telemetry_collector.count - ANSWER_FAMILIES);
    assert_null(strstr(text, "_created"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_observed),
        TEST(test_plain_numbers),
        TEST(test_scrapes),
        TEST(test_polls),
        TEST(test_every_state_is_counted),
        TEST(test_answers),
        TEST(test_kinds_of_requests_are_capped),
        TEST(test_turns),
        TEST(test_files),
        TEST(test_examples),
        TEST(test_both_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
