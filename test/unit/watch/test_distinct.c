/* The stated error of HyperLogLog, from no key to millions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"
#include "watch/distinct.h"

#include <math.h>
#include <stdlib.h>

static uint64_t hash_of(uint64_t number, uint64_t seed)
{
    struct siphash_secret secret = {{seed, ~seed}};
    return siphash(&secret, (struct slice){(const char *) &number, sizeof(number)});
}

static double error_at(uint64_t count, uint64_t seed)
{
    struct distinct *distinct = calloc(1, sizeof(*distinct));
    for (uint64_t n = 0; n < count; n++) distinct_add(distinct, hash_of(n, seed));
    double estimate = distinct_estimate(distinct);
    free(distinct);
    return (estimate - (double) count) / (double) count;
}

static void knows_nothing_at_first(void **state)
{
    (void) state;
    static const struct distinct nothing;
    assert_true(distinct_estimate(&nothing) == 0);
}

/* Each single estimate within five standard errors, and all together within the standard error. */
static void stays_within_its_error(void **state)
{
    static const uint64_t counts[] = {1, 10, 100, 1000, 4096, 10000, 30000, 100000, 300000};
    (void) state;
    for (size_t n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
        double squares = 0;
        for (uint64_t seed = 1; seed <= 5; seed++) {
            double error = error_at(counts[n], seed);
            squares += error * error;
            if (fabs(error) > 5 * DISTINCT_STANDARD_ERROR)
                fail_msg("%llu keys: error %g", (unsigned long long) counts[n], error);
        }
        assert_true(sqrt(squares / 5) < 2 * DISTINCT_STANDARD_ERROR);
    }
}

static void counts_a_key_once(void **state)
{
    (void) state;
    struct distinct distinct = {0};
    for (unsigned n = 0; n < 100000; n++) distinct_add(&distinct, hash_of(n % 50, 7));
    double estimate = distinct_estimate(&distinct);
    assert_true(estimate > 47 && estimate < 53);
}

/* The highest rank, and every register full: no loop without end, no division by zero. */
static void survives_extreme_hashes(void **state)
{
    (void) state;
    struct distinct distinct = {0};
    for (uint64_t n = 0; n < 4096; n++) distinct_add(&distinct, n << 52);
    assert_true(isfinite(distinct_estimate(&distinct)));
    distinct_add(&distinct, UINT64_MAX);
    assert_true(isfinite(distinct_estimate(&distinct)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_nothing_at_first),
        cmocka_unit_test(stays_within_its_error),
        cmocka_unit_test(counts_a_key_once),
        cmocka_unit_test(survives_extreme_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
