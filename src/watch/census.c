/*
 * census_start -> on_open -> stats -> stats slabs -> dump_next -> (lines of one class) -> dump_next ... ->
 * finish
 *
 * If the crawler is busy, the class is tried again a second later, by on_tick.
 */
#include "watch/census.h"

#include "base/clock.h"
#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 1000

/* Most items that are looked at in SLOT_MS. Others are dropped. */
#define SLOT_MS    100
#define SLOT_ITEMS 20000

#define CLASSES_MAX 64

/* What the lines that arrive belong to. */
enum census_phase { CENSUS_STATS, CENSUS_SLABS, CENSUS_DUMP, CENSUS_WAIT };

struct census {
    struct census_plan plan;
    census_fn on_done;
    void *context;
    struct feed *feed;          /* owned */
    struct census_tally *tally; /* owned */
    uv_timer_t timer;
    enum census_phase phase;
    struct server_version version;
    bool has_version, done;
    int64_t server_s;              /* Unix time of the server, when the census began */
    uint64_t started_ms, heard_ms; /* start of the census, and of the last line */
    bool used[CLASSES_MAX];        /* classes that have items */
    unsigned class;                /* current class */
    uint64_t items, dropped;
    uint64_t slot_ms, slot_items;
    struct census_item item;
};

const char *census_result_name(enum census_result result)
{
    static const char *const names[] = {
        [CENSUS_COMPLETE] = "complete",       [CENSUS_LIMITED] = "limited", [CENSUS_BUSY] = "busy",
        [CENSUS_UNSUPPORTED] = "unsupported", [CENSUS_REFUSED] = "refused", [CENSUS_FAILED] = "failed",
    };
    return names[result];
}

static uint64_t passed_ms(const struct census *census)
{
    return uv_now(census->plan.feed.loop) - census->started_ms;
}

/* --- The end --- */

static void end_census(struct census *census, enum census_result result, const char *why)
{
    if (census->done) return;
    census->done = true;
    uv_timer_stop(&census->timer);
    feed_free(census->feed);
    census->feed = NULL;
    census->on_done(census->context, result, why);
}

static void fail_census(struct census *census, const char *why)
{
    end_census(census, CENSUS_FAILED, why);
}

/* Makes the report of what was seen. */
static void finish(struct census *census, enum census_result result)
{
    struct census_report *report = census->plan.report;
    if (census_tally_report(census->tally, report) < 0) {
        fail_census(census, "out of memory");
        return;
    }
    report->ended_s = unix_now();
    report->dropped = census->dropped;
    report->complete = result == CENSUS_COMPLETE;
    end_census(census, result, "");
}

/* --- Asking --- */

static void ask(struct census *census, const char *command, enum census_phase phase)
{
    census->phase = phase;
    int status = feed_send(census->feed, command);
    if (status < 0) fail_census(census, uv_strerror(status));
}

static void dump_class(struct census *census)
{
    char command[FEED_COMMAND_MAX];
    snprintf(command, sizeof(command), "lru_crawler metadump %u\r\n", census->class);
    ask(census, command, CENSUS_DUMP);
}

static void dump_next(struct census *census)
{
    while (++census->class < CLASSES_MAX && !census->used[census->class]) continue;
    if (census->class < CLASSES_MAX)
        dump_class(census);
    else
        finish(census, CENSUS_COMPLETE);
}

static void on_open(void *context)
{
    ask(context, "stats\r\n", CENSUS_STATS);
}

/* --- Hearing --- */

static void judge_version(struct census *census)
{
    static const struct server_version since_safe = {{1, 6, 44}};
    const struct server_version *version = &census->version;
    char why[192];
    if (census->has_version && (server_version_compare(version, &since_safe) >= 0 ||
                                census_config_trusts(census->plan.config, version))) {
        ask(census, "stats slabs\r\n", CENSUS_SLABS);
        return;
    }
    snprintf(
        why, sizeof(why),
        "memcached %u.%u.%u may crash when the reader of a dump stalls; 1.6.44 and later are counted, and "
        "versions under trusted_versions",
        version->part[0], version->part[1], version->part[2]);
    end_census(census, CENSUS_UNSUPPORTED,
               census->has_version ? why : "the server reports no version of memcached");
}

static void take_stats_line(struct census *census, struct slice line)
{
    if (slice_is(line, "END"))
        judge_version(census);
    else if (slice_starts(line, "STAT version "))
        census->has_version = server_version_parse(slice_from(line, 13), &census->version);
    else if (slice_starts(line, "STAT time "))
        number_parse_i64(slice_from(line, 10), &census->server_s);
    else if (!slice_starts(line, "STAT "))
        fail_census(census, "the answer to stats is not in the memcached protocol");
}

/* Notes the classes that use chunks: STAT 5:used_chunks 7. */
static void take_slabs_line(struct census *census, struct slice line)
{
    uint64_t class, used;
    if (slice_is(line, "END")) {
        dump_next(census);
        return;
    }
    if (!slice_starts(line, "STAT ")) {
        fail_census(census, "the answer to stats slabs is not in the memcached protocol");
        return;
    }
    struct slice rest = slice_from(line, 5);
    rest = slice_from(rest, number_scan_u64(rest, &class));
    if (!slice_starts(rest, ":used_chunks ") || rest.data == line.data + 5) return;
    if (number_parse_u64(slice_from(rest, 13), &used) && used > 0 && class < CLASSES_MAX)
        census->used[class] = true;
}

/* Looks at an item, or drops it if there were too many of late. */
static void take_item(struct census *census, struct slice line)
{
    uint64_t now_ms = uv_now(census->plan.feed.loop);
    if (now_ms - census->slot_ms >= SLOT_MS) {
        census->slot_ms = now_ms;
        census->slot_items = 0;
    }
    if (census->slot_items++ < SLOT_ITEMS && census_item_read(line, &census->item))
        census_tally_add(census->tally, &census->item,
                         census->server_s + (int64_t) (passed_ms(census) / 1000));
    else
        census->dropped++;
    if (++census->items >= census->plan.config->max_items) finish(census, CENSUS_LIMITED);
}

/* Takes a line that is no item. Returns false if it is not known. */
static bool take_status_line(struct census *census, struct slice line)
{
    char why[160];
    if (slice_is(line, "END") || slice_starts(line, "BADCLASS") || slice_starts(line, "NOTSTARTED")) {
        dump_next(census);
    } else if (slice_starts(line, "BUSY") || slice_starts(line, "ERROR locked")) {
        census->phase = CENSUS_WAIT;
    } else if (slice_starts(line, "ERROR") || slice_starts(line, "CLIENT_ERROR")) {
        snprintf(why, sizeof(why), "the server said: %.*s", line.len > 100 ? 100 : (int) line.len, line.data);
        end_census(census, CENSUS_REFUSED, why);
    } else {
        return slice_is(line, "OK");
    }
    return true;
}

/* An unknown line is taken as an item, which counts it as dropped. */
static void take_dump_line(struct census *census, struct slice line)
{
    if (slice_starts(line, "key=") || !take_status_line(census, line)) take_item(census, line);
}

static void on_line(void *context, struct slice line)
{
    struct census *census = context;
    census->heard_ms = uv_now(census->plan.feed.loop);
    switch (census->phase) {
    case CENSUS_STATS:
        take_stats_line(census, line);
        break;
    case CENSUS_SLABS:
        take_slabs_line(census, line);
        break;
    case CENSUS_DUMP:
        take_dump_line(census, line);
        break;
    case CENSUS_WAIT:
        break;
    }
}

static void on_end(void *context, const char *why)
{
    fail_census(context, why);
}

static void on_tick(uv_timer_t *timer)
{
    struct census *census = timer->data;
    if (passed_ms(census) >= census->plan.config->time_ns / 1000000) {
        if (census->items > 0)
            finish(census, CENSUS_LIMITED);
        else if (census->phase == CENSUS_WAIT)
            end_census(census, CENSUS_BUSY, "the crawler of the server was busy all the time");
        else
            fail_census(census, "the server did not answer in time");
    } else if (census->phase == CENSUS_WAIT) {
        dump_class(census);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int census_start(struct census **result, const struct census_plan *plan, census_fn on_done, void *context)
{
    static const struct feed_events events = {on_open, on_line, on_end};
    struct census *census = calloc(1, sizeof(*census));
    if (!census) return UV_ENOMEM;
    census->plan = *plan;
    census->on_done = on_done;
    census->context = context;
    census->server_s = (int64_t) unix_now();
    census->started_ms = uv_now(plan->feed.loop);
    census->tally = census_tally_new(plan->config, plan->secret);
    uv_timer_init(plan->feed.loop, &census->timer);
    census->timer.data = census;
    int status = census->tally ? feed_start(&census->feed, &census->plan.feed, &events, census) : UV_ENOMEM;
    if (status == 0) status = uv_timer_start(&census->timer, on_tick, TICK_MS, TICK_MS);
    if (status < 0)
        census_free(census);
    else
        *result = census;
    return status;
}

void census_free(struct census *census)
{
    if (!census) return;
    census->done = true;
    feed_free(census->feed);
    census->feed = NULL;
    census_tally_free(census->tally);
    census->tally = NULL;
    uv_close((uv_handle_t *) &census->timer, on_timer_closed);
}
