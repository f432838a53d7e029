#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"

#include <time.h>

static void add(struct fleet_world *world, struct target_list *list, const char *name)
{
    struct address address = world_address(name);
    assert_int_equal(
        target_list_add(list, world->fleet, &address, world->profile, "instance", slice_of(name)), 0);
}

/* A name is taken once; another way to write the same address is another name. */
static void test_names(void **state)
{
    struct fleet_world world;
    struct target_list list = {0};
    (void) state;
    fleet_world_open(&world);
    add(&world, &list, "127.0.0.1:1");
    add(&world, &list, "127.0.0.1");
    add(&world, &list, "127.0.0.1:1");
    add(&world, &list, "127.0.0.1:11211");
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0]->name, "127.0.0.1:1");
    assert_string_equal(list.items[1]->labels, "instance=\"127.0.0.1\"");
    assert_ptr_equal(list.items[1]->client, list.items[2]->client);
    target_list_clear(&list);
    assert_int_equal(list.count, 0);
    /* It may be filled again. */
    add(&world, &list, "127.0.0.1:1");
    assert_int_equal(list.count, 1);
    target_list_clear(&list);
    fleet_world_close(&world);
}

static void test_append(void **state)
{
    struct fleet_world world;
    struct target_list list = {0};
    struct address address = world_address("127.0.0.1:1");
    (void) state;
    fleet_world_open(&world);
    for (unsigned n = 0; n < 9; n++) {
        struct target *target = target_new(world.fleet, &address, world.profile, SLICE("x"), SLICE(""));
        assert_int_equal(target_list_append(&list, target), 0);
        assert_ptr_equal(list.items[n], target);
    }
    assert_int_equal(list.count, 9);
    target_list_clear(&list);
    fleet_world_close(&world);
}

/* The processor time that it takes to name one server again and again, by so many names. */
static double seconds_for(struct fleet_world *world, unsigned count)
{
    struct target_list list = {0};
    clock_t begun = clock();
    for (unsigned n = 0; n < count; n++) {
        char name[64];
        struct address address = world_address("127.0.0.1:1");
        snprintf(name, sizeof(name), "127.0.0.1:%u", n);
        assert_int_equal(
            target_list_add(&list, world->fleet, &address, world->profile, "instance", slice_of(name)), 0);
    }
    double seconds = (double) (clock() - begun) / CLOCKS_PER_SEC;
    assert_int_equal(list.count, count);
    target_list_clear(&list);
    return seconds;
}

/* Sixteen times the targets take about sixteen times as long, and not 256 times. */
static void test_many_targets(void **state)
{
    struct fleet_world world;
    double few = 1e9, many = 1e9;
    (void) state;
    fleet_world_open(&world);
    for (unsigned n = 0; n < 3; n++) {
        double seconds = seconds_for(&world, 1000);
        if (seconds < few) few = seconds;
        seconds = seconds_for(&world, 16000);
        if (seconds < many) many = seconds;
    }
    if (many > 64 * few + 0.01) fail_msg("1000 targets: %g s, 16000 targets: %g s", few, many);
    fleet_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_many_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
