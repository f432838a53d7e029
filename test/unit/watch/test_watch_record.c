/* Counts of one server: what they are made of, and that no server makes them grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/watch_record.h"

#include <stdio.h>
#include <stdlib.h>

static int setup(void **state)
{
    struct watch_record *record = calloc(1, sizeof(*record));
    watch_record_init(record, 1);
    *state = record;
    return 0;
}

static int teardown(void **state)
{
    watch_record_deinit(*state);
    free(*state);
    return 0;
}

static void count(struct watch_record *record, const struct watch_event *event)
{
    watch_record_count(record, event, SLICE(""), 0, 1);
}

static uint64_t observed(const struct histogram *histogram)
{
    struct histogram_view view = histogram_view(histogram);
    uint64_t sum = 0;
    for (size_t n = 0; n <= view.count; n++) sum += view.counts[n];
    return sum;
}

/* Items that never expire have no time to live, and values that were not stored no size. */
static void observes_what_applies(void **state)
{
    struct watch_record *record = *state;
    count(record,
          &(struct watch_event){.stream = WATCH_MUTATIONS, .ttl_s = 60, .size = 100, .has_size = true});
    count(record,
          &(struct watch_event){.stream = WATCH_MUTATIONS, .ttl_s = -1, .size = 100, .has_size = true});
    count(record,
          &(struct watch_event){.stream = WATCH_MUTATIONS, .status = 4, .ttl_s = 5, .has_size = true});
    count(record, &(struct watch_event){.stream = WATCH_MUTATIONS, .ttl_s = -1});
    count(record, &(struct watch_event){.stream = WATCH_EVICTIONS, .ttl_s = -1, .idle_s = 7});
    count(record, &(struct watch_event){.stream = WATCH_EVICTIONS, .ttl_s = 9, .idle_s = 7, .status = 1});
    assert_int_equal(observed(&record->stored_ttl), 1);
    assert_int_equal(observed(&record->stored_size), 2);
    assert_int_equal(observed(&record->evicted_idle), 2);
    assert_int_equal(observed(&record->evicted_ttl), 1);
    assert_int_equal(record->events[WATCH_MUTATIONS][0], 3);
    assert_int_equal(record->events[WATCH_MUTATIONS][4], 1);
    assert_int_equal(record->events[WATCH_EVICTIONS][1], 1);
}

static void counts_prefixes(void **state)
{
    struct watch_record *record = *state;
    struct watch_event hit = {.stream = WATCH_FETCHERS}, miss = {.stream = WATCH_FETCHERS, .status = 3};
    watch_record_add_prefix(record, SLICE("a"), 1, 2);
    watch_record_add_prefix(record, SLICE("a"), 1, 2);
    watch_record_add_prefix(record, SLICE("b"), 2, 2);
    watch_record_add_prefix(record, SLICE("c"), 3, 2);
    watch_record_add_prefix(record, SLICE(""), 4, 9);
    assert_int_equal(record->prefix_count, 2);
    assert_true(watch_record_count(record, &hit, SLICE("a"), 1, 1));
    assert_true(watch_record_count(record, &miss, SLICE("a"), 1, 1));
    assert_false(watch_record_count(record, &miss, SLICE("c"), 3, 1));
    assert_int_equal(record->prefixes[0].found, 1);
    assert_int_equal(record->prefixes[0].not_found, 1);
    assert_int_equal(record->other.not_found, 1);
}

/* Backends beyond the limit, and those with odd names, share one without a name. */
static void limits_backends(void **state)
{
    struct watch_record *record = *state;
    char name[300];
    for (unsigned n = 0; n < 1000; n++) {
        struct watch_event event = {.stream = WATCH_PROXYREQS, .status = n % 3, .elapsed_us = 1000};
        snprintf(name, sizeof(name), "10.0.0.%u:11211", n);
        event.backend = slice_of(name);
        count(record, &event);
    }
    assert_int_equal(record->backend_count, WATCH_BACKENDS_MAX + 1);
    assert_int_equal(record->backends[WATCH_BACKENDS_MAX].len, 0);
    count(record, &(struct watch_event){.stream = WATCH_PROXYREQS, .backend = SLICE("\xff:1")});
    count(record, &(struct watch_event){.stream = WATCH_PROXYREQS, .backend = SLICE("other")});
    assert_int_equal(record->backend_count, WATCH_BACKENDS_MAX + 1);
    assert_int_equal(observed(&record->backends[0].durations[0]), 1);
    assert_true(record->backends[0].observed[0]);
    assert_false(record->backends[0].observed[1]);
}

static void names_everything(void **state)
{
    (void) state;
    for (enum watch_skip skip = 0; skip < WATCH_SKIP_COUNT; skip++) assert_non_null(watch_skip_name(skip));
    for (enum watch_result result = 0; result < WATCH_RESULT_COUNT; result++)
        assert_non_null(watch_result_name(result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(observes_what_applies, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_backends, setup, teardown),
        cmocka_unit_test(names_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
