#include "collectors/telemetry.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

/*
 * Bucket bounds in seconds. A memcached on the same network answers within a millisecond; a scrape lasts at
 * most some seconds.
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
    answer_times_deinit(&telemetry->answers);
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

/*
 * Numbers without labels, one per line: name, type, help, value. `t` is the telemetry. `http`, `polls` and
 * `dns` are the counts of server, fleet and resolver.
 */
#define NUMBERS(M)                                                                                           \
    M("targets", METRIC_GAUGE, "Configured targets.", t->targets)                                            \
    M("http_requests_in_flight", METRIC_GAUGE, "Scrapes that are being answered.", t->scrapes_running)       \
    M("kubelet_probes_total", METRIC_COUNTER,                                                                \
      "Requests of kubelets for the metrics, answered without asking a memcached.", t->kubelet_probes)       \
    M("http_open_connections", METRIC_GAUGE, "Open HTTP connections.", http.open)                            \
    M("http_connections_total", METRIC_COUNTER, "HTTP connections that were accepted.", http.accepted)       \
    M("target_open_connections", METRIC_GAUGE, "Open connections to memcached servers.", polls.open)         \
    M("target_connections_opened_total", METRIC_COUNTER, "Connections that were made to memcached servers.", \
      polls.opened)                                                                                          \
    M("target_connections_reused_total", METRIC_COUNTER, "Polls that used a connection of an earlier one.",  \
      polls.reused)                                                                                          \
    M("target_scrapes_coalesced_total", METRIC_COUNTER,                                                      \
      "Polls that were asked for while one was under way, and shared it.", polls.coalesced)                  \
    M("target_connections_stalled_total", METRIC_COUNTER,                                                    \
      "Kept connections that said nothing for a while, so that another one was made beside them.",           \
      polls.stalled)                                                                                         \
    M("target_read_bytes_total", METRIC_COUNTER, "Bytes read from memcached servers.", polls.bytes_read)     \
    M("target_written_bytes_total", METRIC_COUNTER, "Bytes written to memcached servers.",                   \
      polls.bytes_written)                                                                                   \
    M("dns_lookups_total", METRIC_COUNTER, "Names that were looked up, answered from the cache or not.",     \
      dns.lookups)                                                                                           \
    M("dns_queries_total", METRIC_COUNTER, "Names that the cache did not know.", dns.queries)                \
    M("dns_failures_total", METRIC_COUNTER, "Names for which no address was found.", dns.failures)           \
    M("log_lines_lost_total", METRIC_COUNTER, "Log lines that were lost, since nobody read them.",           \
      log_lost())                                                                                            \
    M("event_loop_handles", METRIC_GAUGE, "Connections, timers and signals that the event loop waits for.",  \
      t->loop ? t->loop->active_handles : 0)

/* All other families, one per line: name in this file, name, type, labels, help. */
#define OTHERS(M)                                                                                            \
    M(REQUESTS, "http_requests_total", METRIC_COUNTER, "handler,code",                                       \
      "HTTP requests by handler and status code; without a handler if none saw it.")                         \
    M(REJECTED, "http_requests_rejected_total", METRIC_COUNTER, "reason",                                    \
      "HTTP requests and connections that were turned away or cut off, by reason.")                          \
    M(REFUSED, "scrape_refused_total", METRIC_COUNTER, "rule",                                               \
      "Targets of URLs that the policy has refused, by the kind of rule.")                                   \
    M(SIZES, "http_response_size_bytes", METRIC_SUMMARY, "",                                                 \
      "Size of HTTP answers as sent, head included; quantiles of the last ten minutes within one percent "   \
      "(DDSketch).")                                                                                         \
    M(DURATIONS, "http_response_duration_seconds", METRIC_SUMMARY, "",                                       \
      "Time from a request to the last byte of its answer; quantiles of the last ten minutes within one "    \
      "percent (DDSketch).")                                                                                 \
    M(RESULTS, "scrapes_total", METRIC_COUNTER, "result",                                                    \
      "Collections by result: all targets up, some, or none.")                                               \
    M(SCRAPES, "scrape_duration_seconds", METRIC_HISTOGRAM, "",                                              \
      "How long whole collections took, from the first target asked to the last answer.")                    \
    M(STATES, "target_scrapes_total", METRIC_COUNTER, "state",                                               \
      "Polls of memcached servers by what came of them.")                                                    \
    M(POLLS, "target_scrape_duration_seconds", METRIC_HISTOGRAM, "",                                         \
      "How long polls of memcached servers took.")                                                           \
    M(ERRORS, "parse_errors_total", METRIC_COUNTER, "kind",                                                  \
      "What memcached servers sent and could not be read, by kind: single values, or whole answers.")        \
    M(LOOP_LAG, "event_loop_lag_seconds", METRIC_HISTOGRAM, "",                                              \
      "How long turns of the event loop were busy, while everything else waited.")                           \
    M(WRITES, "output_writes_total", METRIC_COUNTER, "output",                                               \
      "Expositions that were written to a file or pushed, and requests of remote write.")                    \
    M(FAILURES, "output_failures_total", METRIC_COUNTER, "output",                                           \
      "Expositions that could not be written or pushed, and requests of remote write that failed.")          \
    M(DROPPED, "output_messages_dropped_total", METRIC_COUNTER, "output",                                    \
      "Messages of remote write that were lost: the receiver did not want them, or too many waited.")        \
    M(SANDBOX, "sandbox", METRIC_GAUGE, "layer", "Whether a layer of the exporter's sandbox is in force.")

#define FAMILY_OF_NUMBER(name, type, help, value) &(const struct family){PREFIX name, help, type, ""},
#define FAMILY_OF_OTHER(word, name, type, labels, help)                                                      \
    &(const struct family){PREFIX name, help, type, labels},
#define VALUE_OF(name, type, help, value)       value,
#define WORD_OF(word, name, type, labels, help) word,

static const struct family *const families[] = {&answer_times_families[0], &answer_times_families[1],
                                                NUMBERS(FAMILY_OF_NUMBER) OTHERS(FAMILY_OF_OTHER)};

enum other { OTHERS(WORD_OF) OTHER_COUNT };

static const struct family *family_of(enum other other)
{
    return families[ARRAY_LEN(families) - OTHER_COUNT + other];
}

const struct collector telemetry_collector = {"telemetry", families, ARRAY_LEN(families), ""};

/* --- The walk --- */

static void write_numbers(const struct telemetry *t, struct encoder *encoder)
{
    const struct server_counts http = t->server ? server_counts(t->server) : (struct server_counts){0};
    const struct client_counts polls = t->fleet ? fleet_counts(t->fleet) : (struct client_counts){0};
    const struct resolver_counts dns =
        t->resolver ? resolver_counts(t->resolver) : (struct resolver_counts){0};
    const uint64_t values[] = {NUMBERS(VALUE_OF)};
    for (size_t n = 0; n < ARRAY_LEN(values); n++) {
        encoder_family(encoder, families[ANSWER_FAMILIES + n]);
        encoder_sample_u64(encoder, SLICE(""), SLICE(""), values[n]);
    }
}

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
    encoder_family(encoder, family_of(REQUESTS));
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
    encoder_family(encoder, family_of(REJECTED));
    write_labelled(encoder, "reason", "max_requests", telemetry->scrapes_rejected + counts.yielded);
    write_labelled(encoder, "reason", "max_connections", counts.rejected);
    write_labelled(encoder, "reason", "bad_request", counts.refused);
    write_labelled(encoder, "reason", "displaced", counts.displaced);
    write_labelled(encoder, "reason", "stalled", counts.stalled);
    write_labelled(encoder, "reason", "accept_failed", counts.failed);
    write_labelled(encoder, "reason", "tls_handshake", counts.insecure);
}

static void write_refusals(struct telemetry *telemetry, struct encoder *encoder)
{
    struct client_counts polls =
        telemetry->fleet ? fleet_counts(telemetry->fleet) : (struct client_counts){0};
    encoder_family(encoder, family_of(REFUSED));
    for (enum policy_ground ground = 0; ground < POLICY_GROUNDS; ground++)
        write_labelled(encoder, "rule", policy_ground_name(ground),
                       telemetry->refused[ground] + polls.refused[ground]);
}

static void write_answers(struct telemetry *telemetry, struct encoder *encoder)
{
    struct summary_view sizes = summary_view(&telemetry->sizes, monotonic_s());
    struct summary_view durations = summary_view(&telemetry->durations, monotonic_s());
    encoder_family(encoder, family_of(SIZES));
    encoder_summary(encoder, SLICE(""), SLICE(""), &sizes);
    encoder_family(encoder, family_of(DURATIONS));
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
    encoder_family(encoder, family_of(RESULTS));
    for (size_t n = 0; n < SCRAPE_RESULT_COUNT; n++)
        write_labelled(encoder, "result", results[n], telemetry->results[n]);
    write_histogram(encoder, family_of(SCRAPES), &telemetry->scrapes);
}

static void write_polls(struct telemetry *telemetry, struct encoder *encoder)
{
    encoder_family(encoder, family_of(STATES));
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++) {
        write_labelled(encoder, "state", target_state_name(state), telemetry->states[state]);
    }
    write_histogram(encoder, family_of(POLLS), &telemetry->polls);
    encoder_family(encoder, family_of(ERRORS));
    write_labelled(encoder, "kind", "value", telemetry->value_errors);
    write_labelled(encoder, "kind", "protocol", telemetry->states[TARGET_PROTOCOL_ERROR]);
    write_histogram(encoder, family_of(LOOP_LAG), &telemetry->turns);
}

static void write_outputs(struct telemetry *telemetry, struct encoder *encoder)
{
    struct push_counts pushes = telemetry->push ? telemetry->push->counts : (struct push_counts){0};
    struct sender_counts sends = telemetry->sender ? telemetry->sender->counts : (struct sender_counts){0};
    encoder_family(encoder, family_of(WRITES));
    write_labelled(encoder, "output", "textfile", telemetry->file_writes);
    write_labelled(encoder, "output", "push", pushes.attempts);
    write_labelled(encoder, "output", "remote_write", sends.attempts);
    encoder_family(encoder, family_of(FAILURES));
    write_labelled(encoder, "output", "textfile", telemetry->file_failures);
    write_labelled(encoder, "output", "push", pushes.failures);
    write_labelled(encoder, "output", "remote_write", sends.failures);
    encoder_family(encoder, family_of(DROPPED));
    write_labelled(encoder, "output", "remote_write", sends.dropped);
}

static void write_sandbox(struct telemetry *telemetry, struct encoder *encoder)
{
    encoder_family(encoder, family_of(SANDBOX));
    write_labelled(encoder, "layer", "landlock", telemetry->landlock);
    write_labelled(encoder, "layer", "seccomp", telemetry->seccomp);
    write_labelled(encoder, "layer", "no_new_privileges", telemetry->no_new_privileges);
}

/* Writes the times of one group per step, then everything else at once: about ten kilobytes. */
static bool telemetry_step(struct walk *base, struct encoder *encoder)
{
    struct telemetry_walk *walk = container_of(base, struct telemetry_walk, walk);
    struct telemetry *telemetry = walk->telemetry;
    if (answer_times_write(&telemetry->answers, telemetry->fleet, &walk->times, encoder)) return true;
    write_numbers(telemetry, encoder);
    write_requests(telemetry, encoder);
    write_refusals(telemetry, encoder);
    write_answers(telemetry, encoder);
    write_scrapes(telemetry, encoder);
    write_polls(telemetry, encoder);
    write_outputs(telemetry, encoder);
    write_sandbox(telemetry, encoder);
    return false;
}

void telemetry_walk_init(struct telemetry_walk *walk, struct telemetry *telemetry)
{
    *walk = (struct telemetry_walk){.walk = {&telemetry_collector, telemetry_step}, .telemetry = telemetry};
}
