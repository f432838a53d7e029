#include "memcached/history.h"

#include "base/container.h"
#include "base/number.h"
#include "base/readable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- The figures --- */

struct vital_place {
    enum command command;
    const char *key;
    enum vital vital;
};

/* Stats of the vitals. VITAL_MAX_CONNECTIONS has two, since not all versions give both. */
static const struct vital_place places[] = {
    {COMMAND_STATS, "uptime", VITAL_UPTIME},
    {COMMAND_STATS, "curr_items", VITAL_ITEMS},
    {COMMAND_STATS, "bytes", VITAL_BYTES},
    {COMMAND_STATS, "limit_maxbytes", VITAL_LIMIT_BYTES},
    {COMMAND_STATS, "get_hits", VITAL_HITS},
    {COMMAND_STATS, "get_misses", VITAL_MISSES},
    {COMMAND_STATS, "cmd_set", VITAL_SETS},
    {COMMAND_STATS, "evictions", VITAL_EVICTIONS},
    {COMMAND_STATS, "curr_connections", VITAL_CONNECTIONS},
    {COMMAND_STATS, "max_connections", VITAL_MAX_CONNECTIONS},
    {COMMAND_SETTINGS, "maxconns", VITAL_MAX_CONNECTIONS},
    {COMMAND_STATS, "time", VITAL_TIME},
    {COMMAND_STATS, "bytes_read", VITAL_RECEIVED},
};

#define NO_VITAL UINT8_MAX

/* Maps rows of the stats table to vitals. */
static struct {
    uint8_t of[STAT_ROWS_MAX];
    uint16_t version, last; /* row of the version, and last row that is needed */
} rows;

static void learn_rows(void)
{
    uint32_t number;
    memset(rows.of, NO_VITAL, sizeof(rows.of));
    rows.last = rows.version = stats_find(COMMAND_STATS, SLICE("version"), &number);
    for (size_t n = 0; n < ARRAY_LEN(places); n++) {
        uint16_t row = stats_find(places[n].command, slice_of(places[n].key), &number);
        assert(row < STAT_ROWS_MAX);
        rows.of[row] = (uint8_t) places[n].vital;
        if (row > rows.last) rows.last = row;
    }
}

static void copy_version(char *to, size_t size, struct slice from)
{
    size_t len = 0;
    for (size_t n = 0; n < from.len && len + 1 < size; n++) {
        char c = from.data[n];
        if (c > ' ' && c < 0x7f) to[len++] = c;
    }
    to[len] = '\0';
}

static void read_vitals(struct history *history, const struct snapshot *snapshot)
{
    const char *at = snapshot_begin(snapshot);
    if (rows.last == 0) learn_rows();
    history->known = 0;
    history->version[0] = '\0';
    while (record_row(at) <= rows.last) {
        struct record record;
        at = record_read(at, &record);
        uint8_t vital = rows.of[record.row];
        if (record.row == rows.version)
            copy_version(history->version, sizeof(history->version), record.value);
        if (vital != NO_VITAL && number_parse_u64(record.value, &history->vitals[vital]))
            history->known |= 1u << vital;
    }
}

/* --- Rates --- */

static void read_counters(const struct history *history, uint64_t *counters)
{
    const uint64_t *vitals = history->vitals;
    counters[RATE_GETS] = vitals[VITAL_HITS] + vitals[VITAL_MISSES];
    counters[RATE_SETS] = vitals[VITAL_SETS];
    counters[RATE_EVICTIONS] = vitals[VITAL_EVICTIONS];
}

/*
 * Computes the rates since the base poll and makes this poll the new base. A counter that went back was
 * reset, so no rate is known then.
 */
static void take_rates(struct history *history, uint64_t now_ms)
{
    uint64_t counters[RATE_COUNT], span_ms = now_ms - history->base_ms;
    bool reset = history->base_ms == 0;
    read_counters(history, counters);
    if (!reset && span_ms < HISTORY_RATE_SPAN_MS) return;
    for (size_t n = 0; n < RATE_COUNT; n++) reset |= counters[n] < history->base[n];
    for (size_t n = 0; n < RATE_COUNT; n++) {
        if (!reset)
            history->rates[n] = (float) ((double) (counters[n] - history->base[n]) * 1000 / (double) span_ms);
        history->base[n] = counters[n];
    }
    history->span_ms = reset ? 0 : span_ms > UINT32_MAX ? UINT32_MAX : (uint32_t) span_ms;
    history->base_ms = now_ms;
}

/* --- The start of the counters --- */

/* Counters that `stats reset` sets to zero. */
static const enum vital reset_vitals[] = {VITAL_HITS, VITAL_MISSES, VITAL_SETS, VITAL_EVICTIONS,
                                          VITAL_RECEIVED};

/*
 * Notes when the server started, and whether its counters were reset since. Some servers read their clock
 * twice for time and uptime, so that the difference varies by a second; the first one stays then. `before`
 * and `known` are the vitals of the poll before.
 */
static void note_start(struct history *history, const uint64_t *before, unsigned known)
{
    const uint64_t *vitals = history->vitals;
    bool has_start = history_knows(history, VITAL_TIME) && history_knows(history, VITAL_UPTIME) &&
                     vitals[VITAL_TIME] > vitals[VITAL_UPTIME] && vitals[VITAL_TIME] <= UINT32_MAX;
    uint32_t start_s = has_start ? (uint32_t) (vitals[VITAL_TIME] - vitals[VITAL_UPTIME]) : 0;
    bool is_same = start_s && start_s + 1 >= history->start_s && start_s <= history->start_s + 1;
    if (known & 1u << VITAL_UPTIME && vitals[VITAL_UPTIME] < before[VITAL_UPTIME]) is_same = false;
    if (!is_same) {
        history->start_s = start_s;
        history->reset = false;
        return;
    }
    for (size_t n = 0; n < ARRAY_LEN(reset_vitals); n++) {
        enum vital vital = reset_vitals[n];
        if (known & history->known & 1u << vital && vitals[vital] < before[vital]) history->reset = true;
    }
}

uint32_t history_counters_since(const struct history *history)
{
    return history->reset ? 0 : history->start_s;
}

/* --- Times --- */

/*
 * A time is packed into one byte, in units of 16 us: a shift and three bits after the leading one. A minute
 * fits. Times below 16 units are stored as they are.
 */
#define UNIT_US 16

static uint8_t pack_time(uint64_t us)
{
    uint64_t units = us / UNIT_US;
    unsigned shift = 0;
    while (units >> shift >= 16) shift++;
    uint64_t packed = shift * 8 + (units >> shift);
    return packed < UINT8_MAX ? (uint8_t) packed : UINT8_MAX;
}

uint64_t history_time_us(const struct history *history, size_t n)
{
    size_t oldest = (size_t) history->next + HISTORY_POLLS - history->count;
    uint8_t packed = history->times[(oldest + n) % HISTORY_POLLS];
    if (packed < 16) return (uint64_t) packed * UNIT_US;
    unsigned shift = packed / 8 - 1;
    uint64_t least = (uint64_t) (packed - shift * 8) << shift, width = (uint64_t) 1 << shift;
    return (least + width / 2) * UNIT_US;
}

static void add_time(struct history *history, uint64_t us)
{
    history->times[history->next] = pack_time(us);
    history->next = (uint8_t) ((history->next + 1) % HISTORY_POLLS);
    if (history->count < HISTORY_POLLS) history->count++;
}

/* --- Polls --- */

void history_observe(struct history *history, const struct snapshot *snapshot, uint64_t now_ms)
{
    bool is_new = history->polled_ms == 0 || history->state != snapshot->state;
    if (is_new) history->since_ms = now_ms;
    history->state = snapshot->state;
    history->polled_ms = now_ms;
    add_time(history, snapshot->duration_ns / 1000);
    if (snapshot->state == TARGET_UP) {
        uint64_t before[VITAL_COUNT];
        unsigned known = history->known;
        memcpy(before, history->vitals, sizeof(before));
        history_deinit(history);
        read_vitals(history, snapshot);
        note_start(history, before, known);
        take_rates(history, now_ms);
        history->vitals_ms = now_ms;
    } else if (!history->error || strcmp(history->error, snapshot->error) != 0) {
        history_deinit(history);
        history->error = strdup(snapshot->error);
    }
}

bool history_knows(const struct history *history, enum vital vital)
{
    return history->known & 1u << vital;
}

uint64_t history_vital(const struct history *history, enum vital vital)
{
    return history_knows(history, vital) ? history->vitals[vital] : 0;
}

static bool find_hit_ratio(const struct history *history, double *value)
{
    double hits = (double) history_vital(history, VITAL_HITS);
    double gets = hits + (double) history_vital(history, VITAL_MISSES);
    *value = gets > 0 ? hits / gets : 0;
    return gets > 0;
}

static bool find_vital(const struct history *history, enum vital vital, double *value)
{
    *value = (double) history_vital(history, vital);
    return history_knows(history, vital);
}

bool history_figure(const struct history *history, enum figure figure, double *value)
{
    switch (figure) {
    case FIGURE_STATE:
        *value = history->polled_ms ? (double) history->state : -1;
        return true;
    case FIGURE_TIME:
        *value = history->count ? (double) history_time_us(history, history->count - 1U) : 0;
        return history->count;
    case FIGURE_UPTIME:
        return find_vital(history, VITAL_UPTIME, value);
    case FIGURE_ITEMS:
        return find_vital(history, VITAL_ITEMS, value);
    case FIGURE_BYTES:
        return find_vital(history, VITAL_BYTES, value);
    case FIGURE_HIT_RATIO:
        return find_hit_ratio(history, value);
    case FIGURE_GETS:
    case FIGURE_SETS:
    case FIGURE_EVICTIONS:
        *value = (double) history->rates[RATE_GETS + (figure - FIGURE_GETS)];
        return history->span_ms;
    case FIGURE_CONNECTIONS:
        return find_vital(history, VITAL_CONNECTIONS, value);
    }
    return false;
}

static void append_bytes(const struct history *history, double value, struct buffer *out)
{
    double limit = (double) history_vital(history, VITAL_LIMIT_BYTES);
    readable_bytes(out, value);
    if (limit <= 0) return;
    buffer_append_string(out, " of ");
    readable_bytes(out, limit);
}

void history_append_figure(const struct history *history, enum figure figure, double value,
                           struct buffer *out)
{
    switch (figure) {
    case FIGURE_STATE:
        buffer_append_string(out, value < 0 ? "not asked yet" : target_state_name(history->state));
        break;
    case FIGURE_TIME:
        buffer_printf(out, "%.1f ms", value / 1000);
        break;
    case FIGURE_UPTIME:
        readable_duration(out, (uint64_t) value);
        break;
    case FIGURE_ITEMS:
        readable_count(out, value);
        break;
    case FIGURE_BYTES:
        append_bytes(history, value, out);
        break;
    case FIGURE_HIT_RATIO:
        buffer_printf(out, "%.1f %%", 100 * value);
        break;
    case FIGURE_GETS:
    case FIGURE_SETS:
    case FIGURE_EVICTIONS:
        readable_rate(out, value);
        break;
    case FIGURE_CONNECTIONS:
        buffer_printf(out, "%.0f", value);
        if (history_knows(history, VITAL_MAX_CONNECTIONS))
            buffer_printf(out, " of %.0f", (double) history_vital(history, VITAL_MAX_CONNECTIONS));
        break;
    }
}

void history_add_up(struct history_totals *totals, const struct history *history)
{
    totals->servers++;
    if (!history->polled_ms) return;
    totals->polled++;
    if (history->state != TARGET_UP) return;
    totals->up++;
    totals->items += history_vital(history, VITAL_ITEMS);
    totals->bytes += history_vital(history, VITAL_BYTES);
    totals->limit += history_vital(history, VITAL_LIMIT_BYTES);
    totals->hits += history_vital(history, VITAL_HITS);
    totals->misses += history_vital(history, VITAL_MISSES);
    for (size_t rate = 0; history->span_ms && rate < RATE_COUNT; rate++)
        totals->rates[rate] += (double) history->rates[rate];
}

void history_deinit(struct history *history)
{
    free(history->error);
    history->error = NULL;
}
