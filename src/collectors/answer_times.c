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

static const char *const part_names[ANSWER_PARTS] = {
    [PART_CONNECT] = "connect",       [PART_TLS] = "tls",     [PART_LOGIN] = "login",
    [PART_FIRST_BYTE] = "first_byte", [POLL_PARTS] = "whole",
};

const struct family answer_times_family = {
    "memcached_target_answer_seconds",
    "How long the parts of polls of memcached servers took, by group: connect, tls and login of new "
    "connections, first_byte from the first command to its answer, whole from the start to the end of the "
    "poll.",
    METRIC_HISTOGRAM, "group,part"};

void answer_times_deinit(struct answer_times *times)
{
    for (unsigned group = 0; group <= FLEET_GROUPS_MAX; group++) {
        for (unsigned part = 0; part < ANSWER_PARTS; part++) free(times->of[group][part]);
    }
    *times = (struct answer_times){0};
}

static void observe_part(struct answer_times *times, unsigned group, unsigned part, uint64_t ns)
{
    struct answer_histogram **place = &times->of[group][part];
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
    for (unsigned part = 0; part < POLL_PARTS; part++) {
        if (snapshot->part_ns[part]) observe_part(times, group, part, snapshot->part_ns[part]);
    }
    if (snapshot->state == TARGET_UP) observe_part(times, group, POLL_PARTS, snapshot->duration_ns);
}

/* Returns false if the part was never observed. */
static bool write_part(const struct answer_times *times, const struct fleet *fleet, unsigned group,
                       unsigned part, struct encoder *encoder)
{
    const struct answer_histogram *of = times->of[group][part];
    struct buffer labels;
    if (!of) return false;
    struct histogram_view view = histogram_view(&of->histogram);
    buffer_init(&labels, SIZE_MAX / 2);
    labels_append(&labels, "group", slice_of(fleet_group_name(fleet, group)));
    labels_append(&labels, "part", slice_of(part_names[part]));
    encoder_family(encoder, &answer_times_family);
    if (!labels.failed) encoder_histogram(encoder, SLICE(""), buffer_slice(&labels), &view);
    buffer_deinit(&labels);
    return true;
}

bool answer_times_write(const struct answer_times *times, const struct fleet *fleet, unsigned *group,
                        struct encoder *encoder)
{
    bool written = false;
    for (; *group <= FLEET_GROUPS_MAX && !written; ++*group) {
        for (unsigned part = 0; part < ANSWER_PARTS; part++)
            written |= write_part(times, fleet, *group, part, encoder);
    }
    return written;
}
