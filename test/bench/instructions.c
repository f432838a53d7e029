/*
 * The work that callgrind counts: the work of a poll, repeated, without sockets.
 *
 *     instructions parse CAPTURE TIMES                 parses four replies into a finished snapshot
 *     instructions parse-shuffled CAPTURE TIMES        the same, with the lines of each reply in random order
 *     instructions encode PORT TARGETS TIMES           encodes the snapshots of TARGETS targets as text
 *     instructions encode-protobuf PORT TARGETS TIMES  the same, as protobuf
 *     instructions made-with                           prints the compiler and libc versions
 *
 * The difference between two runs with different TIMES gives the instructions of one repetition, without the
 * work that is done once. The snapshots to encode come from a simulated fleet (fleet.c) on PORT, through a
 * fan-out over loopback.
 */
#include "bench.h"

#include "collectors/fleet.h"
#include "memcached/fan_out.h"
#include "memcached/session.h"
#include "targets/target_list.h"

#include <gnu/libc-version.h>
#include <uv.h>

#define COMMANDS   ((1u << BENCH_COMMANDS) - 1)
#define MAX_REPLY  (4 << 20)
#define PIECE      (64 * 1024)
#define TIMEOUT_MS 10000
#define MAX_LINES  4096
#define ORDERS     10

/* --- Parsing --- */

static void parse(struct slice replies)
{
    struct session session;
    char request[PROTOCOL_REQUESTS_MAX];
    struct snapshot *snapshot = snapshot_new(COMMANDS, MAX_REPLY, 0);
    if (!snapshot) die("no memory");
    session_init(&session, &protocol_text, snapshot, COMMANDS);
    session_ask(&session, request);
    if (session_take(&session, &replies) != SESSION_PAUSES) die("the capture is not whole");
    snapshot_judge(snapshot, TARGET_PROTOCOL_ERROR, "");
    snapshot_drop_unanswered(snapshot);
    snapshot_finish(snapshot);
    snapshot_release(snapshot);
}

static void parse_times(const char *prefix, size_t times)
{
    struct capture capture = read_capture(prefix);
    for (size_t n = 0; n < times; n++) parse((struct slice){capture.bytes, capture.ends[BENCH_COMMANDS]});
    free(capture.bytes);
}

/* Writes the lines of a reply in random order, with END last. Returns the end of the written text. */
static char *shuffle_reply(char *at, struct slice reply)
{
    static struct slice lines[MAX_LINES];
    size_t count = 0;
    while (reply.len > strlen("END\r\n")) {
        struct slice rest = reply;
        slice_cut(&rest, '\n');
        lines[count++] = (struct slice){reply.data, reply.len - rest.len};
        reply = rest;
        if (count == MAX_LINES) die("a reply with more lines than expected");
    }
    for (; count; count--) {
        size_t n = (size_t) random() % count;
        at = slice_put(at, lines[n]);
        lines[n] = lines[count - 1];
    }
    return slice_put(at, reply);
}

/*
 * Parses the replies in ten random orders in turn. So the order of lines differs from the previous poll, and
 * guesses based on it fail.
 */
static void parse_shuffled_times(const char *prefix, size_t times)
{
    struct capture capture = read_capture(prefix);
    size_t len = capture.ends[BENCH_COMMANDS];
    char *orders[ORDERS];
    for (size_t order = 0; order < ORDERS; order++) {
        char *at = orders[order] = malloc(len);
        if (!at) die("no memory");
        for (size_t n = 0; n < BENCH_COMMANDS; n++) {
            size_t start = capture.ends[n];
            at = shuffle_reply(at, (struct slice){capture.bytes + start, capture.ends[n + 1] - start});
        }
    }
    for (size_t n = 0; n < times; n++) parse((struct slice){orders[n % ORDERS], len});
    for (size_t order = 0; order < ORDERS; order++) free(orders[order]);
    free(capture.bytes);
}

/* --- Encoding --- */

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void encode(const struct fan_out *fan_out, enum format format)
{
    struct fleet_walk walk;
    struct exposition exposition;
    struct buffer piece;
    bool more = true;
    if (fleet_walk_init(&walk, fan_out, COMMANDS, true) < 0) die("no memory");
    buffer_init(&piece, 16 * PIECE);
    exposition_init(&exposition, format, SLICE(""));
    exposition_add(&exposition, &walk.walk);
    while (more) {
        buffer_clear(&piece);
        more = exposition_fill(&exposition, &piece, PIECE);
    }
    exposition_deinit(&exposition);
    fleet_walk_deinit(&walk);
    buffer_deinit(&piece);
}

static void add_targets(struct target_list *list, struct fleet *fleet, const char *port, size_t count)
{
    struct profile *profile = profile_new(COMMANDS_ALL, UINT64_MAX, NULL);
    if (!profile) die("no memory");
    for (size_t n = 0; n < count; n++) {
        struct address address;
        char name[64];
        snprintf(name, sizeof(name), "127.1.%zu.%zu:%s", n / 250, n % 250 + 1, port);
        if (address_parse(&address, slice_of(name), MEMCACHED_PORT) ||
            target_list_add(list, fleet, &address, profile, "instance", slice_of(name)) < 0)
            die("%s: no target", name);
    }
    profile_release(profile);
}

static void encode_times(enum format format, const char *port, size_t count, size_t times)
{
    uv_loop_t loop;
    struct fleet *fleet;
    struct fan_out *fan_out;
    struct target_list targets = {0};
    struct fleet_config config = {.max_connecting = 64, .max_reply = MAX_REPLY, .max_unused = 1};
    bool done = false;
    uv_loop_init(&loop);
    if (fleet_new(&fleet, &loop, &config) < 0) die("no fleet");
    add_targets(&targets, fleet, port, count);
    if (fan_out_start(&fan_out, fleet, targets.items, count, COMMANDS, TIMEOUT_MS, set_true, &done) < 0)
        die("no round");
    while (!done) uv_run(&loop, UV_RUN_ONCE);
    for (size_t n = 0; n < count; n++)
        if (fan_out_snapshot(fan_out, n)->state != TARGET_UP) die("%s", fan_out_snapshot(fan_out, n)->error);
    for (size_t n = 0; n < times; n++) encode(fan_out, format);

    fan_out_free(fan_out);
    target_list_clear(&targets);
    fleet_close(fleet, set_true, &done);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "parse") == 0)
        parse_times(argv[2], strtoul(argv[3], NULL, 10));
    else if (argc == 4 && strcmp(argv[1], "parse-shuffled") == 0)
        parse_shuffled_times(argv[2], strtoul(argv[3], NULL, 10));
    else if (argc == 5 && strcmp(argv[1], "encode") == 0)
        encode_times(FORMAT_TEXT, argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    else if (argc == 5 && strcmp(argv[1], "encode-protobuf") == 0)
        encode_times(FORMAT_PROTOBUF, argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    else if (argc == 2 && strcmp(argv[1], "made-with") == 0)
        printf("compiler %s, libc %s\n", __VERSION__, gnu_get_libc_version());
    else
        die("usage: instructions parse|parse-shuffled CAPTURE TIMES | encode|encode-protobuf PORT TARGETS "
            "TIMES | made-with");
    return 0;
}
