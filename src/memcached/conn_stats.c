#include "memcached/conn_stats.h"

#include "base/container.h"
#include "base/number.h"

#include <assert.h>

const double conn_stats_idle_bounds[CONN_STATS_IDLE_BOUNDS] = {1, 5, 15, 60, 300, 900, 3600, 14400, 86400};

const char *connection_queue_name(enum connection_queue queue)
{
    static const char *const names[QUEUE_COUNT] = {
        [QUEUE_EXTSTORE] = "extstore", [QUEUE_PROXY] = "proxy", [QUEUE_UNKNOWN] = "unknown"};
    assert(queue < QUEUE_COUNT);
    return names[queue];
}

void conn_stats_init(struct conn_stats *connections)
{
    *connections = (struct conn_stats){0};
}

static void count_idle(struct conn_stats *connections, uint64_t seconds)
{
    unsigned n = 0;
    while (n < CONN_STATS_IDLE_BOUNDS && (double) seconds > conn_stats_idle_bounds[n]) n++;
    connections->idle[n]++;
    connections->idle_sum_s += seconds;
}

void conn_stats_finish(struct conn_stats *connections)
{
    const struct connection_lines *current = &connections->current;
    if (current->has_state) connections->counts[current->listener][current->state]++;
    if (current->udp) connections->udp_sockets++;
    if (current->has_idle && !current->udp && !current->listening) count_idle(connections, current->idle_s);
    connections->current = (struct connection_lines){0};
}

/* Makes the connection `number` the current one. */
static void turn_to(struct conn_stats *connections, uint64_t number)
{
    if (connections->current.any && connections->current.number == number) return;
    conn_stats_finish(connections);
    connections->current = (struct connection_lines){
        .any = true, .number = number, .listener = name_set_place(&connections->listeners, SLICE(""))};
}

/* Returns the sum that the value of the key `what` is added to, or NULL. */
static uint64_t *find_sum(struct conn_stats *connections, struct slice what)
{
    if (slice_is(what, "resps_waiting")) return &connections->responses_waiting;
    if (slice_is(what, "queues_waiting")) return &connections->queues_waiting;
    if (!slice_starts(what, "queue_")) return NULL;
    for (enum connection_queue queue = 0; queue < QUEUE_COUNT; queue++) {
        if (slice_is(slice_from(what, strlen("queue_")), connection_queue_name(queue)))
            return &connections->queued[queue];
    }
    return NULL;
}

static void take_number(struct conn_stats *connections, struct slice what, struct slice value,
                        unsigned *wrong)
{
    bool idle = slice_is(what, "secs_since_last_cmd");
    uint64_t *sum = find_sum(connections, what), number;
    if (!idle && !sum) return;
    if (!number_parse_u64(value, &number)) {
        ++*wrong;
    } else if (idle) {
        if (!connections->current.has_idle) connections->current.idle_s = number;
        connections->current.has_idle = true;
    } else {
        *sum += number;
    }
}

void conn_stats_add(struct conn_stats *connections, struct slice key, struct slice value, unsigned *wrong)
{
    struct connection_lines *current = &connections->current;
    struct slice what = key;
    uint64_t number;
    if (!number_parse_u64(slice_cut(&what, ':'), &number) || !what.data) return;
    turn_to(connections, number);
    if (slice_is(what, "state")) {
        if (current->has_state) return;
        current->has_state = true;
        current->state = name_set_place(&connections->states, value);
        current->listening = slice_is(value, "conn_listening");
    } else if (slice_is(what, "listen_addr")) {
        current->listener = name_set_place(&connections->listeners, value);
    } else if (slice_is(what, "UDP")) {
        current->udp = true;
    } else if (slice_is(what, "addr")) {
        /* Servers before 1.5.13 mark UDP sockets only by their address. */
        current->udp |= slice_starts(value, "udp");
    } else {
        take_number(connections, what, value, wrong);
    }
}
