#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"
#include "net/ration.h"

static bool closed;

static void on_close(struct ration *ration)
{
    (void) ration;
    closed = true;
}

static void close_ration(uv_loop_t *loop, struct ration *ration)
{
    closed = false;
    ration_close(ration, on_close);
    assert_false(closed);
    loop_run_until(loop, &closed);
    loop_close(loop);
}

static void test_each_turn_has_its_own(void **unused)
{
    struct ration ration;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    ration_init(&ration, &loop, 10000 + RATION_READ_COST);
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, 9999);
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, 1);
        assert_true(ration_is_spent(&ration));
        loop_turn(&loop, 1);
    }
    close_ration(&loop, &ration);
}

/* The ends of ten thousand connections have no bytes, and yet are work. */
static void test_ends_are_not_free(void **unused)
{
    struct ration ration;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    ration_init(&ration, &loop, 10 * RATION_READ_COST);
    for (unsigned n = 0; n < 10; n++) {
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, UV_EOF);
    }
    assert_true(ration_is_spent(&ration));
    close_ration(&loop, &ration);
}

static void test_no_bound(void **unused)
{
    struct ration ration = {0};
    (void) unused;
    ration_take(&ration, 1 << 30);
    assert_false(ration_is_spent(&ration));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_turn_has_its_own),
        cmocka_unit_test(test_ends_are_not_free),
        cmocka_unit_test(test_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
