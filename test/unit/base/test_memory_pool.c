#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory_pool.h"

#define SHARES 4

static struct memory_pool *pool;
static struct memory_share shares[SHARES];
static struct memory_share *dropped;
static unsigned drops;

static void on_drop(struct memory_share *share)
{
    dropped = share;
    drops++;
}

static int setup(void **state)
{
    (void) state;
    pool = memory_pool_new(100);
    drops = 0;
    for (unsigned n = 0; n < SHARES; n++) {
        memory_share_init(&shares[n]);
        memory_share_join(&shares[n], pool, on_drop);
    }
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    for (unsigned n = 0; n < SHARES; n++) memory_share_leave(&shares[n]);
    assert_int_equal(pool->used, 0);
    memory_pool_release(pool);
    return 0;
}

static void test_within_the_bound(void **state)
{
    (void) state;
    for (unsigned n = 0; n < SHARES; n++) memory_share_resize(&shares[n], 25);
    memory_share_resize(&shares[0], 10);
    memory_share_resize(&shares[1], 40);
    assert_int_equal(pool->used, 100);
    assert_int_equal(drops, 0);
}

static void test_the_largest_is_dropped(void **state)
{
    (void) state;
    memory_share_resize(&shares[1], 60);
    memory_share_resize(&shares[2], 30);
    memory_share_resize(&shares[3], 11);
    assert_int_equal(drops, 1);
    assert_ptr_equal(dropped, &shares[1]);
    assert_int_equal(pool->used, 41);
}

static void test_the_newest_of_equal_ones_is_dropped(void **state)
{
    (void) state;
    for (unsigned n = 0; n < 3; n++) memory_share_resize(&shares[n], 30);
    memory_share_resize(&shares[3], 20);
    assert_int_equal(drops, 1);
    assert_ptr_equal(dropped, &shares[2]);
}

/* Who hits the bound may be the largest itself. */
static void test_the_one_that_grows_is_dropped(void **state)
{
    (void) state;
    memory_share_resize(&shares[0], 40);
    memory_share_resize(&shares[1], 101);
    assert_ptr_equal(dropped, &shares[1]);
    assert_int_equal(pool->used, 40);
}

static void test_full_shares_stay(void **state)
{
    (void) state;
    memory_share_resize(&shares[0], 90);
    memory_share_settle(&shares[0]);
    memory_share_resize(&shares[1], 5);
    memory_share_resize(&shares[2], 6);
    assert_int_equal(drops, 1);
    assert_ptr_equal(dropped, &shares[2]);
    memory_share_resize(&shares[0], 200);
    assert_ptr_equal(dropped, &shares[1]);
    assert_int_equal(pool->used, 200);
    memory_share_leave(&shares[0]);
    memory_share_resize(&shares[3], 100);
    assert_int_equal(drops, 2);
}

static void test_no_bound(void **state)
{
    (void) state;
    pool->max = 0;
    for (unsigned n = 0; n < SHARES; n++) memory_share_resize(&shares[n], SIZE_MAX / 8);
    assert_int_equal(drops, 0);
}

static void test_no_pool(void **state)
{
    struct memory_share share;
    (void) state;
    memory_share_init(&share);
    memory_share_join(&share, NULL, on_drop);
    memory_share_resize(&share, 1000);
    memory_share_settle(&share);
    memory_share_leave(&share);
    assert_int_equal(drops, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_within_the_bound),
        TEST(test_the_largest_is_dropped),
        TEST(test_the_newest_of_equal_ones_is_dropped),
        TEST(test_the_one_that_grows_is_dropped),
        TEST(test_full_shares_stay),
        TEST(test_no_bound),
        TEST(test_no_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
