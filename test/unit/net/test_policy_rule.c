/* Single rules: how they are written, and which addresses they hold for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/policy_rule.h"

static struct policy_rule rule_of(const char *text)
{
    struct policy_rule rule;
    const char *expected = policy_rule_parse(&rule, slice_of(text));
    if (expected) fail_msg("%s: expected %s", text, expected);
    assert_string_equal(rule.text, text);
    return rule;
}

static struct address address_of(const char *text)
{
    struct address address;
    const char *expected = address_parse(&address, slice_of(text), 11211);
    if (expected) fail_msg("%s: expected %s", text, expected);
    return address;
}

/* What the rule says of an address that nobody has resolved. */
static enum policy_match match(const char *rule, const char *address)
{
    struct policy_rule parsed = rule_of(rule);
    struct address asked = address_of(address);
    return policy_rule_match(&parsed, &asked, NULL);
}

/* The same of a name that was resolved. */
static enum policy_match match_resolved(const char *rule, const char *name, const char *literal)
{
    struct policy_rule parsed = rule_of(rule);
    struct address asked = address_of(name), found = address_of(literal);
    union endpoint endpoint;
    assert_true(address_endpoint(&found, &endpoint));
    return policy_rule_match(&parsed, &asked, &endpoint);
}

struct row {
    const char *rule, *address;
    bool matches;
};

/* The verdict on a literal is the same when a name was resolved to it. */
static void check_addresses(const struct row *rows, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        enum policy_match expected = rows[n].matches ? POLICY_MATCH : POLICY_NO_MATCH;
        if (match(rows[n].rule, rows[n].address) != expected)
            fail_msg("%s: %s", rows[n].rule, rows[n].address);
        if (match_resolved(rows[n].rule, "some.name", rows[n].address) != expected)
            fail_msg("%s: a name that is %s", rows[n].rule, rows[n].address);
    }
}

static void test_networks(void **state)
{
    static const struct row rows[] = {
        {"10.0.0.0/8", "10.0.0.0", true},          {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},         {"10.0.0.0/8", "9.255.255.255", false},
        {"10.1.2.3/8", "10.9.9.9", true},          {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},    {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},         {"192.0.2.7/32", "192.0.2.7", true},
        {"192.0.2.6/31", "192.0.2.7", true},       {"0.0.0.0/0", "203.0.113.5", true},
        {"0.0.0.0/0", "[2001:db8::1]", false},     {"fd00::/8", "[fdff::1]", true},
        {"fd00::/8", "[fc00::1]", false},          {"2001:db8::1", "[2001:db8::1]", true},
        {"2001:db8::1", "[2001:db8::2]", false},   {"[2001:db8::1]", "[2001:db8:0:0::1]", true},
        {"2001:db8::/127", "[2001:db8::1]", true}, {"2001:db8::/127", "[2001:db8::2]", false},
        {"2001:DB8::/32", "[2001:db8::2]", true},  {"::/0", "[2001:db8::2]", true},
        {"fe80::/10", "[fe80::1%lo]", true},       {"fe80::/10", "[fe80::1%7]", true},
    };
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
}

/* Two spellings of the same server must not differ. */
static void test_mapped_addresses_are_ipv4(void **state)
{
    static const struct row rows[] = {
        {"10.0.0.0/8", "[::ffff:10.0.0.1]", true},
        {"10.0.0.0/8", "[::ffff:a00:1]", true},
        {"10.0.0.0/8", "[::ffff:11.0.0.1]", false},
        {"169.254.169.254", "[::ffff:169.254.169.254]", true},
        {"169.254.*.*", "[::ffff:a9fe:a9fe]", true},
        {"private", "[::ffff:192.168.0.1]", true},
        {"private", "[::ffff:169.254.169.254]", false},
        {"0.0.0.0/0", "[::ffff:8.8.8.8]", true},
        {"::/0", "[::ffff:8.8.8.8]", false},
        {"::/0", "8.8.8.8", false},
        {"::ffff:10.0.0.0/104", "10.200.0.1", true},
        {"::ffff:10.0.0.0/104", "11.0.0.1", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
        /* Compatible, translated, and in tunnels. */
        {"10.0.0.0/8", "[::10.0.0.1]", true},
        {"10.0.0.0/8", "[64:ff9b::10.0.0.1]", true},
        {"10.0.0.0/8", "[64:ff9b:1::a00:1]", true},
        {"10.0.0.0/8", "[64:ff9c::10.0.0.1]", false},
        {"10.0.0.0/8", "[2002:a00:1::5]", true},
        {"10.0.0.0/8", "[2003:a00:1::5]", false},
        {"10.0.0.0/8", "[2001:0:1:2:3:4:f5ff:fffe]", true},
        {"64:ff9b::/96", "[64:ff9b::10.0.0.1]", true},
    };
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
}

/* To connect to 0.0.0.0 or :: is to connect to this machine. */
static void test_unspecified_addresses_are_this_machine(void **state)
{
    static const struct row rows[] = {
        {"127.0.0.0/8", "0.0.0.0", true},
        {"127.0.0.1", "0.0.0.0", true},
        {"127.0.0.*", "0.0.0.0", true},
        {"127.0.0.2", "0.0.0.0", false},
        {"0.0.0.0", "0.0.0.0", true},
        {"0.0.0.0", "127.0.0.1", false},
        {"0.0.0.0/8", "0.0.0.0", true},
        {"127.0.0.0/8", "[::ffff:0.0.0.0]", true},
        {"::1", "[::]", true},
        {"::", "[::]", true},
        {"::", "[::1]", false},
        {"127.0.0.0/8", "[::]", false},
        {"private", "0.0.0.0", true},
        {"private", "[::]", true},
        {"private", "[::ffff:0.0.0.0]", true},
    };
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
}

static void test_private(void **state)
{
    static const char *const inside[] = {
        "10.0.0.0",        "10.255.255.255", "172.16.0.1",    "172.31.255.255",  "192.168.0.1",
        "192.168.255.255", "100.64.0.1",     "100.127.255.1", "127.0.0.1",       "127.255.0.1",
        "[::1]",           "[fc00::1]",      "[fdff::1]",     "100.100.100.201", "100.100.101.200",
        "[fd00:ec3::254]", "[fd20:ce::253]",
    };
    static const char *const outside[] = {
        "9.255.255.255",   "11.0.0.0",        "172.15.255.255",  "172.32.0.0",
        "192.167.1.1",     "192.169.0.0",     "100.63.255.255",  "100.128.0.0",
        "126.0.0.1",       "128.0.0.0",       "8.8.8.8",         "169.254.0.1",
        "169.254.169.254", "[fe80::1]",       "[fe80::1%lo]",    "[2001:db8::1]",
        "[fbff::1]",       "[fe00::1]",       "[fd00:ec2::254]", "[fd00:ec2::23]",
        "[fd20:ce::254]",  "100.100.100.200", "[::2]",           "[::ffff:100.100.100.200]",
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(inside); n++)
        check_addresses(&(struct row){"private", inside[n], true}, 1);
    for (size_t n = 0; n < ARRAY_LEN(outside); n++)
        check_addresses(&(struct row){"private", outside[n], false}, 1);
}

static void test_words(void **state)
{
    static const struct row rows[] = {
        {"loopback", "127.0.0.1", true},         {"loopback", "[::1]", true},
        {"loopback", "10.0.0.1", false},         {"loopback", "0.0.0.0", true},
        {"link-local", "169.254.1.1", true},     {"link-local", "[fe80::1%lo]", true},
        {"link-local", "169.254.169.254", true}, {"link-local", "10.0.0.1", false},
        {"metadata", "169.254.169.254", true},   {"metadata", "[fd00:ec2::254]", true},
        {"metadata", "168.63.129.16", true},     {"metadata", "169.254.1.1", false},
        {"loopback:11211", "127.0.0.1", true},   {"loopback:22", "127.0.0.1", false},
    };
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
}

static const char *doubt(const char *rule, const char *other)
{
    struct policy_rule rules[2];
    assert_null(policy_rule_parse(&rules[0], slice_of(rule)));
    assert_null(policy_rule_parse(&rules[1], slice_of(other)));
    return policy_rule_doubt(&rules[0], rules, 2);
}

static void test_rules_that_may_not_do_what_is_meant(void **state)
{
    (void) state;
    assert_non_null(doubt("linklocal", "any"));
    assert_non_null(doubt("localhost", "any"));
    assert_null(doubt("link-local", "any"));
    assert_null(doubt("db.example.com", "any"));
    assert_null(doubt("secret-*", "any"));
    assert_non_null(doubt("127.0.0.0/8", "any"));
    assert_null(doubt("127.0.0.0/8", "::1"));
    assert_non_null(doubt("::1", "10.0.0.0/8"));
    assert_non_null(doubt("0.0.0.0/0", "any"));
    assert_null(doubt("0.0.0.0/0", "::/0"));
    assert_non_null(doubt("fe80::/10", "::/0"));
    assert_null(doubt("10.0.0.0/8", "any"));
}

static void test_any(void **state)
{
    static const struct row rows[] = {{"any", "8.8.8.8", true},
                                      {"any", "[::1]", true},
                                      {"*", "10.0.0.1", true},
                                      {"any", "169.254.169.254", true}};
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
    assert_int_equal(match("any", "name"), POLICY_MATCH);
    assert_int_equal(match("any", "unix:/run/x"), POLICY_NO_MATCH);
    assert_int_equal(match("*", "unix:/run/x"), POLICY_NO_MATCH);
}

static void test_patterns_on_addresses(void **state)
{
    static const struct row rows[] = {
        {"10.0.*.7", "10.0.3.7", true},   {"10.0.*.7", "10.0.3.8", false}, {"10.0.*.7", "110.0.3.7", false},
        {"10.*", "10.1.2.3", true},       {"10.*", "100.1.2.3", false},    {"10.0.0.?", "10.0.0.7", true},
        {"10.0.0.?", "10.0.0.77", false}, {"10.*", "[::1]", false},        {"*.*", "8.8.8.8", true},
    };
    (void) state;
    check_addresses(rows, ARRAY_LEN(rows));
    /* A name may look like one: what it is resolved to counts. */
    assert_int_equal(match("10.*", "10.example.com"), POLICY_MATCH_LATER);
    assert_int_equal(match_resolved("10.*", "10.example.com", "8.8.8.8"), POLICY_NO_MATCH);
}

static void test_names(void **state)
{
    static const struct row rows[] = {
        {"cache-1", "cache-1", true},
        {"cache-1", "cache-11", false},
        {"cache-1", "cache-1.example.com", false},
        {"CACHE-1", "cache-1", true},
        {"cache-1", "CACHE-1", true},
        {"cache-1", "cache-1.", true},
        {"cache-1.", "cache-1", true},
        {"cache-1.", "cache-1.", true},
        {"cache-*", "cache-", false},
        {"cache-*", "cache-1.evil.com", true},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "a.b.example.com.", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", "a.example.com.evil.org", false},
        {"*a*b*a", "aaba", true},
        {"*a*b*a", "aabb", false},
        {"cache-??.x", "cache-12.x", true},
        {"cache-??.x", "cache-1.x", false},
        {"a**b", "ab", true},
        {"localhost", "127.0.0.1", false},
        {"*a*", "10.0.0.1", false},
        {"*a*", "[fe80::a]", false},
        {"*a*", "unix:/run/a", false},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct address ignored;
        if (address_parse(&ignored, slice_of(rows[n].address), 1)) {
            assert_false(rows[n].matches);
            continue;
        }
        if (match(rows[n].rule, rows[n].address) != (rows[n].matches ? POLICY_MATCH : POLICY_NO_MATCH))
            fail_msg("%s: %s", rows[n].rule, rows[n].address);
    }
    /* By its name whatever it is resolved to. */
    assert_int_equal(match_resolved("cache-*", "cache-1", "8.8.8.8"), POLICY_MATCH);
    assert_int_equal(match_resolved("cache-*", "other", "8.8.8.8"), POLICY_NO_MATCH);
}

/* The answer to hostile patterns and names comes in time that is no product of all their stars. */
static void test_many_stars(void **state)
{
    char rule[ADDRESS_HOST_MAX + 1], name[ADDRESS_HOST_MAX + 1];
    (void) state;
    for (size_t n = 0; n < sizeof(rule) - 3; n += 2) memcpy(rule + n, "a*", 3);
    memcpy(rule + strlen(rule) - 2, "ab", 3);
    for (size_t n = 0; n < sizeof(name) - 1; n++) name[n] = n % 60 == 59 ? '.' : 'a';
    name[ADDRESS_HOST_MAX] = '\0';
    assert_int_equal(match(rule, name), POLICY_NO_MATCH);
}

static void test_ports(void **state)
{
    static const struct row rows[] = {
        {"any:11211", "8.8.8.8", true},
        {"any:11211", "8.8.8.8:11212", false},
        {"*:11212", "8.8.8.8:11212", true},
        {"private:11211", "10.0.0.1:11211", true},
        {"private:11211", "10.0.0.1:22", false},
        {"10.0.0.1:11211", "10.0.0.1:11211", true},
        {"10.0.0.1:11211", "10.0.0.1:80", false},
        {"10.0.0.0/8:11211", "10.0.0.1", true},
        {"10.0.0.0/8:11211", "10.0.0.1:80", false},
        {"10.*:80", "10.0.0.1:80", true},
        {"10.*:80", "10.0.0.1", false},
        {"[::1]:11211", "[::1]", true},
        {"[::1]:11211", "[::1]:80", false},
        {"[fd00::/8]:11211", "[fd00::1]", true},
        {"[fd00::/8]:*", "[fd00::1]:5", true},
        {"10.0.0.1:*", "10.0.0.1:5", true},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        if (match(rows[n].rule, rows[n].address) != (rows[n].matches ? POLICY_MATCH : POLICY_NO_MATCH))
            fail_msg("%s: %s", rows[n].rule, rows[n].address);
    }
    assert_int_equal(match("cache-*:11211", "cache-1"), POLICY_MATCH);
    assert_int_equal(match("cache-*:11211", "cache-1:80"), POLICY_NO_MATCH);
    /* The wrong port needs no look-up. */
    assert_int_equal(match("private:11211", "cache-1:80"), POLICY_NO_MATCH);
}

static void test_names_have_to_be_resolved_for_rules_on_addresses(void **state)
{
    static const char *const rules[] = {"private",  "10.0.0.0/8", "10.0.0.1",
                                        "fd00::/8", "10.*",       "private:11211"};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rules); n++) {
        assert_int_equal(match(rules[n], "cache-1"), POLICY_MATCH_LATER);
        assert_int_equal(match(rules[n], "unix:/run/x"), POLICY_NO_MATCH);
    }
}

static void test_paths(void **state)
{
    static const struct row rows[] = {
        {"unix:/run/memcached.sock", "/run/memcached.sock", true},
        {"unix:/run/memcached.sock", "unix:/run/memcached.sock", true},
        {"unix:/run/memcached.sock", "/run/memcached.sock2", false},
        {"unix:/run/memcached.sock", "/RUN/memcached.sock", false},
        {"unix:/run/*", "/run/m.sock", true},
        {"unix:/run/*", "/run/a/m.sock", false},
        {"unix:/run/*/m.sock", "/run/a/m.sock", true},
        {"unix:/run/*/m.sock", "/run/a/b/m.sock", false},
        {"unix:/run?m.sock", "/run/m.sock", false},
        {"unix:/run/m?", "/run/m1", true},
        {"unix:/Run/M*", "/Run/M1", true},
        {"unix:/*", "/x", true},
        {"unix:/*x", "/a/x", false},
        {"unix:/run/m:1", "/run/m:1", true},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        if (match(rows[n].rule, rows[n].address) != (rows[n].matches ? POLICY_MATCH : POLICY_NO_MATCH))
            fail_msg("%s: %s", rows[n].rule, rows[n].address);
    }
    assert_int_equal(match("unix:/run/*", "run"), POLICY_NO_MATCH);
}

static void test_refused_rules(void **state)
{
    static const struct {
        const char *rule, *expected;
    } rows[] = {
        {"", "any, private"},
        {":11211", "any, private"},
        {"a b", "a rule without blanks"},
        {"a\n", "a rule without blanks"},
        {"unix:/\xff", "a rule without blanks"},
        {"unix:", "an absolute path"},
        {"unix:run", "an absolute path"},
        {"/run/x", "a network such as"},
        {"host:", "a port from 1"},
        {"host:0", "a port from 1"},
        {"host:65536", "a port from 1"},
        {"host:1*", "a port from 1"},
        {"10.0.0.0/33", "a network such as"},
        {"10.0.0.0/", "a network such as"},
        {"10.0.0.0/-1", "a network such as"},
        {"10.0.0/8", "a network such as"},
        {"10.0.0.256", "a network such as"},
        {"10", "a network such as"},
        {"name/8", "a network such as"},
        {"10.*/8", "a network such as"},
        {"fd00::/129", "an IPv6 network"},
        {"fd00::g", "an IPv6 network"},
        {"fe80::1%lo", "an IPv6 network"},
        {"[fd00::/8", "an IPv6 network"},
        {"[fd00::/8]x", "an IPv6 network"},
        {"[10.0.0.1]", "an IPv6 network"},
        {"[]", "an IPv6 network"},
        {"[::1]:0", "a port from 1"},
        {"h[ab]", "a host of letters"},
        {"http://x", "a port from 1"},
        {"caf\xc3\xa9", "a host of letters"},
        {"!x", "a host of letters"},
    };
    char longest[ADDRESS_HOST_MAX + 2];
    struct policy_rule rule;
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        const char *expected = policy_rule_parse(&rule, slice_of(rows[n].rule));
        if (!expected) fail_msg("%s is taken", rows[n].rule);
        if (!slice_starts(slice_of(expected), rows[n].expected)) fail_msg("%s: %s", rows[n].rule, expected);
    }
    assert_non_null(policy_rule_parse(&rule, (struct slice){"a\0b", 3}));
    memset(longest, 'a', sizeof(longest));
    assert_null(policy_rule_parse(&rule, (struct slice){longest, ADDRESS_HOST_MAX}));
    assert_non_null(policy_rule_parse(&rule, (struct slice){longest, ADDRESS_HOST_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_mapped_addresses_are_ipv4),
        cmocka_unit_test(test_unspecified_addresses_are_this_machine),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_rules_that_may_not_do_what_is_meant),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_patterns_on_addresses),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_many_stars),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_names_have_to_be_resolved_for_rules_on_addresses),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_refused_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
