#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "directory.h"
#include "net/own_listeners.h"
#include "net/policy.h"
#include "net/route.h"

static union endpoint endpoint_of(const char *text)
{
    struct address address;
    union endpoint endpoint;
    assert_null(address_parse_listen(&address, slice_of(text), 0));
    assert_true(address_endpoint(&address, &endpoint));
    return endpoint;
}

static bool have(const char *text)
{
    union endpoint endpoint = endpoint_of(text);
    return own_listeners_have(&endpoint);
}

/* Where something listens, what leads there, and what does not. */
static const struct {
    const char *listener;
    const char *own[8], *others[8];
} rows[] = {
    {"127.0.0.1:9150",
     {"127.0.0.1:9150", "[::ffff:127.0.0.1]:9150", "0.0.0.0:9150", "[::127.0.0.1]:9150",
      "[64:ff9b::7f00:1]:9150"},
     {"127.0.0.1:9151", "127.0.0.2:9150", "[::1]:9150", "10.0.0.1:9150", "unix:/127.0.0.1:9150"}},
    {"0.0.0.0:9150",
     {"127.0.0.1:9150", "127.0.0.2:9150", "127.255.255.254:9150", "[::ffff:127.8.8.8]:9150", "0.0.0.0:9150",
      "[::]:9150", "[::1]:9150", "[2002:7f00:1::]:9150"},
     {"127.0.0.1:9151", "192.0.2.1:9150", "[2001:db8::1]:9150", "8.8.8.8:9150"}},
    {"[::]:9150",
     {"127.0.0.1:9150", "127.0.0.2:9150", "[::1]:9150", "[::]:9150", "[::ffff:127.0.0.1]:9150",
      "0.0.0.0:9150"},
     {"127.0.0.1:1", "[::1]:1", "192.0.2.1:9150"}},
    {"[::1]:9150", {"[::1]:9150", "[::]:9150"}, {"127.0.0.1:9150", "[::1]:9151", "[fd00::1]:9150"}},
    {"[::ffff:127.0.0.1]:9150",
     {"127.0.0.1:9150", "[::ffff:127.0.0.1]:9150"},
     {"127.0.0.2:9150", "[::1]:9150"}},
};

static void test_what_leads_to_a_listener(void **state)
{
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        union endpoint listener = endpoint_of(rows[n].listener);
        for (size_t i = 0; i < 8 && rows[n].own[i]; i++) assert_false(have(rows[n].own[i]));
        assert_true(own_listeners_add(&listener));
        for (size_t i = 0; i < 8 && rows[n].own[i]; i++) {
            if (!have(rows[n].own[i])) fail_msg("%s: %s", rows[n].listener, rows[n].own[i]);
        }
        for (size_t i = 0; i < 8 && rows[n].others[i]; i++) {
            if (have(rows[n].others[i])) fail_msg("%s: not %s", rows[n].listener, rows[n].others[i]);
        }
        own_listeners_remove(&listener);
        assert_false(have(rows[n].own[0]));
        own_listeners_remove(&listener);
    }
}

/* An address of the machine that is no loopback leads to a listener at all addresses, and only there. */
static void test_other_addresses_of_the_machine(void **state)
{
    union endpoint source, away = endpoint_of("192.0.2.1:9"), everywhere = endpoint_of("0.0.0.0:9150");
    (void) state;
    if (!route_source(&away, &source)) skip(); /* this machine has no other address */
    assert_true(route_is_local(&source));
    assert_false(route_is_local(&away));
    endpoint_set_port(&source, 9150);
    assert_true(own_listeners_add(&everywhere));
    assert_true(own_listeners_have(&source));
    own_listeners_remove(&everywhere);
    assert_false(own_listeners_have(&source));
    assert_true(own_listeners_add(&source));
    assert_true(own_listeners_have(&source));
    assert_false(have("127.0.0.1:9150"));
    own_listeners_remove(&source);
}

static void test_unix_sockets(void **state)
{
    char text[PATH_MAX + 8];
    (void) state;
    directory_open();
    fclose(fopen(path_of("a"), "w"));
    fclose(fopen(path_of("b"), "w"));
    assert_int_equal(symlink("a", path_of("c")), 0);
    snprintf(text, sizeof(text), "unix:%s", path_of("a"));
    union endpoint listener = endpoint_of(text);
    assert_true(own_listeners_add(&listener));
    assert_true(have(text));
    snprintf(text, sizeof(text), "unix:%s", path_of("c"));
    assert_true(have(text));
    snprintf(text, sizeof(text), "unix:%s", path_of("b"));
    assert_false(have(text));
    own_listeners_remove(&listener);
    directory_close();
}

/* No rule opens the way. */
static void test_policy_forbids_it(void **state)
{
    struct policy *policy = policy_new();
    struct policy_rule rule;
    struct policy_refusal refusal;
    struct address address;
    union endpoint listener = endpoint_of("127.0.0.1:9150");
    static const char *const allowed[] = {"any", "127.0.0.1:9150", "localhost"};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(allowed); n++) {
        assert_null(policy_rule_parse(&rule, slice_of(allowed[n])));
        assert_true(policy_add(&policy->allow, &rule));
    }
    assert_null(address_parse(&address, SLICE("127.0.0.1:9150"), 11211));
    assert_int_equal(policy_check(policy, &address, NULL, &refusal), POLICY_ALLOWED);
    assert_true(own_listeners_add(&listener));
    assert_int_equal(policy_check(policy, &address, NULL, &refusal), POLICY_FORBIDDEN);
    assert_int_equal(refusal.ground, POLICY_BY_LISTENER);
    assert_string_equal(refusal.why, "the exporter itself may not be scraped as a memcached: 127.0.0.1:9150");
    assert_null(address_parse(&address, SLICE("localhost:9150"), 11211));
    assert_int_equal(policy_check(policy, &address, NULL, &refusal), POLICY_UNRESOLVED);
    assert_int_equal(policy_check(policy, &address, &listener, &refusal), POLICY_FORBIDDEN);
    own_listeners_remove(&listener);
    assert_int_equal(policy_check(policy, &address, &listener, &refusal), POLICY_ALLOWED);
    policy_release(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_leads_to_a_listener),
        cmocka_unit_test(test_other_addresses_of_the_machine),
        cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_policy_forbids_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
