#include "gather/report.h"

#include "base/container.h"
#include "base/number.h"
#include "base/readable.h"
#include "base/utf8.h"
#include "memcached/advisories.h"
#include "memcached/history.h"

#include <stdlib.h>
#include <string.h>

/* Shares of a limit, and a hit ratio, from which on a server gets a warning. */
#define NEAR_LIMIT    0.9
#define LOW_HIT_RATIO 0.5
/* Fewer gets say nothing about the hit ratio. */
#define MANY_GETS 1000
/* A server that has evicted while this share of its memory lay free in other slab classes is imbalanced. */
#define FREE_SHARE 0.1

struct report {
    struct producer producer;
    struct gather *gather; /* owned reference */
    bool json, color;
    size_t next; /* target to be written */
};

/* --- Warnings --- */

/* Texts one after the other, each ended by NUL. */
struct warnings {
    struct buffer texts;
    size_t count;
};

static void end_warning(struct warnings *warnings)
{
    buffer_append_char(&warnings->texts, '\0');
    warnings->count++;
}

static void warn_of_share(struct warnings *warnings, const char *what, double used, double limit)
{
    if (limit <= 0 || used < NEAR_LIMIT * limit) return;
    buffer_printf(&warnings->texts, "%s at %.0f %% of the limit", what, 100 * used / limit);
    end_warning(warnings);
}

static void warn_of_slabs(struct warnings *warnings, const struct slab_summary *slabs)
{
    if (slab_summary_imbalance(slabs) < FREE_SHARE) return;
    buffer_printf(&warnings->texts, "slabs are out of balance: %u classes have evicted while ",
                  slabs->classes_evicting);
    readable_bytes(&warnings->texts, (double) slabs->free_while_evicting_bytes);
    buffer_append_string(&warnings->texts, " lie free in others");
    end_warning(warnings);
}

static void find_warnings(struct warnings *warnings, const struct history *history,
                          const struct snapshot *snapshot)
{
    double hits = (double) history_vital(history, VITAL_HITS),
           misses = (double) history_vital(history, VITAL_MISSES);
    double limit = (double) history_vital(history, VITAL_LIMIT_BYTES);
    size_t start = warnings->texts.len;
    buffer_append_string(&warnings->texts, "published security holes: ");
    if (advisories_append(&warnings->texts, slice_of(history->version)))
        end_warning(warnings);
    else
        warnings->texts.len = start;
    warn_of_share(warnings, "memory is", (double) history_vital(history, VITAL_BYTES), limit);
    warn_of_share(warnings, "connections are", (double) history_vital(history, VITAL_CONNECTIONS),
                  (double) history_vital(history, VITAL_MAX_CONNECTIONS));
    if (hits + misses >= MANY_GETS && hits < LOW_HIT_RATIO * (hits + misses)) {
        buffer_printf(&warnings->texts, "the hit ratio is only %.1f %%", 100 * hits / (hits + misses));
        end_warning(warnings);
    }
    if (snapshot) warn_of_slabs(warnings, &snapshot->slabs);
}

/* --- One server --- */

struct finding {
    const struct target *target;
    const struct snapshot *snapshot; /* NULL: no memory to ask */
    const struct history *history;   /* borrowed from the client */
    bool up;
    double connect_ms, answer_ms; /* until the first request was sent; until the end */
    struct warnings warnings;
};

static void find(struct finding *finding, const struct gather *gather, size_t n)
{
    const struct target *target = fan_out_target(gather->fan_out, n);
    const struct client *client = target->client;
    *finding = (struct finding){
        .target = target,
        .snapshot = fan_out_snapshot(gather->fan_out, n),
        .history = &client->history,
    };
    buffer_init(&finding->warnings.texts, 4096);
    finding->up = finding->snapshot && finding->snapshot->state == TARGET_UP && client->history.polled_ms;
    if (finding->snapshot) finding->answer_ms = (double) finding->snapshot->duration_ns / 1e6;
    if (!finding->up) return;
    finding->connect_ms = (double) (client->asked_ns - client->started_ns) / 1e6;
    find_warnings(&finding->warnings, &client->history, finding->snapshot);
}

static const char *state_of(const struct finding *finding)
{
    return finding->snapshot ? target_state_name(finding->snapshot->state) : "not asked";
}

static const char *error_of(const struct finding *finding)
{
    return finding->snapshot ? finding->snapshot->error : "out of memory";
}

/* --- Text --- */

static void write_colored(const struct report *report, const char *color, const char *text,
                          struct buffer *out)
{
    if (report->color)
        buffer_printf(out, "\x1b[%sm%s\x1b[0m", color, text);
    else
        buffer_append_string(out, text);
}

static void write_figures(const struct finding *finding, struct buffer *out)
{
    const struct history *history = finding->history;
    buffer_append_string(out, "    memory       ");
    readable_bytes(out, (double) history_vital(history, VITAL_BYTES));
    buffer_append_string(out, " of ");
    readable_bytes(out, (double) history_vital(history, VITAL_LIMIT_BYTES));
    buffer_append_string(out, ", items ");
    readable_count(out, (double) history_vital(history, VITAL_ITEMS));
    buffer_append_string(out, "\n    hit ratio    ");
    readable_ratio(out, history_vital(history, VITAL_HITS), history_vital(history, VITAL_MISSES));
    buffer_printf(out, "\n    connections  %.0f", (double) history_vital(history, VITAL_CONNECTIONS));
    if (history_knows(history, VITAL_MAX_CONNECTIONS))
        buffer_printf(out, " of %.0f", (double) history_vital(history, VITAL_MAX_CONNECTIONS));
    buffer_append_string(out, "\n    uptime       ");
    readable_duration(out, history_vital(history, VITAL_UPTIME));
    buffer_append_char(out, '\n');
}

static void write_text(const struct report *report, const struct finding *finding, struct buffer *out)
{
    utf8_append_escaped(out, slice_of(finding->target->name));
    buffer_append_string(out, "  ");
    write_colored(report, finding->up ? "32" : "31", state_of(finding), out);
    if (!finding->up) {
        buffer_append_string(out, ": ");
        utf8_append_escaped(out, slice_of(error_of(finding)));
        buffer_append_char(out, '\n');
        return;
    }
    buffer_printf(out, "  memcached %s  connected in %.1f ms, answered in %.1f ms\n",
                  finding->history->version, finding->connect_ms, finding->answer_ms);
    write_figures(finding, out);
    const char *text = finding->warnings.texts.data;
    for (size_t n = 0; n < finding->warnings.count; n++, text += strlen(text) + 1) {
        buffer_append_string(out, "    ");
        write_colored(report, "33", "warning", out);
        buffer_printf(out, ": %s\n", text);
    }
}

/* --- JSON --- */

static void write_string(const char *name, const char *text, struct buffer *out)
{
    buffer_printf(out, "\"%s\":\"", name);
    utf8_append_escaped(out, slice_of(text));
    buffer_append_char(out, '"');
}

static void write_number(const char *name, double value, struct buffer *out)
{
    buffer_printf(out, ",\"%s\":", name);
    number_append_double(out, value);
}

/* Names of the vitals in JSON, in their order. */
static const char *const vital_names[VITAL_COUNT] = {
    [VITAL_UPTIME] = "uptime_seconds",
    [VITAL_ITEMS] = "items",
    [VITAL_BYTES] = "bytes",
    [VITAL_LIMIT_BYTES] = "limit_bytes",
    [VITAL_HITS] = "get_hits",
    [VITAL_MISSES] = "get_misses",
    [VITAL_SETS] = "sets",
    [VITAL_EVICTIONS] = "evictions",
    [VITAL_CONNECTIONS] = "connections",
    [VITAL_MAX_CONNECTIONS] = "max_connections",
};

static void write_json(const struct finding *finding, struct buffer *out)
{
    buffer_append_char(out, '{');
    write_string("target", finding->target->name, out);
    buffer_append_char(out, ',');
    write_string("state", state_of(finding), out);
    if (!finding->up) {
        buffer_append_char(out, ',');
        write_string("error", error_of(finding), out);
        buffer_append_char(out, '}');
        return;
    }
    buffer_append_char(out, ',');
    write_string("version", finding->history->version, out);
    write_number("connect_seconds", finding->connect_ms / 1000, out);
    write_number("answer_seconds", finding->answer_ms / 1000, out);
    for (unsigned vital = 0; vital < VITAL_COUNT; vital++) {
        if (history_knows(finding->history, vital))
            write_number(vital_names[vital], (double) history_vital(finding->history, vital), out);
    }
    buffer_append_string(out, ",\"warnings\":[");
    const char *text = finding->warnings.texts.data;
    for (size_t n = 0; n < finding->warnings.count; n++, text += strlen(text) + 1) {
        buffer_append_string(out, n ? ",\"" : "\"");
        utf8_append_escaped(out, slice_of(text));
        buffer_append_char(out, '"');
    }
    buffer_append_string(out, "]}");
}

/* --- Life --- */

static bool fill_report(struct producer *producer, struct buffer *out, size_t want)
{
    struct report *report = container_of(producer, struct report, producer);
    size_t start = out->len;
    if (report->json && report->next == 0) buffer_append_char(out, '[');
    while (report->next < report->gather->targets && out->len - start < want && !out->failed) {
        struct finding finding;
        if (report->json) buffer_append_string(out, report->next ? ",\n" : "\n");
        find(&finding, report->gather, report->next++);
        if (report->json)
            write_json(&finding, out);
        else
            write_text(report, &finding, out);
        if (finding.warnings.texts.failed) out->failed = true;
        buffer_deinit(&finding.warnings.texts);
    }
    if (report->next < report->gather->targets) return true;
    if (report->json)
        buffer_append_string(out, "\n]\n");
    else
        buffer_printf(out, "%zu of %zu servers up\n", report->gather->up, report->gather->targets);
    return false;
}

static void release_report(struct producer *producer)
{
    struct report *report = container_of(producer, struct report, producer);
    gather_release(report->gather);
    free(report);
}

struct producer *report_collected(struct gather **gather, bool json, bool color)
{
    struct report *report = calloc(1, sizeof(*report));
    if (!report) return NULL;
    *report = (struct report){
        .producer = {fill_report, release_report}, .gather = *gather, .json = json, .color = color};
    *gather = NULL;
    return &report->producer;
}
