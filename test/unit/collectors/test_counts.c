/*
 * What becomes of counts, from the lines of a server to the lines of an exposition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collectors/counts.h"
#include "data.h"
#include "memcached/reply.h"

#include <stdio.h>

/* The samples of every family of a command, without HELP and TYPE; the caller frees them. */
static char *write_samples(struct snapshot *snapshot, enum command command)
{
    struct encoder encoder;
    struct buffer out, labels;
    snapshot_finish(snapshot);
    buffer_init(&out, 1 << 20);
    buffer_init(&labels, 4096);
    encoder_init(&encoder, FORMAT_TEXT, SLICE(""));
    encoder_set_out(&encoder, &out);
    for (size_t n = 0; n < COUNTS_FAMILIES; n++) {
        struct counts_place place = {&encoder, SLICE("instance=\"i\""), snapshot, &labels};
        size_t part = 0;
        if ((counts_families[n].needs & COLLECTORS_ALL) != COMMAND_BIT(command)) continue;
        encoder_family(&encoder, &counts_families[n].family);
        while (!counts_families[n].write(&place, &part)) assert_true(part > 0);
    }
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    buffer_deinit(&labels);
    snapshot_release(snapshot);

    char *to = out.data;
    for (char *rest = out.data, *line; (line = strsep(&rest, "\n"));) {
        size_t len = strlen(line);
        if (line[0] == '#' || len == 0) continue;
        memmove(to, line, len);
        to += len;
        *to++ = '\n';
    }
    *to = '\0';
    return out.data;
}

/* A snapshot of one reply. */
static struct snapshot *read_reply(enum command command, struct slice reply, size_t max_prefixes)
{
    struct snapshot *snapshot = snapshot_new(COMMAND_BIT(command), 1 << 20, max_prefixes);
    assert_non_null(snapshot);
    for (struct reply_line line; (line = reply_next(&reply, command_info(command)->form)).kind == REPLY_STAT;)
        assert_true(snapshot_add(snapshot, command, line.key, line.value));
    snapshot->answered = COMMAND_BIT(command);
    return snapshot;
}

static void expect(enum command command, struct slice reply, const char *expected)
{
    char *text = write_samples(read_reply(command, reply, 2), command);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_sample(enum command command, const char *name, const char *expected)
{
    struct slice reply = data_read(name);
    expect(command, reply, expected);
    free((char *) reply.data);
}

static void test_connections(void **state)
{
    (void) state;
    expect_sample(COMMAND_CONNS, "samples/udp18-stats-conns.txt",
                  "memcached_connections_by_state{instance=\"i\",listener=\"\",state=\"conn_listening\"} 1\n"
                  "memcached_connections_by_state{instance=\"i\",listener=\"\",state=\"conn_read\"} 4\n"
                  "memcached_connections_by_state{instance=\"i\",listener=\"tcp:127.0.0.1:21205\","
                  "state=\"conn_parse_cmd\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"1.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"5.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"15.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"60.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"300.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"900.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"3600.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"14400.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"86400.0\"} 1\n"
                  "memcached_connection_idle_seconds_bucket{instance=\"i\",le=\"+Inf\"} 1\n"
                  "memcached_udp_sockets{instance=\"i\"} 4\n");
}

static void test_waiting(void **state)
{
    struct snapshot *snapshot =
        read_reply(COMMAND_CONNS,
                   SLICE("STAT 1:resps_waiting 2\r\nSTAT 1:queues_waiting 3\r\nSTAT 1:queue_proxy 4\r\n"), 0);
    (void) state;
    char *text = write_samples(snapshot, COMMAND_CONNS);
    assert_non_null(strstr(text, "\nmemcached_connection_responses_waiting{instance=\"i\"} 2\n"));
    assert_non_null(strstr(text, "\nmemcached_connection_queues_waiting{instance=\"i\"} 3\n"));
    assert_non_null(strstr(text, "\nmemcached_connection_queued{instance=\"i\",queue=\"proxy\"} 4\n"));
    assert_null(strstr(text, "queue=\"extstore\""));
    free(text);
}

static void test_sizes(void **state)
{
    (void) state;
    expect_sample(COMMAND_SIZES, "samples/d18x-stats-sizes.txt",
                  "memcached_item_sizes_enabled{instance=\"i\"} 1\n"
                  "memcached_item_size_bytes_bucket{instance=\"i\",le=\"20064.0\"} 10\n"
                  "memcached_item_size_bytes_bucket{instance=\"i\",le=\"20096.0\"} 406\n"
                  "memcached_item_size_bytes_bucket{instance=\"i\",le=\"+Inf\"} 406\n");
    expect_sample(COMMAND_SIZES, "samples/d18-stats-sizes.txt",
                  "memcached_item_sizes_enabled{instance=\"i\"} 0\n");
    expect(COMMAND_SIZES, SLICE("END\r\n"),
           "memcached_item_sizes_enabled{instance=\"i\"} 1\n"
           "memcached_item_size_bytes_bucket{instance=\"i\",le=\"+Inf\"} 0\n");
}

static void test_ages(void **state)
{
    struct snapshot *snapshot =
        read_reply(COMMAND_ITEMS,
                   SLICE("STAT items:1:age 1\r\nSTAT items:1:age_hot 7\r\nSTAT items:9:age 61\r\n"
                         "STAT items:63:age 2419201\r\nSTAT items:5:number 3\r\n"),
                   0);
    (void) state;
    char *text = write_samples(snapshot, COMMAND_ITEMS);
    assert_non_null(strstr(text, "memcached_slab_tail_age_seconds_bucket{instance=\"i\",le=\"1.0\"} 1\n"));
    assert_non_null(strstr(text, "memcached_slab_tail_age_seconds_bucket{instance=\"i\",le=\"60.0\"} 1\n"));
    assert_non_null(strstr(text, "memcached_slab_tail_age_seconds_bucket{instance=\"i\",le=\"300.0\"} 2\n"));
    assert_non_null(
        strstr(text, "memcached_slab_tail_age_seconds_bucket{instance=\"i\",le=\"2419200.0\"} 2\n"));
    assert_non_null(strstr(text, "memcached_slab_tail_age_seconds_bucket{instance=\"i\",le=\"+Inf\"} 3\n"));
    free(text);
}

static void test_prefixes(void **state)
{
    (void) state;
    expect_sample(COMMAND_DETAIL, "samples/v45x-stats-detail-dump.txt",
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"sess\",command=\"get\"} 0\n"
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"sess\",command=\"set\"} 200\n"
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"sess\",command=\"delete\"} 0\n"
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"user\",command=\"get\"} 300\n"
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"user\",command=\"set\"} 200\n"
                  "memcached_prefix_commands_total{instance=\"i\",prefix=\"user\",command=\"delete\"} 2\n"
                  "memcached_prefix_get_hits_total{instance=\"i\",prefix=\"sess\"} 0\n"
                  "memcached_prefix_get_hits_total{instance=\"i\",prefix=\"user\"} 200\n"
                  "memcached_prefixes_dropped{instance=\"i\"} 0\n");
    expect_sample(COMMAND_DETAIL, "samples/d18x-stats-detail-dump.txt",
                  "memcached_prefixes_dropped{instance=\"i\"} 0\n");
    expect(COMMAND_DETAIL, SLICE("PREFIX  get 1 hit 1 set 0 del 0\r\nEND\r\n"),
           "memcached_prefix_commands_total{instance=\"i\",prefix=\"\",command=\"get\"} 1\n"
           "memcached_prefix_commands_total{instance=\"i\",prefix=\"\",command=\"set\"} 0\n"
           "memcached_prefix_commands_total{instance=\"i\",prefix=\"\",command=\"delete\"} 0\n"
           "memcached_prefix_get_hits_total{instance=\"i\",prefix=\"\"} 1\n"
           "memcached_prefixes_dropped{instance=\"i\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections), cmocka_unit_test(test_waiting),  cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ages),        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
