/*
 * Whole expositions of recorded servers, in every format, are the same bytes as ever. The file of digests has
 * a line for each: the fleet, the format, the length, and a hash. A digest that differs on purpose is renewed
 * by hand from what the failing test prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "collectors/fleet.h"
#include "data.h"
#include "fake_server.h"
#include "loop.h"
#include "targets/target_list.h"

#include <inttypes.h>

#define DIGESTS   "golden/fleet.txt"
#define REPLY_MAX (1 << 20)

/* Recorded servers, and which of the commands that may do harm are sent to them. */
static const struct {
    const char *name;
    bool counts_sizes, has_storage;
} recorded[] = {
    {"v1.4.5", false, false}, {"v1.4.15", false, false}, {"v1.4.22", false, false}, {"v1.4.25", false, false},
    {"v1.4.33", true, false}, {"v1.4.39", true, false},  {"v1.5.22", true, false},  {"v1.6.0", true, false},
    {"v1.6.24", true, false}, {"v1.6.33", true, false},  {"d18", true, false},      {"d18x", true, true},
    {"v45x", true, true},     {"prox24", true, false},   {"prox33", true, false},
};

#define SERVERS ARRAY_LEN(recorded)

static const char *const format_names[FORMAT_COUNT] = {"text", "openmetrics", "protobuf"};

/* Each recorded server on a port of its own. */
struct world {
    uv_loop_t loop;
    struct fake_server servers[SERVERS];
    struct buffer first[SERVERS], second[SERVERS]; /* replies to the two batches of requests */
    struct fleet *fleet;
    struct target_list targets;
    struct slice digests;
    unsigned wrong;
};

/* --- Servers --- */

static void append_reply(struct buffer *replies, const char *server, const char *command)
{
    char name[128], path[512];
    snprintf(name, sizeof(name), "samples/%s-%s.txt", server, command);
    snprintf(path, sizeof(path), "%s/%s", getenv("TEST_DATA"), name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        buffer_append_string(replies, "ERROR\r\n");
        return;
    }
    fclose(file);
    struct slice reply = data_read(name);
    buffer_append_slice(replies, reply);
    free((char *) reply.data);
}

static void make_replies(struct world *world, size_t n)
{
    static const char *const harmless[] = {"stats",       "stats-settings",   "stats-items",
                                           "stats-slabs", "stats-conns",      "stats-detail-dump",
                                           "stats-proxy", "stats-proxyfuncs", "stats-proxybe"};
    const char *name = recorded[n].name;
    buffer_init(&world->first[n], REPLY_MAX);
    buffer_init(&world->second[n], REPLY_MAX);
    for (size_t command = 0; command < ARRAY_LEN(harmless); command++)
        append_reply(&world->first[n], name, harmless[command]);
    if (recorded[n].counts_sizes) append_reply(&world->second[n], name, "stats-sizes");
    if (recorded[n].has_storage) append_reply(&world->second[n], name, "stats-extstore");
    buffer_append_char(&world->second[n], '\0');
    assert_false(world->first[n].failed || world->second[n].failed);
}

static void start_server(struct world *world, size_t n, struct profile *profile)
{
    struct address address;
    char text[64];
    make_replies(world, n);
    fake_server_start(&world->servers[n], &world->loop);
    world->servers[n].reply = world->first[n].data;
    world->servers[n].reply_len = world->first[n].len;
    world->servers[n].second_reply = world->second[n].data;
    snprintf(text, sizeof(text), "127.0.0.1:%d", world->servers[n].port);
    assert_null(address_parse(&address, slice_of(text), MEMCACHED_PORT));
    assert_int_equal(target_list_add(&world->targets, world->fleet, &address, profile, "instance",
                                     slice_of(recorded[n].name)),
                     0);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fleet_config config = {.max_connecting = SERVERS, .max_reply = REPLY_MAX, .max_prefixes = 600};
    struct profile *profile = profile_new(COMMANDS_ALL, UINT64_MAX, NULL);
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    for (size_t n = 0; n < SERVERS; n++) start_server(world, n, profile);
    profile_release(profile);
    assert_int_equal(world->targets.count, SERVERS);
    world->digests = data_read(DIGESTS);
    *state = world;
    return 0;
}

static void set_true(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    bool closed = false;
    target_list_clear(&world->targets);
    fleet_close(world->fleet, set_true, &closed);
    for (size_t n = 0; n < SERVERS; n++) {
        fake_server_stop(&world->servers[n]);
        buffer_deinit(&world->first[n]);
        buffer_deinit(&world->second[n]);
    }
    loop_run_until(&world->loop, &closed);
    loop_close(&world->loop);
    free((char *) world->digests.data);
    free(world);
    return 0;
}

/* --- Digests --- */

/* FNV-1a of 64 bits. */
static uint64_t hash_of(struct slice bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t n = 0; n < bytes.len; n++)
        hash = (hash ^ (unsigned char) bytes.data[n]) * UINT64_C(1099511628211);
    return hash;
}

static void expect_digest(struct world *world, const char *fleet, enum format format, struct slice bytes)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%s %s %zu %016" PRIx64 "\n", fleet, format_names[format],
                       bytes.len, hash_of(bytes));
    if (memmem(world->digests.data, world->digests.len, line, (size_t) len)) return;
    print_message("another digest: %s", line);
    world->wrong++;
}

/* --- Expositions --- */

/* Returns a finished fan-out over `count` of the targets. The time that a poll took becomes 0. */
static struct fan_out *poll_targets(struct world *world, size_t first, size_t count)
{
    struct fan_out *fan_out;
    bool done = false;
    assert_int_equal(fan_out_start(&fan_out, world->fleet, world->targets.items + first, count, COMMANDS_ALL,
                                   60000, set_true, &done),
                     0);
    loop_run_until(&world->loop, &done);
    for (size_t n = 0; n < count; n++) {
        struct snapshot *snapshot = (struct snapshot *) (uintptr_t) fan_out_snapshot(fan_out, n);
        assert_int_equal(snapshot->state, TARGET_UP);
        snapshot->duration_ns = 0;
        snapshot->reused = false;
    }
    return fan_out;
}

static struct buffer encode(const struct fan_out *fan_out, enum format format, bool with_labels)
{
    struct fleet_walk fleet;
    struct exposition exposition;
    struct buffer out;
    assert_int_equal(fleet_walk_init(&fleet, fan_out, COMMANDS_ALL, with_labels), 0);
    exposition_init(&exposition, format, SLICE(""));
    exposition_add(&exposition, &fleet.walk);
    buffer_init(&out, 16 << 20);
    while (exposition_fill(&exposition, &out, out.len + 1)) assert_false(out.failed);
    assert_false(out.failed);
    exposition_deinit(&exposition);
    fleet_walk_deinit(&fleet);
    return out;
}

static void expect_expositions(struct world *world, const char *name, size_t first, size_t count)
{
    struct fan_out *fan_out = poll_targets(world, first, count);
    for (enum format format = 0; format < FORMAT_COUNT; format++) {
        struct buffer out = encode(fan_out, format, count > 1);
        expect_digest(world, name, format, buffer_slice(&out));
        buffer_deinit(&out);
    }
    fan_out_free(fan_out);
}

static void test_each_server(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) expect_expositions(world, recorded[n].name, n, 1);
    assert_int_equal(world->wrong, 0);
}

/* Twice: the second poll finds everything that is remembered of the first. */
static void test_all_servers_together(void **state)
{
    struct world *world = *state;
    for (size_t round = 0; round < 2; round++) expect_expositions(world, "all", 0, SERVERS);
    assert_int_equal(world->wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_servers_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
