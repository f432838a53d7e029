/* Who shares a profile, and which profiles make the same connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/profile.h"

static void test_holds_its_policy(void **state)
{
    (void) state;
    struct policy *policy = policy_new();
    struct profile *profile = profile_new(5, 100, policy);
    assert_int_equal(policy->references, 2);
    assert_int_equal(profile->commands, 5);
    assert_int_equal(profile->timeout_ms, 100);
    assert_ptr_equal(profile_hold(profile), profile);
    profile_release(profile);
    assert_int_equal(policy->references, 2);
    profile_release(profile);
    assert_int_equal(policy->references, 1);
    policy_release(policy);
    profile_release(NULL);
}

static void test_compares_what_a_connection_depends_on(void **state)
{
    (void) state;
    struct policy *empty = policy_new(), *other = policy_new();
    struct policy_rule rule;
    assert_null(policy_rule_parse(&rule, SLICE("private")));
    assert_true(policy_add(&other->allow, &rule));
    struct profile *profiles[] = {
        profile_new(1, 100, NULL),          profile_new(2, 200, NULL),  profile_new(1, 100, empty),
        profile_new(2, 200, policy_none()), profile_new(1, 100, other),
    };
    static const int classes[] = {0, 0, 1, 1, 2};
    for (size_t a = 0; a < 5; a++) {
        for (size_t b = 0; b < 5; b++) {
            int order = profile_compare(profiles[a], profiles[b]);
            assert_int_equal((order > 0) - (order < 0),
                             (classes[a] > classes[b]) - (classes[a] < classes[b]));
        }
    }
    for (size_t n = 0; n < 5; n++) profile_release(profiles[n]);
    policy_release(empty);
    policy_release(other);
}

/* A traced profile shares no connection with any other, and the order stays one. */
static void test_traced_profiles_are_alone(void **state)
{
    (void) state;
    struct profile *profiles[] = {profile_new(1, 100, NULL), profile_new(1, 100, NULL),
                                  profile_new(1, 100, NULL)};
    profiles[1]->traced = profiles[2]->traced = true;
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 3; b++) {
            int order = profile_compare(profiles[a], profiles[b]);
            assert_int_equal(order == 0, a == b);
            assert_int_equal(order > 0, profile_compare(profiles[b], profiles[a]) < 0);
        }
    }
    assert_true(profile_compare(profiles[0], profiles[1]) < 0 &&
                profile_compare(profiles[0], profiles[2]) < 0);
    for (size_t n = 0; n < 3; n++) profile_release(profiles[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_its_policy),
        cmocka_unit_test(test_compares_what_a_connection_depends_on),
        cmocka_unit_test(test_traced_profiles_are_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
