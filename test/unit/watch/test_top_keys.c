/* The stated bounds of Space-Saving, held against exact counts of known streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"
#include "watch/top_keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 100000

static const struct siphash_secret secret = {{1, 2}};

static uint64_t random_state;

static double uniform(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((double) ((random_state * 2685821657736338717u) >> 11) + 0.5) / 9007199254740992.0;
}

static void add(struct top_keys *top, size_t key, uint64_t weight)
{
    char name[32];
    struct slice text = {name, (size_t) snprintf(name, sizeof(name), "key:%zu", key)};
    top_keys_add(top, text, siphash(&secret, text), weight);
}

static size_t number_of(const struct top_key *key)
{
    char name[32] = {0};
    slice_put(name, key->key);
    return strtoul(name + 4, NULL, 10);
}

/* Draws from a table of cumulative shares. */
static size_t draw(const double *shares)
{
    double at = uniform() * shares[KEYS - 1];
    size_t low = 0, high = KEYS - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (shares[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Checks every bound that the header states. `exact` are the true counts. */
static void check_bounds(const struct top_keys *top, const uint64_t *exact, size_t counters)
{
    struct top_key *best = calloc(counters, sizeof(*best));
    size_t count = top_keys_best(top, best, counters);
    uint64_t bound = top_keys_bound(top), found = 0, frequent = 0;
    assert_true(bound == top_keys_total(top) / counters);
    for (size_t n = 0; n < count; n++) {
        uint64_t truth = exact[number_of(&best[n])];
        if (n > 0) assert_true(best[n - 1].count >= best[n].count);
        assert_true(best[n].count >= truth);
        assert_true(best[n].count - best[n].error <= truth);
        assert_true(best[n].error <= bound);
        found += truth > bound;
    }
    for (size_t n = 0; n < KEYS; n++) frequent += exact[n] > bound;
    assert_int_equal(found, frequent);
    free(best);
}

/* Zipf's law with the given exponent. Returns how many of the ten keys with the largest counts are right. */
static void run_zipf(double exponent, size_t counters, uint64_t weight_max)
{
    double *shares = calloc(KEYS, sizeof(*shares)), sum = 0;
    uint64_t *exact = calloc(KEYS, sizeof(*exact));
    struct top_keys *top = top_keys_new(counters);
    random_state = 88172645463325252u;
    for (size_t n = 0; n < KEYS; n++) shares[n] = sum += pow((double) n + 1, -exponent);
    for (size_t n = 0; n < 200000; n++) {
        size_t key = draw(shares);
        uint64_t weight = weight_max > 1 ? 1 + (uint64_t) (uniform() * (double) weight_max) : 1;
        exact[key] += weight;
        add(top, key, weight);
    }
    check_bounds(top, exact, counters);
    top_keys_free(top);
    free(exact);
    free(shares);
}

static void holds_its_bounds_for_zipf(void **state)
{
    (void) state;
    run_zipf(0.8, 64, 1);
    run_zipf(1.0, 1024, 1);
    run_zipf(1.3, 512, 1);
}

static void holds_its_bounds_for_weights(void **state)
{
    (void) state;
    run_zipf(1.0, 256, 1000000);
}

/* Every key is new: the hardest stream. Then one key that is frequent comes last. */
static void holds_its_bounds_for_new_keys(void **state)
{
    uint64_t *exact = calloc(KEYS, sizeof(*exact));
    struct top_keys *top = top_keys_new(100);
    (void) state;
    for (size_t n = 0; n < KEYS - 1; n++) {
        exact[n] = 1;
        add(top, n, 1);
    }
    for (size_t n = 0; n < 5000; n++) {
        exact[KEYS - 1]++;
        add(top, KEYS - 1, 1);
    }
    check_bounds(top, exact, 100);
    struct top_key best;
    assert_int_equal(top_keys_best(top, &best, 1), 1);
    assert_int_equal(number_of(&best), KEYS - 1);
    top_keys_free(top);
    free(exact);
}

/* With as many counters as keys, every count is exact. */
static void is_exact_with_room(void **state)
{
    struct top_keys *top = top_keys_new(3);
    struct top_key best[4];
    (void) state;
    for (size_t n = 0; n < 60; n++) add(top, n % 6 < 3 ? 0 : n % 6 < 5 ? 1 : 2, 1);
    assert_int_equal(top_keys_best(top, best, 4), 3);
    for (size_t n = 0; n < 3; n++) {
        assert_int_equal(number_of(&best[n]), n);
        assert_int_equal(best[n].count, 30 - 10 * n);
        assert_int_equal(best[n].error, 0);
    }
    assert_int_equal(top_keys_best(top, best, 2), 2);
    assert_int_equal(number_of(&best[1]), 1);
    top_keys_free(top);
}

/* Keys of any bytes and length; a weight of 0; a single counter; hashes that all collide. */
static void takes_odd_keys(void **state)
{
    char longest[TOP_KEYS_KEY_MAX];
    struct top_keys *top = top_keys_new(2);
    struct top_key best[2];
    (void) state;
    memset(longest, 0xff, sizeof(longest));
    top_keys_add(top, (struct slice){longest, sizeof(longest)}, 5, 2);
    top_keys_add(top, SLICE("a\0b"), 5, 1);
    top_keys_add(top, SLICE("a\0c"), 5, 1);
    top_keys_add(top, SLICE("ignored"), 5, 0);
    assert_int_equal(top_keys_best(top, best, 2), 2);
    assert_int_equal(top_keys_total(top), 4);
    assert_true(slice_equal(best[1].key, SLICE("a\0c")));
    assert_int_equal(best[1].error, 1);
    top_keys_free(top);
    top = top_keys_new(1);
    add(top, 1, 1);
    add(top, 2, 1);
    assert_int_equal(top_keys_best(top, best, 2), 1);
    assert_int_equal(best[0].count, 2);
    top_keys_free(top);
    top_keys_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_its_bounds_for_zipf),
        cmocka_unit_test(holds_its_bounds_for_weights),
        cmocka_unit_test(holds_its_bounds_for_new_keys),
        cmocka_unit_test(is_exact_with_room),
        cmocka_unit_test(takes_odd_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
