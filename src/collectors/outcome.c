#include "collectors/outcome.h"

#include "memcached/stats.h"

#include <assert.h>
#include <stdio.h>

/* Label sets that are the same for all targets; made once. */
static struct {
    bool made;
    struct slice states[TARGET_STATE_COUNT];
    struct slice commands[COMMAND_COUNT]; /* such as collector="settings" */
    char text[1024];
} label_sets;

/* Makes a label. The value needs no escaping, because it is a constant word. */
static struct slice make_label(size_t *used, const char *name, const char *value)
{
    char *at = label_sets.text + *used;
    size_t room = sizeof(label_sets.text) - *used;
    size_t len = (size_t) snprintf(at, room, "%s=\"%s\"", name, value);
    assert(len < room);
    *used += len;
    return (struct slice){at, len};
}

static void make_label_sets(void)
{
    size_t used = 0;
    if (label_sets.made) return;
    label_sets.made = true;
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++)
        label_sets.states[state] = make_label(&used, "memcached_target_state", target_state_name(state));
    for (enum command command = 0; command < COMMAND_COUNT; command++)
        label_sets.commands[command] = make_label(&used, "collector", command_info(command)->name);
}

static void write_up(const struct outcome_place *place)
{
    bool up = place->snapshot && place->snapshot->state == TARGET_UP;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), up);
}

static void write_state(const struct outcome_place *place)
{
    enum target_state actual = place->snapshot ? place->snapshot->state : TARGET_TIMEOUT;
    make_label_sets();
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++)
        encoder_sample_u64(place->encoder, place->target_labels, label_sets.states[state], state == actual);
}

static void write_duration(const struct outcome_place *place)
{
    double seconds = place->snapshot ? (double) place->snapshot->duration_ns / 1e9 : 0;
    encoder_sample_double(place->encoder, place->target_labels, SLICE(""), seconds);
}

static void write_reused(const struct outcome_place *place)
{
    bool reused = place->snapshot && place->snapshot->reused;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), reused);
}

/* A command that was not sent, to protect the server, has no sample: it has neither succeeded nor failed. */
static void write_success(const struct outcome_place *place)
{
    unsigned asked = place->snapshot ? place->snapshot->asked : commands_harmless();
    unsigned answered = place->snapshot ? place->snapshot->answered : 0;
    make_label_sets();
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        unsigned bit = COMMAND_BIT(command);
        if (!(place->commands & asked & bit)) continue;
        encoder_sample_u64(place->encoder, place->target_labels, label_sets.commands[command],
                           (answered & bit) != 0);
    }
}

static void write_parse_errors(const struct outcome_place *place)
{
    unsigned errors = place->snapshot ? place->snapshot->parse_errors : 0;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""), errors);
}

static void write_probe(const struct outcome_place *place)
{
    const struct snapshot *snapshot = place->snapshot;
    if (!(place->commands & COLLECTOR_PROBE) || (snapshot && snapshot->probe.skipped)) return;
    encoder_sample_u64(place->encoder, place->target_labels, SLICE(""),
                       snapshot && snapshot->probe.succeeded);
}

const struct outcome_family outcome_families[OUTCOME_FAMILIES] = {
    {{"memcached_up", "Whether the memcached server answered stats in whole and was understood.",
      METRIC_GAUGE, ""},
     write_up},
    {{"memcached_target_state", "What the last poll of the memcached server came to.", METRIC_STATE_SET,
      "memcached_target_state"},
     write_state},
    {{"memcached_target_scrape_duration_seconds", "How long the poll of the memcached server took.",
      METRIC_GAUGE, ""},
     write_duration},
    {{"memcached_target_connection_reused",
      "Whether the poll used a connection that was kept from an earlier one.", METRIC_GAUGE, ""},
     write_reused},
    {{"memcached_target_collector_success",
      "Whether the memcached server answered the stats command of this collector.", METRIC_GAUGE,
      "collector"},
     write_success},
    {{"memcached_target_parse_errors", "Values in this poll that could not be read; each costs its sample.",
      METRIC_GAUGE, ""},
     write_parse_errors},
    {{"memcached_probe_success",
      "Whether the memcached server has answered every operation of the probe that it takes, and right.",
      METRIC_GAUGE, ""},
     write_probe},
};
