#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/history.h"

#include <stdio.h>
#include <string.h>

#define CAP (1024 * 1024)

static void add(struct snapshot *snapshot, enum command command, const char *key, const char *value)
{
    assert_true(snapshot_add(snapshot, command, slice_of(key), slice_of(value)));
}

static void add_number(struct snapshot *snapshot, const char *key, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long) value);
    add(snapshot, COMMAND_STATS, key, digits);
}

/* Takes so long. */
static void observe(struct history *history, struct snapshot *snapshot, uint64_t us, uint64_t now_ms)
{
    snapshot->duration_ns = us * 1000;
    snapshot_finish(snapshot);
    history_observe(history, snapshot, now_ms);
    snapshot_release(snapshot);
}

static struct snapshot *up(uint64_t hits, uint64_t misses, uint64_t sets, uint64_t evictions)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, CAP, 1);
    assert_non_null(snapshot);
    snapshot->answered = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS);
    add(snapshot, COMMAND_STATS, "version", "1.6.18<b>\x1b[1m");
    add_number(snapshot, "uptime", 77);
    add_number(snapshot, "get_hits", hits);
    add_number(snapshot, "get_misses", misses);
    add_number(snapshot, "cmd_set", sets);
    add_number(snapshot, "evictions", evictions);
    add_number(snapshot, "limit_maxbytes", 67108864);
    add(snapshot, COMMAND_SETTINGS, "maxconns", "1024");
    snapshot_judge(snapshot, TARGET_UP, "");
    return snapshot;
}

static struct snapshot *down(enum target_state state, const char *error)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, CAP, 1);
    assert_non_null(snapshot);
    snapshot_judge(snapshot, state, error);
    return snapshot;
}

static void test_figures_of_the_last_poll(void **state)
{
    struct history history = {0};
    (void) state;
    observe(&history, up(10, 5, 3, 1), 1000, 5000);
    assert_int_equal(history.state, TARGET_UP);
    assert_string_equal(history.version, "1.6.18<b>[1m"); /* the page escapes what is left */
    assert_true(history_knows(&history, VITAL_UPTIME));
    assert_int_equal(history.vitals[VITAL_UPTIME], 77);
    assert_int_equal(history.vitals[VITAL_LIMIT_BYTES], 67108864);
    assert_true(history_knows(&history, VITAL_MAX_CONNECTIONS));
    assert_int_equal(history.vitals[VITAL_MAX_CONNECTIONS], 1024);
    assert_false(history_knows(&history, VITAL_ITEMS));
    assert_int_equal(history.vitals_ms, 5000);
    history_deinit(&history);
}

static void test_rates(void **state)
{
    struct history history = {0};
    (void) state;
    observe(&history, up(10, 10, 5, 0), 1, 1000);
    assert_int_equal(history.span_ms, 0);
    observe(&history, up(15, 15, 5, 0), 1, 1500); /* too close */
    assert_int_equal(history.span_ms, 0);
    observe(&history, up(50, 20, 25, 4), 1, 3000);
    assert_int_equal(history.span_ms, 2000);
    assert_true(history.rates[RATE_GETS] == 25);
    assert_true(history.rates[RATE_SETS] == 10);
    assert_true(history.rates[RATE_EVICTIONS] == 2);
    observe(&history, up(1, 0, 1, 0), 1, 5000); /* restarted */
    assert_int_equal(history.span_ms, 0);
    observe(&history, up(3, 0, 1, 0), 1, 6000);
    assert_int_equal(history.span_ms, 1000);
    assert_true(history.rates[RATE_GETS] == 2);
    history_deinit(&history);
}

/* What a server says of its clock and its counters, and since when they count. */
static uint32_t since(struct history *history, uint64_t time, uint64_t uptime, uint64_t sets,
                      uint64_t received)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, CAP, 1);
    assert_non_null(snapshot);
    snapshot->answered = COMMAND_BIT(COMMAND_STATS);
    if (uptime) add_number(snapshot, "uptime", uptime);
    if (time) add_number(snapshot, "time", time);
    add_number(snapshot, "cmd_set", sets);
    add_number(snapshot, "bytes_read", received);
    snapshot_judge(snapshot, TARGET_UP, "");
    observe(history, snapshot, 1, 1000);
    return history_counters_since(history);
}

static void test_counters_since(void **state)
{
    struct history history = {0};
    (void) state;
    assert_int_equal(history_counters_since(&history), 0);
    assert_int_equal(since(&history, 1764403277, 77, 5, 100), 1764403200);
    assert_int_equal(since(&history, 1764403287, 87, 5, 200), 1764403200);
    /* A clock that is read twice. */
    assert_int_equal(since(&history, 1764403298, 97, 6, 300), 1764403200);
    assert_int_equal(since(&history, 1764403306, 107, 6, 400), 1764403200);
    /* stats reset: one counter that went back is enough. It holds as long as the server runs. */
    assert_int_equal(since(&history, 1764403317, 117, 6, 50), 0);
    assert_int_equal(since(&history, 1764403327, 127, 9, 500), 0);
    /* A poll that fails changes nothing. */
    observe(&history, down(TARGET_TIMEOUT, "late"), 1, 2000);
    assert_int_equal(since(&history, 1764403337, 137, 9, 600), 0);
    /* The server was restarted. Its counters are lower, as they should be. */
    assert_int_equal(since(&history, 1764403400, 10, 1, 60), 1764403390);
    assert_int_equal(since(&history, 1764403410, 20, 0, 160), 0);
    /* Restarted within the second. */
    assert_int_equal(since(&history, 1764403412, 21, 0, 10), 0);
    assert_int_equal(since(&history, 1764403412, 20, 0, 5), 1764403392);
    /* A server that says only one of the two, or nonsense. */
    assert_int_equal(since(&history, 1764403500, 0, 0, 1), 0);
    assert_int_equal(since(&history, 0, 30, 0, 2), 0);
    assert_int_equal(since(&history, 10, 30, 0, 3), 0);
    assert_int_equal(since(&history, UINT64_MAX, 30, 0, 4), 0);
    assert_int_equal(since(&history, 1764403510, 10, 1, 60), 1764403500);
    history_deinit(&history);
}

static void test_state_and_since(void **state)
{
    struct history history = {0};
    (void) state;
    observe(&history, up(1, 1, 1, 1), 1, 1000);
    observe(&history, up(1, 1, 1, 1), 1, 2000);
    assert_int_equal(history.since_ms, 1000);
    observe(&history, down(TARGET_REFUSED, "connection refused"), 1, 3000);
    observe(&history, down(TARGET_REFUSED, "connection refused again"), 1, 4000);
    assert_int_equal(history.since_ms, 3000);
    assert_int_equal(history.polled_ms, 4000);
    assert_int_equal(history.vitals_ms, 2000);
    assert_string_equal(history.error, "connection refused again");
    observe(&history, up(1, 1, 1, 1), 1, 5000);
    assert_null(history.error);
    assert_int_equal(history.since_ms, 5000);
    history_deinit(&history);
}

static void test_times(void **state)
{
    static const uint64_t times[] = {0, 15, 16, 100, 255, 256, 257, 999, 5000, 123456, 999999, 60000000};
    struct history history = {0};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(times); n++) observe(&history, up(1, 1, 1, 1), times[n], 1000 + n);
    assert_int_equal(history.count, ARRAY_LEN(times));
    for (size_t n = 0; n < ARRAY_LEN(times); n++) {
        uint64_t read = history_time_us(&history, n);
        uint64_t off = read > times[n] ? read - times[n] : times[n] - read;
        if (off > times[n] * 7 / 100 + 16)
            fail_msg("%llu us became %llu", (unsigned long long) times[n], (unsigned long long) read);
    }
    for (size_t n = 0; n < HISTORY_POLLS; n++) observe(&history, up(1, 1, 1, 1), 1000000, 2000);
    assert_int_equal(history.count, HISTORY_POLLS);
    assert_int_equal(history_time_us(&history, 0), history_time_us(&history, HISTORY_POLLS - 1));
    observe(&history, up(1, 1, 1, 1), UINT64_MAX / 1000, 3000);
    assert_true(history_time_us(&history, HISTORY_POLLS - 1) > 60000000);
    history_deinit(&history);
}

/* What servers are compared by, and sums over servers. */
static void test_figures(void **state)
{
    struct history history = {0}, nobody = {0};
    struct history_totals totals = {0};
    double value;
    (void) state;
    assert_true(history_figure(&nobody, FIGURE_STATE, &value) && value < 0);
    for (enum figure figure = FIGURE_TIME; figure <= FIGURE_CONNECTIONS; figure++)
        assert_false(history_figure(&nobody, figure, &value));
    observe(&history, up(30, 10, 5, 1), 5000, 1000);
    observe(&history, up(70, 10, 25, 3), 5000, 11000);
    static const struct {
        enum figure figure;
        double least, most;
    } known[] = {{FIGURE_STATE, 0, 0},          {FIGURE_TIME, 4600, 5400},
                 {FIGURE_UPTIME, 77, 77},       {FIGURE_HIT_RATIO, 0.875, 0.875},
                 {FIGURE_GETS, 4, 4},           {FIGURE_SETS, 2, 2},
                 {FIGURE_EVICTIONS, 0.19, 0.21}};
    for (size_t n = 0; n < ARRAY_LEN(known); n++) {
        assert_true(history_figure(&history, known[n].figure, &value));
        assert_true(value >= known[n].least && value <= known[n].most);
    }
    assert_false(history_figure(&history, FIGURE_ITEMS, &value));

    history_add_up(&totals, &(struct history){0});
    history_add_up(&totals, &history);
    history_add_up(&totals, &history);
    observe(&history, down(TARGET_REFUSED, "refused"), 1, 12000);
    history_add_up(&totals, &history);
    assert_int_equal(totals.servers, 4);
    assert_int_equal(totals.polled, 3);
    assert_int_equal(totals.up, 2);
    assert_int_equal(totals.hits, 140);
    assert_true(totals.rates[RATE_GETS] > 7.9 && totals.rates[RATE_GETS] < 8.1);
    history_deinit(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_of_the_last_poll),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_counters_since),
        cmocka_unit_test(test_state_and_since),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
