/* Probes of kubelets: what they are answered from, and that nobody is asked for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "web_world.h"

#define PROBE "User-Agent: kube-probe/1.31\r\n"

static int setup(void **state)
{
    *state = web_world_open((const char *const[]){WEB_WORLD_STATS_ALONE, NULL});
    return 0;
}

static int teardown(void **state)
{
    struct web_world *world = *state;
    handlers_forget(&world->handlers);
    web_world_close(world);
    return 0;
}

/* Makes the first server the one that is configured. */
static struct fake_server *configure(struct web_world *world)
{
    char text[128];
    snprintf(text, sizeof(text), "groups: [{name: a, targets: ['127.0.0.1:%d']}]",
             web_world_fleet(world)->servers[0].port);
    manager_world_set(&world->manager, text);
    return &web_world_fleet(world)->servers[0];
}

static const char *get(struct web_world *world, const char *headers)
{
    web_world_ask(world, "GET /metrics", headers);
    return web_world_body(web_world_answer(world, "HTTP/1.1 200 OK\r\n"));
}

static void test_without_a_scrape(void **state)
{
    struct web_world *world = *state;
    const struct fake_server *server = configure(world);
    const char *text = get(world, PROBE);
    expect_line(text, "memcached_exporter_kubelet_probes_total 1");
    expect_line(text, "memcached_exporter_scrapes_total{result=\"complete\"} 0");
    assert_int_equal(exposition_count(text, "memcached_up"), 0);
    assert_int_equal(server->requests, 0);
}

/* Once probes come, the next scrape is kept, and answers them while it is young. */
static void test_from_the_last_scrape(void **state)
{
    struct web_world *world = *state;
    struct kubelet *kubelet = &world->handlers.kubelet;
    const struct fake_server *server = configure(world);
    get(world, "");
    assert_null(kubelet->last);
    get(world, PROBE);
    get(world, "");
    assert_non_null(kubelet->last);
    assert_int_equal(server->requests, 2);
    kubelet->interval_ns = UINT64_C(3600000000000);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(exposition_count(get(world, PROBE), "memcached_up{"), 1);
    assert_int_equal(server->requests, 2);
    assert_int_equal(web_world_fleet(world)->telemetry.results[SCRAPE_COMPLETE], 2);
    assert_int_equal(web_world_fleet(world)->telemetry.states[TARGET_UP], 2);
    /* It is too old when a whole interval has gone by. */
    kubelet->interval_ns = 1;
    assert_int_equal(exposition_count(get(world, PROBE), "memcached_up"), 0);
    assert_null(kubelet->last);
    assert_int_equal(server->requests, 2);
}

/* Other agents scrape, and so does a kubelet that names a target. */
static void test_who_is_no_probe(void **state)
{
    static const char *const agents[] = {"User-Agent: Prometheus/3.1.0\r\n", "User-Agent: x kube-probe/1\r\n",
                                         "User-Agent: kube-probe\r\n", ""};
    struct web_world *world = *state;
    const struct fake_server *server = configure(world);
    for (unsigned n = 0; n < ARRAY_LEN(agents); n++) {
        get(world, agents[n]);
        assert_int_equal(server->requests, n + 1);
    }
    char line[64];
    snprintf(line, sizeof(line), "GET /scrape?target=127.0.0.1:%d", server->port);
    web_world_ask(world, line, PROBE);
    expect_line(web_world_body(web_world_answer(world, "HTTP/1.1 200 OK\r\n")), "memcached_up 1");
    assert_int_equal(web_world_fleet(world)->telemetry.kubelet_probes, 0);
}

/* What is held does not keep targets that are configured no more. */
static void test_forgets(void **state)
{
    struct web_world *world = *state;
    configure(world);
    get(world, PROBE);
    get(world, "");
    assert_non_null(world->handlers.kubelet.last);
    handlers_forget(&world->handlers);
    assert_null(world->handlers.kubelet.last);
    world->handlers.stopping = true;
    get(world, "");
    assert_null(world->handlers.kubelet.last);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_scrape),
        TEST(test_from_the_last_scrape),
        TEST(test_who_is_no_probe),
        TEST(test_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
