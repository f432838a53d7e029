/*
 * Policies: how rules work together, what is left open until a name is resolved, and the words of a refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/own_listeners.h"
#include "net/policy.h"

#include <string.h>

/* Lists of rules with blanks between them. */
static void add_rules(struct policy_rules *rules, const char *list)
{
    struct slice rest = slice_of(list);
    while (rest.len) {
        struct policy_rule rule;
        assert_null(policy_rule_parse(&rule, slice_cut(&rest, ' ')));
        assert_true(policy_add(rules, &rule));
    }
}

static struct policy *make_policy(const char *allow, const char *deny)
{
    struct policy *policy = policy_new();
    assert_non_null(policy);
    add_rules(&policy->allow, allow);
    add_rules(&policy->deny, deny);
    return policy;
}

/* `literal` is what a name was resolved to, or NULL. */
static enum policy_verdict check(const struct policy *policy, const char *asked, const char *literal,
                                 char *why)
{
    struct address address, found;
    union endpoint endpoint;
    struct policy_refusal refusal = {.why = "untouched"};
    assert_null(address_parse(&address, slice_of(asked), 11211));
    assert_null(address_parse(&found, slice_of(literal ? literal : "127.0.0.1"), 11211));
    assert_true(address_endpoint(&found, &endpoint));
    if (literal) endpoint_set_port(&endpoint, address.port);
    enum policy_verdict verdict = policy_check(policy, &address, literal ? &endpoint : NULL, &refusal);
    strcpy(why, refusal.why);
    return verdict;
}

/* With `why` NULL, for what is not forbidden. */
static void expect(const struct policy *policy, const char *asked, const char *literal,
                   enum policy_verdict verdict, const char *why)
{
    char said[POLICY_WHY_MAX];
    if (check(policy, asked, literal, said) != verdict)
        fail_msg("%s %s: %s", asked, literal ? literal : "", said);
    assert_string_equal(said, why ? why : "untouched");
}

#define CHANGES "(--scrape.allow and scrape_policy change that), "
#define UNIX_FORBIDDEN                                                                                       \
    "a unix socket may be scraped by URL only if it is configured or scrape_policy allows its path"

static void test_without_rules_private_addresses_alone(void **state)
{
    static const char *const allowed[] = {
        "10.1.2.3",        "172.16.0.1", "192.168.1.1", "100.64.0.1",        "127.0.0.1",
        "127.1.2.3:22122", "[::1]",      "[fd12::1]",   "[::ffff:10.0.0.1]",
    };
    static const char *const forbidden[][2] = {
        {"8.8.8.8:53", "only private addresses may be scraped by URL " CHANGES "not 8.8.8.8:53"},
        {"[2001:db8::1]", "only private addresses may be scraped by URL " CHANGES "not [2001:db8::1]:11211"},
        {"169.254.169.254:80", "a metadata address of a cloud"},
        {"169.254.170.2:80", "a metadata address of a cloud"},
        {"100.100.100.200:80", "a metadata address of a cloud"},
        {"[fd00:ec2::254]:80", "a metadata address of a cloud"},
        {"169.254.1.1", "a link-local address"},
        {"[fe80::1%lo]", "a link-local address"},
        {"224.0.0.1", "a multicast address"},
        {"[ff02::1]", "a multicast address"},
        {"255.255.255.255", "the broadcast address"},
        {"0.0.0.0", "the unspecified address"},
        {"0.1.2.3", "the unspecified address"},
        {"[::]", "the unspecified address"},
        /* The same in the forms that tunnels and translators take apart. */
        {"[::ffff:169.254.169.254]:80", "a metadata address of a cloud"},
        {"[::169.254.169.254]:80", "a metadata address of a cloud"},
        {"[64:ff9b::169.254.169.254]:80", "a metadata address of a cloud"},
        {"[64:ff9b:1::169.254.169.254]:80", "a metadata address of a cloud"},
        {"[2002:a9fe:a9fe::1]:80", "a metadata address of a cloud"},
        {"[2001:0:1::5601:5601]:80", "a metadata address of a cloud"},
        {"[::ffff:0.0.0.0]", "the unspecified address"},
        {"[64:ff9b::e000:1]", "a multicast address"},
        {"/run/m.sock", UNIX_FORBIDDEN},
    };
    struct policy *empty = make_policy("", "");
    struct policy *const policies[] = {policy_none(), empty};
    char why[POLICY_WHY_MAX];
    (void) state;
    for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
        for (size_t n = 0; n < ARRAY_LEN(allowed); n++)
            expect(policies[p], allowed[n], NULL, POLICY_ALLOWED, NULL);
        for (size_t n = 0; n < ARRAY_LEN(forbidden); n++) {
            if (check(policies[p], forbidden[n][0], NULL, why) != POLICY_FORBIDDEN ||
                !strstr(why, forbidden[n][1]))
                fail_msg("%s: %s", forbidden[n][0], why);
        }
        expect(policies[p], "cache-1", NULL, POLICY_UNRESOLVED, NULL);
        expect(policies[p], "cache-1", "10.0.0.1", POLICY_ALLOWED, NULL);
        expect(policies[p], "cache-1", "8.8.8.8", POLICY_FORBIDDEN,
               "only private addresses may be scraped by URL " CHANGES "not cache-1:11211 (8.8.8.8:11211)");
        expect(
            policies[p], "cache-1:80", "169.254.169.254", POLICY_FORBIDDEN,
            "unless scrape_policy allows just that, a metadata address of a cloud may not be scraped by URL: "
            "cache-1:80 (169.254.169.254:80)");
    }
    policy_release(empty);
}

/* A range that has special addresses among others does not mean them. */
static void test_special_addresses_are_meant_or_denied(void **state)
{
    static const struct {
        const char *allow, *asked;
        bool allowed;
    } rows[] = {
        {"100.64.0.0/10", "100.100.100.201", true},
        {"100.64.0.0/10", "100.100.100.200", false},
        {"fd00::/8", "[fd00:ec2::254]", false},
        {"0.0.0.0/0", "169.254.169.254", false},
        {"169.254.0.0/16", "169.254.1.1", true},
        {"169.254.0.0/16", "169.254.169.254", false},
        {"169.254.169.254", "169.254.169.254", true},
        {"metadata", "169.254.169.254", true},
        {"metadata", "100.100.100.200", true},
        {"metadata", "169.254.1.1", false},
        {"link-local", "169.254.1.1", true},
        {"link-local", "[fe80::1%lo]", true},
        {"link-local", "169.254.169.254", false},
        {"any", "169.254.169.254", true},
        {"any", "224.0.0.1", true},
        {"any", "0.0.0.0", true},
        {"169.254.*", "169.254.1.1", false},
        {"loopback", "127.0.0.1", true},
        {"loopback", "10.0.0.1", false},
        {"loopback", "0.0.0.0", false},
        {"224.0.0.0/8", "224.0.0.1", true},
        {"private", "[64:ff9b::10.0.0.1]", true},
        {"private link-local", "169.254.1.1", true},
        {"private metadata", "169.254.1.1", false},
        {"::/0", "[64:ff9b::169.254.169.254]", false},
    };
    char why[POLICY_WHY_MAX];
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct policy *policy = make_policy(rows[n].allow, "");
        enum policy_verdict verdict = check(policy, rows[n].asked, NULL, why);
        if (verdict != (rows[n].allowed ? POLICY_ALLOWED : POLICY_FORBIDDEN))
            fail_msg("%s: %s: %s", rows[n].allow, rows[n].asked, why);
        policy_release(policy);
    }
}

/* The ground is counted, so that operators see why URLs are refused. */
static void test_grounds(void **state)
{
    static const struct {
        const char *allow, *deny, *asked;
        enum policy_ground ground;
    } rows[] = {
        {"", "", "8.8.8.8", POLICY_BY_ALLOW},
        {"any", "private", "10.0.0.1", POLICY_BY_DENY},
        {"", "", "169.254.169.254", POLICY_BY_METADATA},
        {"", "", "169.254.1.1", POLICY_BY_LINK_LOCAL},
        {"", "", "224.0.0.1", POLICY_BY_SPECIAL},
        {"", "", "/run/m.sock", POLICY_BY_UNIX},
        {"any", "", "127.0.0.1:4711", POLICY_BY_LISTENER},
    };
    struct address own;
    union endpoint endpoint;
    (void) state;
    assert_null(address_parse(&own, SLICE("127.0.0.1:4711"), 0));
    assert_true(address_endpoint(&own, &endpoint));
    assert_true(own_listeners_add(&endpoint));
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct policy *policy = make_policy(rows[n].allow, rows[n].deny);
        struct policy_refusal refusal;
        struct address address;
        assert_null(address_parse(&address, slice_of(rows[n].asked), 11211));
        assert_int_equal(policy_check(policy, &address, NULL, &refusal), POLICY_FORBIDDEN);
        assert_int_equal(refusal.ground, rows[n].ground);
        policy_release(policy);
    }
    own_listeners_remove(&endpoint);
}

static void test_allow(void **state)
{
    struct policy *policy = make_policy("private *.example.com:11211", "");
    (void) state;
    expect(policy, "10.0.0.1", NULL, POLICY_ALLOWED, NULL);
    expect(policy, "8.8.8.8", NULL, POLICY_FORBIDDEN, "no rule of scrape_policy allows 8.8.8.8:11211");
    expect(policy, "a.example.com", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "a.example.com", "8.8.8.8", POLICY_ALLOWED, NULL);
    expect(policy, "a.example.com", "169.254.169.254", POLICY_FORBIDDEN,
           "unless scrape_policy allows just that, a metadata address of a cloud may not be scraped by URL: "
           "a.example.com:11211 (169.254.169.254:11211)");
    expect(policy, "a.example.com:80", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "a.example.com:80", "8.8.8.8", POLICY_FORBIDDEN,
           "no rule of scrape_policy allows a.example.com:80 (8.8.8.8:80)");
    expect(policy, "other", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "other", "192.168.0.1", POLICY_ALLOWED, NULL);
    expect(policy, "other", "169.254.169.254", POLICY_FORBIDDEN,
           "unless scrape_policy allows just that, a metadata address of a cloud may not be scraped by URL: "
           "other:11211 (169.254.169.254:11211)");
    expect(policy, "/run/m.sock", NULL, POLICY_FORBIDDEN, UNIX_FORBIDDEN);
    policy_release(policy);
}

static void test_names_that_no_rule_allows_need_no_look_up(void **state)
{
    struct policy *policy = make_policy("*.example.com", "bad.example.com");
    (void) state;
    expect(policy, "a.example.com", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "other", NULL, POLICY_FORBIDDEN, "no rule of scrape_policy allows other:11211");
    expect(policy, "10.0.0.1", NULL, POLICY_FORBIDDEN, "no rule of scrape_policy allows 10.0.0.1:11211");
    expect(policy, "BAD.example.com.", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies bad.example.com, and this is bad.example.com.:11211");
    policy_release(policy);
}

/* Whatever allows it, in either order, by name and by address. */
static void test_deny_wins(void **state)
{
    struct policy *policy = make_policy("any *.example.com", "169.254.0.0/16 secret.example.com fe80::/10");
    (void) state;
    expect(policy, "10.0.0.1", NULL, POLICY_ALLOWED, NULL);
    expect(policy, "169.254.169.254:80", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies 169.254.0.0/16, and this is 169.254.169.254:80");
    expect(policy, "[::ffff:169.254.169.254]:80", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies 169.254.0.0/16, and this is [::ffff:169.254.169.254]:80");
    expect(policy, "[fe80::1%lo]", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies fe80::/10, and this is [fe80::1%lo]:11211");
    expect(policy, "secret.example.com", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies secret.example.com, and this is secret.example.com:11211");
    /* Allowed by its name, and yet to be looked at. */
    expect(policy, "a.example.com", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "a.example.com", "10.0.0.1", POLICY_ALLOWED, NULL);
    expect(policy, "a.example.com", "169.254.1.1", POLICY_FORBIDDEN,
           "scrape_policy denies 169.254.0.0/16, and this is a.example.com:11211 (169.254.1.1:11211)");
    policy_release(policy);
}

static void test_deny_alone_leaves_the_rest(void **state)
{
    struct policy *policy = make_policy("", "127.0.0.0/8");
    (void) state;
    expect(policy, "10.0.0.1", NULL, POLICY_ALLOWED, NULL);
    expect(policy, "8.8.8.8", NULL, POLICY_FORBIDDEN,
           "only private addresses may be scraped by URL " CHANGES "not 8.8.8.8:11211");
    expect(policy, "0.0.0.0", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies 127.0.0.0/8, and this is 0.0.0.0:11211");
    expect(policy, "cache-1", NULL, POLICY_UNRESOLVED, NULL);
    expect(policy, "cache-1", "[::1]", POLICY_ALLOWED, NULL);
    expect(policy, "/run/m.sock", NULL, POLICY_FORBIDDEN, UNIX_FORBIDDEN);
    policy_release(policy);
}

static void test_unix_sockets(void **state)
{
    struct policy *policy = make_policy("unix:/run/memcached/* unix:/run/*/m.sock", "unix:/run/*/secret*");
    (void) state;
    expect(policy, "/run/memcached/a", NULL, POLICY_ALLOWED, NULL);
    expect(policy, "unix:/run/b/m.sock", NULL, POLICY_ALLOWED, NULL);
    expect(policy, "/run/memcached/secret1", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies unix:/run/*/secret*, and this is unix:/run/memcached/secret1");
    expect(policy, "/run/a", NULL, POLICY_FORBIDDEN, UNIX_FORBIDDEN);
    /* A path that goes back would be another one than the pattern shows. */
    expect(policy, "/run/../m.sock", NULL, POLICY_FORBIDDEN,
           "a path with . or .. in it may not be scraped by URL");
    expect(policy, "/run/memcached/..", NULL, POLICY_FORBIDDEN,
           "a path with . or .. in it may not be scraped by URL");
    expect(policy, "/run/./m.sock", NULL, POLICY_FORBIDDEN,
           "a path with . or .. in it may not be scraped by URL");
    expect(policy, "/run/memcached/..a", NULL, POLICY_ALLOWED, NULL);
    /* Nothing else is allowed. */
    expect(policy, "10.0.0.1", NULL, POLICY_FORBIDDEN, "no rule of scrape_policy allows 10.0.0.1:11211");
    policy_release(policy);
}

/* The longest rule and name are cut, and nothing else happens. */
static void test_longest_reason(void **state)
{
    char name[ADDRESS_HOST_MAX + 1], why[POLICY_WHY_MAX];
    (void) state;
    for (size_t n = 0; n < ADDRESS_HOST_MAX; n++) name[n] = n % 60 == 59 ? '.' : 'a';
    name[ADDRESS_HOST_MAX] = '\0';
    struct policy *policy = make_policy("", name);
    assert_int_equal(check(policy, name, NULL, why), POLICY_FORBIDDEN);
    assert_int_equal(strlen(why), POLICY_WHY_MAX - 1);
    policy_release(policy);
}

/* Whoever releases it last frees it; the sanitizer sees to that. */
static void test_equal(void **state)
{
    static const char *const lists[][2] = {
        {"", ""},
        {"any", ""},
        {"", "any"},
        {"any private", ""},
        {"private any", ""},
        {"10.0.0.0/8", ""},
        {"10.0.0.0/9", ""},
        {"any loopback", ""},
    };
    (void) state;
    for (size_t a = 0; a < ARRAY_LEN(lists); a++) {
        for (size_t b = 0; b < ARRAY_LEN(lists); b++) {
            struct policy *one = make_policy(lists[a][0], lists[a][1]),
                          *other = make_policy(lists[b][0], lists[b][1]);
            int order = policy_compare(one, other);
            assert_int_equal(order == 0, a == b);
            assert_int_equal(order > 0, policy_compare(other, one) < 0);
            policy_release(one);
            policy_release(other);
        }
    }
    struct policy *empty = make_policy("", "");
    assert_int_equal(policy_compare(empty, policy_none()), 0);
    policy_release(empty);
}

static void test_references(void **state)
{
    struct policy *policy = make_policy("any", "private");
    (void) state;
    assert_ptr_equal(policy_hold(policy), policy);
    policy_release(policy);
    expect(policy, "10.0.0.1", NULL, POLICY_FORBIDDEN,
           "scrape_policy denies private, and this is 10.0.0.1:11211");
    policy_release(policy);
    policy_release(NULL);
    policy_release(policy_hold(policy_none()));
    expect(policy_none(), "10.0.0.1", NULL, POLICY_ALLOWED, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rules_private_addresses_alone),
        cmocka_unit_test(test_special_addresses_are_meant_or_denied),
        cmocka_unit_test(test_grounds),
        cmocka_unit_test(test_allow),
        cmocka_unit_test(test_names_that_no_rule_allows_need_no_look_up),
        cmocka_unit_test(test_deny_wins),
        cmocka_unit_test(test_deny_alone_leaves_the_rest),
        cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_longest_reason),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
