#include "collectors/telemetry.h"

#include "base/clock.h"
#include "base/container.h"

/*
 * Seconds. A memcached on the same network answers within a millisecond; a scrape lasts at most some seconds.
 */
static const double poll_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static const double turn_bounds[] = {0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5};
static const double quantiles[] = {0.5, 0.9, 0.99};

static uint64_t monotonic_s(void)
{
    return uv_hrtime() / 1000000000;
}

/* --- Observations --- */

int telemetry_init(struct telemetry *telemetry)
{
    double now = unix_now();
    *telemetry = (struct telemetry){0};
    int result = summary_init(&telemetry->sizes, quantiles, ARRAY_LEN(quantiles), monotonic_s(), now);
    if (result < 0) return result;
    result = summary_init(&telemetry->durations, quantiles, ARRAY_LEN(quantiles), monotonic_s(), now);
    if (result < 0) {
        summary_deinit(&telemetry->sizes);
        return result;
    }
    histogram_init(&telemetry->scrapes, poll_bounds, ARRAY_LEN(poll_bounds), now);
    histogram_set_native(&telemetry->scrapes, &telemetry->native_scrapes);
    histogram_init(&telemetry->polls, poll_bounds, ARRAY_LEN(poll_bounds), now);
    histogram_set_native(&telemetry->polls, &telemetry->native_polls);
    histogram_init(&telemetry->turns, turn_bounds, ARRAY_LEN(turn_bounds), now);
    histogram_set_native(&telemetry->turns, &telemetry->native_turns);
    return 0;
}

void telemetry_deinit(struct telemetry *telemetry)
{
    histogram_deinit(&telemetry->scrapes);
    histogram_deinit(&telemetry->polls);
    histogram_deinit(&telemetry->turns);
    summary_deinit(&telemetry->sizes);
    summary_deinit(&telemetry->durations);
}

void telemetry_observe_scrape(struct telemetry *telemetry, uint64_t duration_ns, size_t up, size_t targets)
{
    histogram_observe(&telemetry->scrapes, (double) duration_ns / 1e9);
    if (up == targets)
        telemetry->results[SCRAPE_COMPLETE]++;
    else
        telemetry->results[up ? SCRAPE_PARTIAL : SCRAPE_DOWN]++;
}

void telemetry_observe_poll(struct telemetry *telemetry, const char *target, const struct snapshot *snapshot)
{
    struct buffer labels;
    buffer_init(&labels, 1024);
    labels_append(&labels, "target", slice_of(target));
    histogram_observe_example(&telemetry->polls, (double) snapshot->duration_ns / 1e9, buffer_slice(&labels),
                              unix_now());
    buffer_deinit(&labels);
    telemetry->states[snapshot->state]++;
    telemetry->value_errors += snapshot->parse_errors;
}

static void count_request(struct telemetry *telemetry, const char *handler, int status)
{
    struct request_count *kind = telemetry->requests, *end = kind + telemetry->request_kinds;
    while (kind < end && (kind->handler != handler || kind->status != status)) kind++;
    if (kind == end && telemetry->request_kinds == TELEMETRY_REQUESTS_MAX) return;
    if (kind == end) {
        telemetry->request_kinds++;
        *kind = (struct request_count){handler, status, 0};
    }
    kind->count++;
}

void telemetry_observe_answer(void *context, const struct answer_report *answer)
{
    struct telemetry *telemetry = context;
    uint64_t now_s = monotonic_s();
    count_request(telemetry, answer->handler ? answer->handler : "", answer->status);
    summary_observe(&telemetry->sizes, (double) answer->bytes, now_s);
    summary_observe(&telemetry->durations, (double) answer->duration_ns / 1e9, now_s);
}

void telemetry_observe_turn(struct telemetry *telemetry, uint64_t busy_ns)
{
    histogram_observe(&telemetry->turns, (double) busy_ns / 1e9);
}

void telemetry_observe_file(struct telemetry *telemetry, bool good)
{
    telemetry->file_writes++;
    telemetry->file_failures += !good;
}

/* --- Families --- */

#define PREFIX "memcached_exporter_"

/* Numbers that stand alone, each with where it comes from. */
static uint64_t targets(const struct telemetry *t)
{
    return t->targets;
}
static uint64_t scrapes_running(const struct telemetry *t)
{
    return t->scrapes_running;
}
static uint64_t http_connections(const struct telemetry *t)
{
    return t->server ? server_counts(t->server).open : 0;
}
static uint64_t http_connections_total(const struct telemetry *t)
{
    return t->server ? server_counts(t->server).accepted : 0;
}
static uint64_t connections(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).open : 0;
}
static uint64_t opened(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).opened : 0;
}
static uint64_t reused(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).reused : 0;
}
static uint64_t coalesced(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).coalesced : 0;
}
static uint64_t stalled(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).stalled : 0;
}
static uint64_t bytes_read(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).bytes_read : 0;
}
static uint64_t bytes_written(const struct telemetry *t)
{
    return t->fleet ? fleet_counts(t->fleet).bytes_written : 0;
}
static uint64_t dns_lookups(const struct telemetry *t)
{
    return t->resolver ? resolver_counts(t->resolver).lookups : 0;
}
static uint64_t dns_queries(const struct telemetry *t)
{
    return t->resolver ? resolver_counts(t->resolver).queries : 0;
}
static uint64_t dns_failures(const struct telemetry *t)
{
    return t->resolver ? resolver_counts(t->resolver).failures : 0;
}

static const struct {
    struct family family;
    uint64_t (*value)(const struct telemetry *telemetry);
} numbers[] = {
    {{PREFIX "targets", "Configured targets.", METRIC_GAUGE, ""}, targets},
    {{PREFIX "http_requests_in_flight", "Scrapes that are being answered.", METRIC_GAUGE, ""},
     scrapes_running},
    {{PREFIX "http_open_connections", "Open HTTP connections.", METRIC_GAUGE, ""}, http_connections},
    {{PREFIX "http_connections_total", "HTTP connections that were accepted.", METRIC_COUNTER, ""},
     http_connections_total},
    {{PREFIX "target_open_connections", "Open connections to memcached servers.", METRIC_GAUGE, ""},
     connections},
    {{PREFIX "target_connections_opened_total", "Connections that were made to memcached servers.",
      METRIC_COUNTER, ""},
     opened},
    {{PREFIX "target_connections_reused_total", "Polls that used a connection of an earlier one.",
      METRIC_COUNTER, ""},
     reused},
    {{PREFIX "target_scrapes_coalesced_total",
      "Polls that were asked for while one was under way, and shared it.", METRIC_COUNTER, ""},
     coalesced},
    {{PREFIX "target_connections_stalled_total",
      "Kept connections that said nothing for a while, so that another one was made beside them.",
      METRIC_COUNTER, ""},
     stalled},
    {{PREFIX "target_read_bytes_total", "Bytes read from memcached servers.", METRIC_COUNTER, ""},
     bytes_read},
    {{PREFIX "target_written_bytes_total", "Bytes written to memcached servers.", METRIC_COUNTER, ""},
     bytes_written},
    {{PREFIX "dns_lookups_total", "Names that were looked up, answered from the cache or not.",
      METRIC_COUNTER, ""},
     dns_lookups},
    {{PREFIX "dns_queries_total", "Names that the cache did not know.", METRIC_COUNTER, ""}, dns_queries},
    {{PREFIX "dns_failures_total", "Names for which no address was found.", METRIC_COUNTER, ""},
     dns_failures},
};

static const struct family requests_family = {
    PREFIX "http_requests_total",
    "HTTP requests by handler and status code; without a handler if none saw it.", METRIC_COUNTER,
    "handler,code"};
static const struct family rejected_family = {
    PREFIX "http_requests_rejected_total",
    "HTTP requests and connections that were turned away or cut off, by reason.", METRIC_COUNTER, "reason"};
static const struct family sizes_family = {PREFIX "http_response_size_bytes",
                                           "Size of HTTP answers as sent, head included; quantiles of the "
                                           "last ten minutes within one percent (DDSketch).",
                                           METRIC_SUMMARY, ""};
static const struct family durations_family = {
    PREFIX "http_response_duration_seconds",
    "Time from a request to the last byte of its answer; quantiles of the last ten minutes within one "
    "percent (DDSketch).",
    METRIC_SUMMARY, ""};
static const struct family results_family = {PREFIX "scrapes_total",
                                             "Collections by result: all targets up, some, or none.",
                                             METRIC_COUNTER, "result"};
static const struct family scrapes_family = {
    PREFIX "scrape_duration_seconds",
    "How long whole collections took, from the first target asked to the last answer.", METRIC_HISTOGRAM, ""};
static const struct family states_family = {PREFIX "target_scrapes_total",
                                            "Polls of memcached servers by what came of them.",
                                            METRIC_COUNTER, "state"};
static const struct family polls_family = {PREFIX "target_scrape_duration_seconds",
                                           "How long polls of memcached servers took.", METRIC_HISTOGRAM, ""};
static const struct family errors_family = {
    PREFIX "parse_errors_total",
    "What memcached servers sent and could not be read, by kind: single values, or whole answers.",
    METRIC_COUNTER, "kind"};
static const struct family loop_lag_family = {
    PREFIX "event_loop_lag_seconds",
    "How long turns of the event loop were busy, while everything else waited.", METRIC_HISTOGRAM, ""};
static const struct family writes_family = {PREFIX "output_writes_total",
                                            "Expositions that were written to a file or pushed.",
                                            METRIC_COUNTER, "output"};
static const struct family failures_family = {PREFIX "output_failures_total",
                                              "Expositions that could not be written or pushed.",
                                              METRIC_COUNTER, "output"};

static const struct family *const families[] = {
    &numbers[0].family,  &numbers[1].family,  &numbers[2].family,  &numbers[3].family,  &numbers[4].family,
    &numbers[5].family,  &numbers[6].family,  &numbers[7].family,  &numbers[8].family,  &numbers[9].family,
    &numbers[10].family, &numbers[11].family, &numbers[12].family, &numbers[13].family, &requests_family,
    &rejected_family,    &sizes_family,       &durations_family,   &results_family,     &scrapes_family,
    &states_family,      &polls_family,       &errors_family,      &loop_lag_family,    &writes_family,
    &failures_family,
};

const struct collector telemetry_collector = {"telemetry", families, ARRAY_LEN(families), ""};

/* --- The walk --- */

static void write_labelled(struct encoder *encoder, const char *name, const char *value, uint64_t count)
{
    struct buffer labels;
    buffer_init(&labels, 1024);
    labels_append(&labels, name, slice_of(value));
    encoder_sample_u64(encoder, SLICE(""), buffer_slice(&labels), count);
    buffer_deinit(&labels);
}

static void write_requests(struct telemetry *telemetry, struct encoder *encoder)
{
    encoder_family(encoder, &requests_family);
    for (size_t n = 0; n < telemetry->request_kinds; n++) {
        const struct request_count *kind = &telemetry->requests[n];
        struct buffer labels;
        buffer_init(&labels, 1024);
        labels_append(&labels, "handler", slice_of(kind->handler));
        buffer_printf(&labels, ",code=\"%d\"", kind->status);
        encoder_sample_u64(encoder, SLICE(""), buffer_slice(&labels), kind->count);
        buffer_deinit(&labels);
    }
    struct server_counts counts =
        telemetry->server ? server_counts(telemetry->server) : (struct server_counts){0};
    encoder_family(encoder, &rejected_family);
    write_labelled(encoder, "reason", "max_requests", telemetry->scrapes_rejected);
    write_labelled(encoder, "reason", "max_connections", counts.rejected);
    write_labelled(encoder, "reason", "bad_request", counts.refused);
    write_labelled(encoder, "reason", "displaced", counts.displaced);
    write_labelled(encoder, "reason", "stalled", counts.stalled);
    write_labelled(encoder, "reason", "accept_failed", counts.failed);
}

static void write_answers(struct telemetry *telemetry, struct encoder *encoder)
{
    struct summary_view sizes = summary_view(&telemetry->sizes, monotonic_s());
    struct summary_view durations = summary_view(&telemetry->durations, monotonic_s());
    encoder_family(encoder, &sizes_family);
    encoder_summary(encoder, SLICE(""), SLICE(""), &sizes);
    encoder_family(encoder, &durations_family);
    encoder_summary(encoder, SLICE(""), SLICE(""), &durations);
}

static void write_histogram(struct encoder *encoder, const struct family *family,
                            const struct histogram *histogram)
{
    struct histogram_view view = histogram_view(histogram);
    encoder_family(encoder, family);
    encoder_histogram(encoder, SLICE(""), SLICE(""), &view);
}

static void write_scrapes(struct telemetry *telemetry, struct encoder *encoder)
{
    static const char *const results[] = {"complete", "partial", "down"};
    encoder_family(encoder, &results_family);
    for (size_t n = 0; n < SCRAPE_RESULT_COUNT; n++)
        write_labelled(encoder, "result", results[n], telemetry->results[n]);
    write_histogram(encoder, &scrapes_family, &telemetry->scrapes);
}

static void write_polls(struct telemetry *telemetry, struct encoder *encoder)
{
    encoder_family(encoder, &states_family);
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++) {
        write_labelled(encoder, "state", target_state_name(state), telemetry->states[state]);
    }
    write_histogram(encoder, &polls_family, &telemetry->polls);
    encoder_family(encoder, &errors_family);
    write_labelled(encoder, "kind", "value", telemetry->value_errors);
    write_labelled(encoder, "kind", "protocol", telemetry->states[TARGET_PROTOCOL_ERROR]);
    write_histogram(encoder, &loop_lag_family, &telemetry->turns);
}

static void write_outputs(struct telemetry *telemetry, struct encoder *encoder)
{
    struct push_counts pushes = telemetry->push ? telemetry->push->counts : (struct push_counts){0};
    encoder_family(encoder, &writes_family);
    write_labelled(encoder, "output", "textfile", telemetry->file_writes);
    write_labelled(encoder, "output", "push", pushes.attempts);
    encoder_family(encoder, &failures_family);
    write_labelled(encoder, "output", "textfile", telemetry->file_failures);
    write_labelled(encoder, "output", "push", pushes.failures);
}

/* All in one step: some ten kilobytes, whatever the size of the fleet. */
static bool step(struct walk *walk, struct encoder *encoder)
{
    struct telemetry *telemetry = container_of(walk, struct telemetry_walk, walk)->telemetry;
    for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
        encoder_family(encoder, &numbers[n].family);
        encoder_sample_u64(encoder, SLICE(""), SLICE(""), numbers[n].value(telemetry));
    }
    write_requests(telemetry, encoder);
    write_answers(telemetry, encoder);
    write_scrapes(telemetry, encoder);
    write_polls(telemetry, encoder);
    write_outputs(telemetry, encoder);
    return false;
}

void telemetry_walk_init(struct telemetry_walk *walk, struct telemetry *telemetry)
{
    *walk = (struct telemetry_walk){.walk = {&telemetry_collector, step}, .telemetry = telemetry};
}
