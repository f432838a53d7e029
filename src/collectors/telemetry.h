/*
 * The exporter's numbers about its own work, and the collector that shows them.
 *
 * The program reports some numbers to this module, which counts them. Others are kept by the parts that know
 * them (server, resolver, fleet), which are asked at each scrape.
 */
#ifndef COLLECTORS_TELEMETRY_H
#define COLLECTORS_TELEMETRY_H

#include "collectors/answer_pace.h"
#include "collectors/answer_times.h"
#include "http/server.h"
#include "memcached/fleet.h"
#include "metrics/collector.h"
#include "metrics/histogram.h"
#include "metrics/summary.h"
#include "net/resolver.h"
#include "outputs/push.h"
#include "outputs/sender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* More than the number of combinations of handler and status code that this program sends. */
#define TELEMETRY_REQUESTS_MAX 64

enum scrape_result { SCRAPE_COMPLETE, SCRAPE_PARTIAL, SCRAPE_DOWN, SCRAPE_RESULT_COUNT };

struct manager;
struct reload_state;
struct watch;

struct telemetry {
    /* Asked at each scrape; borrowed. NULL if this part does not exist. */
    const uv_loop_t *loop;
    const struct server *server;
    const struct resolver *resolver;
    const struct fleet *fleet;
    const struct push *push;
    const struct sender *sender;
    const struct watch *watch;     /* used by collectors/watched.h */
    const struct manager *manager; /* used by collectors/targets.h, like the next field */
    const struct reload_state *reload;

    bool no_new_privileges, landlock, seccomp; /* active layers of the sandbox */
    size_t targets;                            /* number of configured targets */
    unsigned scrapes_running;                  /* running scrapes that HTTP clients asked for */
    uint64_t scrapes_rejected;                 /* scrapes rejected because of --web.max-requests */
    uint64_t refused[POLICY_GROUNDS];          /* forbidden targets in URLs, counted by the rule that
                                                  forbids them */
    uint64_t kubelet_probes;
    struct answer_pace pace; /* estimates for answers to scrapes */

    struct answer_times answers;

    struct histogram scrapes, polls, turns;
    struct native native_scrapes, native_polls, native_turns; /* native histograms of the same values */
    struct summary sizes, durations;
    uint64_t results[SCRAPE_RESULT_COUNT];
    uint64_t states[TARGET_STATE_COUNT];
    uint64_t value_errors; /* number of values of stats that could not be read */
    uint64_t file_writes, file_failures;
    struct request_count {
        const char *handler;
        int status;
        uint64_t count;
    } requests[TELEMETRY_REQUESTS_MAX];
    size_t request_kinds;
};

/* Returns 0 or a negative libuv code; after an error there is nothing to release. */
int telemetry_init(struct telemetry *telemetry);
void telemetry_deinit(struct telemetry *telemetry);

/* Records one finished scrape of `targets` targets; `up` of them are up. */
void telemetry_observe_scrape(struct telemetry *telemetry, uint64_t duration_ns, size_t up, size_t targets);

/* Counts one poll of one server. A poll that several scrapes share counts once. */
void telemetry_observe_poll(struct telemetry *telemetry, const char *target, const struct snapshot *snapshot);

/* Counts one HTTP answer. This is a server_observer_fn whose context is a struct telemetry. */
void telemetry_observe_answer(void *context, const struct answer_report *answer);

/* Records how long one turn of the loop was busy, while everything else waited. */
void telemetry_observe_turn(struct telemetry *telemetry, uint64_t busy_ns);

/* Counts one write of a textfile. */
void telemetry_observe_file(struct telemetry *telemetry, bool good);

extern const struct collector telemetry_collector;

struct telemetry_walk {
    struct walk walk;
    struct telemetry *telemetry;     /* borrowed */
    struct answer_times_place times; /* next group whose times are written */
};

void telemetry_walk_init(struct telemetry_walk *walk, struct telemetry *telemetry);

#endif
