#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES "a.cache|10.0.0.1|11211 b.cache||11212 |2001:db8::1|11213"

static struct buffer error;

static int set_up(void **state)
{
    (void) state;
    buffer_init(&error, 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    buffer_deinit(&error);
    return 0;
}

/* A whole reply, from its payload. */
static const char *reply_of(const char *payload)
{
    static char reply[2048];
    snprintf(reply, sizeof(reply), "CONFIG cluster 0 %zu\r\n%s\r\nEND\r\n", strlen(payload), payload);
    return reply;
}

static enum cluster_outcome read_text(struct cluster *cluster, const char *text)
{
    buffer_clear(&error);
    return cluster_read(cluster, slice_of(text), &error);
}

static void check_node(struct slice *nodes, const char *host, const char *ip, uint16_t port)
{
    struct cluster_node node;
    assert_true(cluster_next(nodes, &node));
    assert_true(slice_is(node.host, host));
    assert_true(slice_is(node.ip, ip));
    assert_int_equal(node.port, port);
}

static void check_nodes(const char *reply)
{
    struct cluster cluster;
    struct cluster_node node;
    assert_int_equal(read_text(&cluster, reply), CLUSTER_WHOLE);
    assert_int_equal(cluster.version, 12);
    check_node(&cluster.nodes, "a.cache", "10.0.0.1", 11211);
    check_node(&cluster.nodes, "b.cache", "", 11212);
    check_node(&cluster.nodes, "", "2001:db8::1", 11213);
    assert_false(cluster_next(&cluster.nodes, &node));
}

static void test_nodes(void **state)
{
    (void) state;
    check_nodes(reply_of("12\n" NODES "\n"));
    check_nodes(reply_of("12\r\n" NODES "\r\n"));
    check_nodes(reply_of("12\n" NODES));
    check_nodes(reply_of("12\n " NODES "  \n\n"));
    check_nodes("VALUE AmazonElastiCache:cluster 0 60\r\n12\n" NODES "\n\r\nEND\r\n");
}

/* Where the length takes in the empty line, or lines end with LF alone. */
static void test_other_ends(void **state)
{
    (void) state;
    check_nodes("CONFIG cluster 0 62\r\n12\n" NODES "\n\r\nEND\r\n");
    check_nodes("CONFIG cluster 0 60\n12\n" NODES "\n\nEND\n");
}

static void test_no_nodes(void **state)
{
    struct cluster cluster;
    struct cluster_node node;
    (void) state;
    assert_int_equal(read_text(&cluster, reply_of("7\n\n")), CLUSTER_WHOLE);
    assert_int_equal(cluster.version, 7);
    assert_false(cluster_next(&cluster.nodes, &node));
}

static void test_split_anywhere(void **state)
{
    const char *reply = reply_of("12\n" NODES "\n");
    struct cluster cluster;
    (void) state;
    for (size_t len = 0; len < strlen(reply); len++) {
        char *part = malloc(len ? len : 1);
        memcpy(part, reply, len);
        assert_int_equal(cluster_read(&cluster, (struct slice){part, len}, &error), CLUSTER_PART);
        free(part);
    }
    assert_int_equal(error.len, 0);
}

static void test_unknown_command(void **state)
{
    struct cluster cluster;
    (void) state;
    assert_int_equal(read_text(&cluster, "ERROR\r\n"), CLUSTER_UNKNOWN);
}

static void check_bad(const char *reply, const char *expected)
{
    struct cluster cluster;
    assert_int_equal(read_text(&cluster, reply), CLUSTER_BAD);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, expected);
}

#define NO_HEAD "expected a configuration endpoint's \"CONFIG cluster 0 LENGTH\", found "

static void test_other_servers(void **state)
{
    (void) state;
    check_bad("END\r\n", "the server has no cluster configuration, found \"END\"");
    check_bad("HTTP/1.1 400 Bad Request\r\n", NO_HEAD "\"HTTP/1.1 400 Bad Request\"");
    check_bad("CLIENT_ERROR unauthenticated\r\n", NO_HEAD "\"CLIENT_ERROR unauthenticated\"");
    check_bad("\x16\x03\x01\"\n", NO_HEAD "\"\\u0016\\u0003\\u0001\\\"\"");
    check_bad("\r\n", NO_HEAD "\"\"");
}

static void test_bad_heads(void **state)
{
    (void) state;
    check_bad("CONFIG cluster 0\r\n", NO_HEAD "\"CONFIG cluster 0\"");
    check_bad("CONFIG cluster 0 x\r\n", NO_HEAD "\"CONFIG cluster 0 x\"");
    check_bad("CONFIG cluster 0 -1\r\n", NO_HEAD "\"CONFIG cluster 0 -1\"");
    check_bad("CONFIG other 0 1\r\n", NO_HEAD "\"CONFIG other 0 1\"");
    check_bad("VALUE cluster 0 1\r\n", NO_HEAD "\"VALUE cluster 0 1\"");
    check_bad("CONFIG cluster 0 65537\r\n",
              "expected a configuration of at most 64 KiB, found \"CONFIG cluster 0 65537\"");
}

static void test_a_line_without_end(void **state)
{
    struct cluster cluster;
    char line[513];
    (void) state;
    memset(line, 'x', sizeof(line));
    assert_int_equal(cluster_read(&cluster, (struct slice){line, 512}, &error), CLUSTER_PART);
    assert_int_equal(cluster_read(&cluster, (struct slice){line, 513}, &error), CLUSTER_BAD);
}

static void test_wrong_lengths(void **state)
{
    (void) state;
    check_bad("CONFIG cluster 0 5\r\n1\na|1.2.3.4|5\n\r\nEND\r\n",
              "expected END behind the nodes, found \".2.3.4|5\"");
    check_bad("CONFIG cluster 0 14\r\n1\na|1.2.3.4|5\n\r\nEND\r\nmore",
              "expected END behind the nodes, found \"END\"");
    check_bad("CONFIG cluster 0 14\r\n1\na|1.2.3.4|5\n\r\nENDE",
              "expected END behind the nodes, found \"ENDE\"");
}

static void test_bad_payloads(void **state)
{
    (void) state;
    check_bad(reply_of(""), "expected the version of the configuration, a number, found \"\"");
    check_bad(reply_of("v1\na|1.2.3.4|5\n"),
              "expected the version of the configuration, a number, found \"v1\"");
    check_bad(reply_of("99999999999999999999\n\n"),
              "expected the version of the configuration, a number, found \"99999999999999999999\"");
    check_bad(reply_of("1\na|1.2.3.4|5\nb|1.2.3.5|5\n"), "expected one line of nodes, found \"b|1.2.3.5|5\"");
}

static void check_bad_node(const char *node)
{
    char payload[128], expected[256];
    snprintf(payload, sizeof(payload), "1\nok|1.2.3.4|5 %s\n", node);
    snprintf(expected, sizeof(expected), "expected nodes as host|ip|port, found \"%s\"", node);
    check_bad(reply_of(payload), expected);
}

static void test_bad_nodes(void **state)
{
    (void) state;
    check_bad_node("a");
    check_bad_node("a|1.2.3.4");
    check_bad_node("a|1.2.3.4|");
    check_bad_node("a|1.2.3.4|0");
    check_bad_node("a|1.2.3.4|65536");
    check_bad_node("a|1.2.3.4|76747");
    check_bad_node("a|1.2.3.4|5|6");
    check_bad_node("||5");
    check_bad_node("a:1|1.2.3.4|5");
    check_bad_node("a|1.2.3.4:1|5");
    check_bad_node("/a|1.2.3.4|5");
    check_bad_node("a|1.2.3|5");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nodes),          TEST(test_other_ends),         TEST(test_no_nodes),
        TEST(test_split_anywhere), TEST(test_unknown_command),    TEST(test_other_servers),
        TEST(test_bad_heads),      TEST(test_a_line_without_end), TEST(test_wrong_lengths),
        TEST(test_bad_payloads),   TEST(test_bad_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
