/* Who holds a request, and what goes with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gather_world.h"

static void test_url_targets_go_with_the_request(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    world_add_server(&world->fleet, 0);
    gather_world_move_targets(world);
    assert_ptr_equal(scrape_request_targets(request), &request->url_targets);
    assert_ptr_equal(scrape_request_hold(request), request);
    scrape_request_release(request);
    assert_int_equal(scrape_request_targets(request)->count, 1);
    scrape_request_release(request);
    scrape_request_release(NULL);
}

static void test_target_set_is_held(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    assert_ptr_equal(scrape_request_targets(request), &world->target_set.targets);
    assert_int_equal(world->target_set.references, 2);
    scrape_request_release(request);
    assert_int_equal(world->target_set.references, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gather_world_setup, gather_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_url_targets_go_with_the_request),
        TEST(test_target_set_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
