/* The targets as Prometheus discovers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "document/document.h"
#include "manager_world.h"
#include "web/sd.h"

static int setup(void **state)
{
    struct manager_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    manager_world_open(world, (const char *const[]){"--memcached.address=", NULL});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    manager_world_close(*state);
    free(*state);
    return 0;
}

static struct sd_request request_of(struct manager_world *world)
{
    return (struct sd_request){
        .target_set = manager_target_set(world->manager),
        .target_label = manager_generation(world->manager)->settings.options.target_label,
        .with_modules = manager_generation(world->manager)->config->file,
    };
}

/* All of it, in pieces of about so many bytes, as a string that the caller frees. */
static char *read_pieces(const struct sd_request *request, size_t want)
{
    struct producer *producer = sd_producer(request);
    struct buffer out;
    bool more = true;
    assert_non_null(producer);
    buffer_init(&out, 1 << 24);
    while (more) {
        size_t before = out.len;
        more = producer->fill(producer, &out, want);
        assert_true(out.len > before);
        assert_true(out.len - before < want + 1000);
    }
    producer->release(producer);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static void expect(const struct sd_request *request, const char *expected)
{
    for (size_t want = 1; want < 5000; want = 3 * want) {
        char *text = read_pieces(request, want);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void test_nothing(void **state)
{
    struct manager_world *world = *state;
    struct sd_request request = request_of(world);
    expect(&request, "[]\n");
    manager_world_set(world, "groups: [{name: a, targets: []}]");
    request = request_of(world);
    expect(&request, "[]\n");
    request.group = SLICE("a");
    expect(&request, "[]\n");
}

static const char two_groups[] =
    "modules: {quick: {timeout: 1s}}\n"
    "groups:\n"
    "  - {name: a, labels: {team: web, tier: '1'}, targets: [h:1, h:2]}\n"
    "  - {name: b, module: quick, targets: [h:1, 'unix:/run/m.sock', '[::1]:3']}\n";

#define GROUP_A                                                                                              \
    "{\"targets\":[\"h:1\",\"h:2\"],\"labels\":{\"team\":\"web\",\"tier\":\"1\",\"__meta_memcached_group\":" \
    "\"a\","                                                                                                 \
    "\"__meta_memcached_module\":\"default\",\"__param_module\":\"default\"}}"
#define GROUP_B                                                                                              \
    "{\"targets\":[\"h:1\",\"unix:/run/m.sock\",\"[::1]:3\"],\"labels\":{\"__meta_memcached_group\":\"b\","  \
    "\"__meta_memcached_module\":\"quick\",\"__param_module\":\"quick\"}}"

static void test_groups(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, two_groups);
    struct sd_request request = request_of(world);
    expect(&request, "[\n" GROUP_A ",\n" GROUP_B "\n]\n");
    request.group = SLICE("a");
    expect(&request, "[\n" GROUP_A "\n]\n");
    request.group = SLICE("b");
    expect(&request, "[\n" GROUP_B "\n]\n");
    request.group = SLICE("c");
    expect(&request, "[]\n");
    assert_true(sd_has_group(request.target_set, SLICE("a")));
    assert_true(sd_has_group(request.target_set, SLICE("b")));
    assert_false(sd_has_group(request.target_set, SLICE("c")));
    assert_false(sd_has_group(request.target_set, SLICE("")));
}

/* The label that names the target is left out, whatever it is called; others may hold anything. */
static void test_labels(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(
        world,
        "target_label: server\n"
        "groups: [{name: \"a\\\"\\n\", labels: {instance: \"x\\\\y\\\"z\\n\\u00e4\"}, targets: [h:1]}]");
    struct sd_request request = request_of(world);
    expect(&request, "[\n{\"targets\":[\"h:1\"],\"labels\":{\"instance\":\"x\\\\y\\\"z\\n\xc3\xa4\","
                     "\"__meta_memcached_group\":\"a\\\"\\n\",\"__meta_memcached_module\":\"default\","
                     "\"__param_module\":\"default\"}}\n]\n");
}

/* Without a file there are no modules to choose from, and no groups. */
static void test_without_a_file(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1]}]");
    struct sd_request request = request_of(world);
    request.with_modules = false;
    expect(&request, "[\n{\"targets\":[\"h:1\"],\"labels\":{\"__meta_memcached_group\":\"a\"}}\n]\n");
    request.target_set->groups[0].name[0] = '\0';
    expect(&request, "[\n{\"targets\":[\"h:1\"],\"labels\":{}}\n]\n");
}

/* What is being read stays whole when another configuration comes into force. */
static void test_reload_meanwhile(void **state)
{
    struct manager_world *world = *state;
    struct buffer out;
    manager_world_set(world, two_groups);
    struct sd_request request = request_of(world);
    struct producer *producer = sd_producer(&request);
    buffer_init(&out, 1 << 16);
    assert_true(producer->fill(producer, &out, 1));
    manager_world_set(world, "groups: []");
    while (producer->fill(producer, &out, 1)) continue;
    producer->release(producer);
    assert_true(slice_is(buffer_slice(&out), "[\n" GROUP_A ",\n" GROUP_B "\n]\n"));
    buffer_deinit(&out);
}

/* Thousands, and one entry for all. */
static void test_many(void **state)
{
    struct manager_world *world = *state;
    struct buffer text;
    struct document document;
    struct buffer error;
    buffer_init(&text, 1 << 20);
    buffer_init(&error, 1 << 12);
    buffer_append_string(&text, "groups: [{name: a, targets: [");
    for (unsigned n = 0; n < 3000; n++) buffer_printf(&text, "%s10.1.%u.%u", n ? "," : "", n / 250, n % 250);
    buffer_append_string(&text, "]}]");
    buffer_append_char(&text, '\0');
    manager_world_set(world, text.data);
    struct sd_request request = request_of(world);
    char *json = read_pieces(&request, 4096);
    assert_int_equal(document_read_json(&document, slice_of(json), &error), 0);
    assert_int_equal(document.root->kind, NODE_SEQUENCE);
    assert_int_equal(document.root->count, 1);
    assert_int_equal(node_get(document.root->first, "targets")->count, 3000);
    document_deinit(&document);
    free(json);
    buffer_deinit(&error);
    buffer_deinit(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),        TEST(test_groups),           TEST(test_labels),
        TEST(test_without_a_file), TEST(test_reload_meanwhile), TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
