#include "collectors/answer_times.h"

#include "base/clock.h"
#include "base/container.h"
#include "metrics/labels.h"

#include <stdlib.h>

/* Bucket bounds in seconds. A memcached on the same network answers within a millisecond. */
static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                0.025,  0.05,    0.1,    0.25,  0.5,    1,     5};

struct answer_histogram {
    struct histogram histogram;
    struct native native;
};

const struct family answer_times_families[ANSWER_FAMILIES] = {
    {"memcached_target_answer_seconds",
     "How long the parts of polls of memcached servers took, by group: connect, tls and login of new "
     "connections, first_byte from the first command to its answer, whole from the start to the end of the "
     "poll.",
     METRIC_HISTOGRAM, "group,part"},
    {"memcached_probe_duration_seconds",
     "How long the operations of probes of memcached servers took, by group, from the request to its whole "
     "and right answer.",
     METRIC_HISTOGRAM, "group,operation"},
};

/* The label and the times of each family; `end` is not included. */
static const struct {
    const char *label;
    unsigned first, end;
} kinds[ANSWER_FAMILIES] = {{"part", 0, ANSWER_PROBE}, {"operation", ANSWER_PROBE, ANSWER_TIMES}};

/* Returns the value of the label of a time. */
static const char *name_of(unsigned time)
{
    static const char *const parts[ANSWER_PROBE] = {
        [PART_CONNECT] = "connect",       [PART_TLS] = "tls",       [PART_LOGIN] = "login",
        [PART_FIRST_BYTE] = "first_byte", [ANSWER_WHOLE] = "whole",
    };
    return time < ANSWER_PROBE ? parts[time] : probe_operation_name(time - ANSWER_PROBE);
}

void answer_times_deinit(struct answer_times *times)
{
    for (unsigned group = 0; group <= FLEET_GROUPS_MAX; group++) {
        for (unsigned n = 0; n < ANSWER_TIMES; n++) free(times->of[group][n]);
    }
    *times = (struct answer_times){0};
}

static void observe_time(struct answer_times *times, unsigned group, unsigned time, uint64_t ns)
{
    struct answer_histogram **place = &times->of[group][time];
    if (ns == 0) return;
    if (!*place) {
        *place = malloc(sizeof(**place));
        if (!*place) return;
        histogram_init(&(*place)->histogram, bounds, ARRAY_LEN(bounds), unix_now());
        histogram_set_native(&(*place)->histogram, &(*place)->native);
    }
    histogram_observe(&(*place)->histogram, (double) ns / 1e9);
}

void answer_times_observe(struct answer_times *times, unsigned group, const struct snapshot *snapshot)
{
    for (unsigned part = 0; part < POLL_PARTS; part++)
        observe_time(times, group, part, snapshot->part_ns[part]);
    if (snapshot->state == TARGET_UP) observe_time(times, group, ANSWER_WHOLE, snapshot->duration_ns);
    for (unsigned operation = 0; operation < PROBE_OPERATIONS; operation++)
        observe_time(times, group, ANSWER_PROBE + operation, snapshot->probe.took_ns[operation]);
}

/* Returns false if the time was never observed. */
static bool write_time(const struct answer_times *times, const struct fleet *fleet,
                       const struct answer_times_place *place, unsigned time, struct encoder *encoder)
{
    const struct answer_histogram *of = times->of[place->group][time];
    struct buffer labels;
    if (!of) return false;
    struct histogram_view view = histogram_view(&of->histogram);
    buffer_init(&labels, SIZE_MAX / 2);
    labels_append(&labels, "group", slice_of(fleet_group_name(fleet, place->group)));
    labels_append(&labels, kinds[place->family].label, slice_of(name_of(time)));
    encoder_family(encoder, &answer_times_families[place->family]);
    if (!labels.failed) encoder_histogram(encoder, SLICE(""), buffer_slice(&labels), &view);
    buffer_deinit(&labels);
    return true;
}

bool answer_times_write(const struct answer_times *times, const struct fleet *fleet,
                        struct answer_times_place *place, struct encoder *encoder)
{
    for (; place->family < ANSWER_FAMILIES; place->family++, place->group = 0) {
        bool written = false;
        for (; place->group <= FLEET_GROUPS_MAX && !written; place->group++) {
            for (unsigned time = kinds[place->family].first; time < kinds[place->family].end; time++)
                written |= write_time(times, fleet, place, time, encoder);
        }
        if (written) return true;
    }
    return false;
}
