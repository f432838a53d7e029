#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/conn_stats.h"
#include "memcached/reply.h"

#include <stdio.h>
#include <string.h>

/* Reads lines as a reply; the caller looks at the result. */
static unsigned read_lines(struct conn_stats *connections, const char *text)
{
    struct slice input = slice_of(text);
    unsigned wrong = 0;
    conn_stats_init(connections);
    for (struct reply_line line; (line = reply_next(&input, REPLY_PAIRS)).kind == REPLY_STAT;)
        conn_stats_add(connections, line.key, line.value, &wrong);
    conn_stats_finish(connections);
    return wrong;
}

/* How many connections there are of a listener in a state. */
static unsigned count_of(const struct conn_stats *connections, const char *listener, const char *state)
{
    unsigned count = 0;
    for (unsigned l = 0; l < connections->listeners.count; l++) {
        if (!slice_is(name_set_at(&connections->listeners, l), listener)) continue;
        for (unsigned s = 0; s < connections->states.count; s++) {
            if (slice_is(name_set_at(&connections->states, s), state)) count += connections->counts[l][s];
        }
    }
    return count;
}

static uint64_t total(const struct conn_stats *connections)
{
    uint64_t sum = 0;
    for (unsigned l = 0; l <= NAME_SET_MAX; l++) {
        for (unsigned s = 0; s <= NAME_SET_MAX; s++) sum += connections->counts[l][s];
    }
    return sum;
}

static uint64_t idle_total(const struct conn_stats *connections)
{
    uint64_t sum = 0;
    for (unsigned n = 0; n <= CONN_STATS_IDLE_BOUNDS; n++) sum += connections->idle[n];
    return sum;
}

static void read_sample(struct conn_stats *connections, const char *name)
{
    char text[4096];
    struct slice bytes = data_read(name);
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(bytes));
    free((char *) bytes.data);
    assert_int_equal(read_lines(connections, text), 0);
}

static void test_captures(void **state)
{
    struct conn_stats connections;
    (void) state;
    read_sample(&connections, "samples/udp18-stats-conns.txt");
    assert_int_equal(connections.udp_sockets, 4);
    assert_int_equal(count_of(&connections, "", "conn_read"), 4);
    assert_int_equal(count_of(&connections, "", "conn_listening"), 1);
    assert_int_equal(count_of(&connections, "tcp:127.0.0.1:21205", "conn_parse_cmd"), 1);
    assert_int_equal(total(&connections), 6);
    assert_int_equal(idle_total(&connections), 1);
    assert_int_equal(connections.idle[0], 1);

    read_sample(&connections, "samples/unix18-stats-conns.txt");
    assert_int_equal(count_of(&connections, "unix:/run/mcx/mc.sock", "conn_parse_cmd"), 1);
    assert_int_equal(total(&connections), 2);

    read_sample(&connections, "samples/v1.4.22-stats-conns.txt");
    assert_int_equal(count_of(&connections, "", "conn_parse_cmd"), 1);
    assert_int_equal(count_of(&connections, "", "conn_listening"), 1);

    read_sample(&connections, "samples/v45x-stats-conns.txt");
    assert_int_equal(count_of(&connections, "tcp:127.0.0.1:21146", "conn_parse_cmd"), 1);
    assert_int_equal(total(&connections), 2);
}

static void test_idle_times(void **state)
{
    static const unsigned seconds[] = {0, 1, 2, 5, 6, 86400, 86401};
    static const uint64_t expected[CONN_STATS_IDLE_BOUNDS + 1] = {2, 2, 1, 0, 0, 0, 0, 0, 1, 1};
    struct conn_stats connections;
    char text[1024] = "";
    (void) state;
    for (unsigned n = 0; n < ARRAY_LEN(seconds); n++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len,
                 "STAT %u:state conn_read\r\nSTAT %u:secs_since_last_cmd %u\r\n", n + 1, n + 1, seconds[n]);
    }
    assert_int_equal(read_lines(&connections, text), 0);
    assert_memory_equal(connections.idle, expected, sizeof(expected));
    assert_int_equal(connections.idle_sum_s, 2 * 86400 + 1 + 14);
}

/* Nobody is idle on a listening socket or on one for UDP; the order of the lines does not matter. */
static void test_sockets_are_not_idle(void **state)
{
    struct conn_stats connections;
    (void) state;
    read_lines(&connections, "STAT 1:secs_since_last_cmd 9\r\nSTAT 1:state conn_listening\r\n"
                             "STAT 2:secs_since_last_cmd 9\r\nSTAT 2:state conn_read\r\nSTAT 2:UDP UDP\r\n"
                             "STAT 3:state conn_read\r\nSTAT 3:listen_addr tcp:[::1]:5\r\n"
                             /* Servers before 1.5.13 name neither UDP nor the listener. */
                             "STAT 4:addr udp:127.0.0.1:5\r\nSTAT 4:state conn_read\r\n"
                             "STAT 4:secs_since_last_cmd 9\r\nSTAT 5:addr udp6:[::1]:5\r\n"
                             "STAT 5:state conn_read\r\nSTAT 5:secs_since_last_cmd 9\r\n");
    assert_int_equal(idle_total(&connections), 0);
    assert_int_equal(connections.udp_sockets, 3);
    assert_int_equal(count_of(&connections, "", "conn_listening"), 1);
    assert_int_equal(count_of(&connections, "tcp:[::1]:5", "conn_read"), 1);
    assert_int_equal(total(&connections), 5);
}

static void test_waiting_is_added_up(void **state)
{
    struct conn_stats connections;
    (void) state;
    read_lines(&connections,
               "STAT 1:state conn_io_queue\r\nSTAT 1:resps_waiting 2\r\nSTAT 1:queues_waiting 1\r\n"
               "STAT 1:queue_extstore 3\r\nSTAT 2:resps_waiting 5\r\nSTAT 2:queue_proxy 7\r\n"
               "STAT 2:queue_extstore 4\r\nSTAT 2:queue_unknown 1\r\nSTAT 2:queue_new 9\r\n");
    assert_int_equal(connections.responses_waiting, 7);
    assert_int_equal(connections.queues_waiting, 1);
    assert_int_equal(connections.queued[QUEUE_EXTSTORE], 7);
    assert_int_equal(connections.queued[QUEUE_PROXY], 7);
    assert_int_equal(connections.queued[QUEUE_UNKNOWN], 1);
    assert_int_equal(total(&connections), 1);
}

static void test_strange_lines(void **state)
{
    struct conn_stats connections;
    (void) state;
    assert_int_equal(read_lines(&connections,
                                "STAT x:state conn_read\r\nSTAT state conn_read\r\nSTAT :state y\r\n"
                                "STAT 1:new_thing 7\r\nSTAT 1:addr ?:<AF 0>\r\n"
                                "STAT 99999999999999999999:state conn_read\r\n"),
                     0);
    assert_int_equal(total(&connections), 0);
    assert_int_equal(read_lines(&connections, "STAT 1:secs_since_last_cmd soon\r\nSTAT 1:resps_waiting -1\r\n"
                                              "STAT 1:state \xff\r\nSTAT 2:state \xfe\r\n"),
                     2);
    assert_int_equal(idle_total(&connections), 0);
    assert_int_equal(count_of(&connections, "", "\xef\xbf\xbd"), 2);
}

/* A server may invent states and listeners without end; nothing is lost. */
static void test_many_names(void **state)
{
    struct conn_stats connections;
    unsigned wrong = 0;
    (void) state;
    conn_stats_init(&connections);
    for (unsigned n = 1; n <= 100000; n++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "%u:state", n);
        snprintf(value, sizeof(value), "state%u", n);
        conn_stats_add(&connections, slice_of(key), slice_of(value), &wrong);
        snprintf(key, sizeof(key), "%u:listen_addr", n);
        conn_stats_add(&connections, slice_of(key), slice_of(value), &wrong);
    }
    conn_stats_finish(&connections);
    assert_int_equal(total(&connections), 100000);
    assert_int_equal(connections.states.count, NAME_SET_MAX);
    assert_int_equal(connections.listeners.count, NAME_SET_MAX);
    /* One listener's place is for the unknown one. */
    assert_int_equal(connections.counts[NAME_SET_REST][NAME_SET_REST], 100000 - NAME_SET_MAX);
}

static void test_queue_names(void **state)
{
    (void) state;
    assert_string_equal(connection_queue_name(QUEUE_EXTSTORE), "extstore");
    assert_string_equal(connection_queue_name(QUEUE_PROXY), "proxy");
    assert_string_equal(connection_queue_name(QUEUE_UNKNOWN), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_idle_times),
        cmocka_unit_test(test_sockets_are_not_idle),
        cmocka_unit_test(test_waiting_is_added_up),
        cmocka_unit_test(test_strange_lines),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_queue_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
