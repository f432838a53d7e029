#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"
#include "targets/target_set.h"

static void on_unused(struct target_set *target_set)
{
    unsigned *unused = target_set->owner;
    ++*unused;
}

/* The owner is told once, when the last one has let go; then it is taken apart in pieces. */
static void test_references(void **state)
{
    struct fleet_world world;
    struct address address = world_address("127.0.0.1:1");
    unsigned unused = 0;
    (void) state;
    fleet_world_open(&world);
    struct target_set *set = target_set_new(on_unused, &unused);
    assert_true(target_set_add_group(set, "a", "default", 1));
    assert_true(target_set_add_group(set, "b", "slow", 2));
    assert_string_equal(set->groups[1].name, "b");
    assert_string_equal(set->groups[1].module, "slow");
    for (unsigned n = 0; n < 5; n++) {
        struct target *target = target_new(world.fleet, &address, world.profile, SLICE("x"), SLICE(""));
        assert_int_equal(target_list_append(&set->targets, target), 0);
    }
    assert_ptr_equal(target_set_hold(set), set);
    target_set_release(set);
    assert_int_equal(unused, 0);
    assert_true(fleet_has(world.fleet, &address));
    target_set_release(set);
    assert_int_equal(unused, 1);
    assert_false(target_set_dismantle(set, 2));
    assert_int_equal(set->targets.count, 3);
    assert_false(target_set_dismantle(set, 2));
    assert_true(target_set_dismantle(set, 2));
    assert_false(fleet_has(world.fleet, &address));
    target_set_release(NULL);
    fleet_world_close(&world);
}

static void test_without_targets(void **state)
{
    unsigned unused = 0;
    (void) state;
    struct target_set *set = target_set_new(on_unused, &unused);
    target_set_release(set);
    assert_int_equal(unused, 1);
    assert_true(target_set_dismantle(set, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_without_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
