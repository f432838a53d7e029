/*
 * What this exporter observes of its own work, and the collector that tells it.
 *
 * Some numbers are counted here, as the program reports them; others are kept by the parts that know them
 * (server, resolver, fleet) and are asked for at each scrape.
 */
#ifndef COLLECTORS_TELEMETRY_H
#define COLLECTORS_TELEMETRY_H

#include "collectors/answer_pace.h"
#include "http/server.h"
#include "memcached/fleet.h"
#include "metrics/collector.h"
#include "metrics/histogram.h"
#include "metrics/summary.h"
#include "net/resolver.h"
#include "outputs/push.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Handlers times status codes that this program ever sends is less. */
#define TELEMETRY_REQUESTS_MAX 64

enum scrape_result { SCRAPE_COMPLETE, SCRAPE_PARTIAL, SCRAPE_DOWN, SCRAPE_RESULT_COUNT };

struct manager;
struct reload_state;

struct telemetry {
    /* Asked at each scrape; borrowed, NULL where there is none. */
    const struct server *server;
    const struct resolver *resolver;
    const struct fleet *fleet;
    const struct push *push;
    const struct manager *manager; /* for collectors/targets.h, as is the next */
    const struct reload_state *reload;

    bool no_new_privileges, landlock, seccomp; /* layers of the sandbox that are in force */
    size_t targets;                            /* configured */
    unsigned scrapes_running;                  /* asked for by HTTP */
    uint64_t scrapes_rejected;                 /* for --web.max-requests */
    uint64_t refused[POLICY_GROUNDS];          /* targets in URLs, by what forbids them */
    uint64_t kubelet_probes;
    struct answer_pace pace; /* of the answers to scrapes */

    struct histogram scrapes, polls, turns;
    struct native native_scrapes, native_polls, native_turns; /* the same, in fine buckets */
    struct summary sizes, durations;
    uint64_t results[SCRAPE_RESULT_COUNT];
    uint64_t states[TARGET_STATE_COUNT];
    uint64_t value_errors; /* values of stats that could not be read */
    uint64_t file_writes, file_failures;
    struct request_count {
        const char *handler;
        int status;
        uint64_t count;
    } requests[TELEMETRY_REQUESTS_MAX];
    size_t request_kinds;
};

/* 0 or a negative libuv code; then there is nothing to release. */
int telemetry_init(struct telemetry *telemetry);
void telemetry_deinit(struct telemetry *telemetry);

/* One whole collection. */
void telemetry_observe_scrape(struct telemetry *telemetry, uint64_t duration_ns, size_t up, size_t targets);

/* One poll of one server, however many collections shared it. */
void telemetry_observe_poll(struct telemetry *telemetry, const char *target, const struct snapshot *snapshot);

/* One HTTP answer; a server_observer_fn whose context is a struct telemetry. */
void telemetry_observe_answer(void *context, const struct answer_report *answer);

/* How long one turn of the loop was busy, while everybody else waited. */
void telemetry_observe_turn(struct telemetry *telemetry, uint64_t busy_ns);

/* One write of a file. */
void telemetry_observe_file(struct telemetry *telemetry, bool good);

extern const struct collector telemetry_collector;

struct telemetry_walk {
    struct walk walk;
    struct telemetry *telemetry; /* borrowed */
};

void telemetry_walk_init(struct telemetry_walk *walk, struct telemetry *telemetry);

#endif
