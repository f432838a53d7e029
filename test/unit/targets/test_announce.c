/* What the log says of the fleet: at the start, and when it becomes empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "targets/announce.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char nothing[] = "";

struct world {
    struct announced announced;
    struct config config;
    struct config_group group;
    struct generation generation;
    struct target_set target_set;
    int log;
};

static void open_world(struct world *world)
{
    *world = (struct world){.log = memfd_create("log", 0)};
    assert_true(world->log >= 0);
    log_configure(LOG_INFO, LOG_LOGFMT, world->log);
    world->config.groups = &world->group;
    world->config.group_count = 1;
    world->generation.config = &world->config;
    world->generation.settings.options = (struct options){
        .web = true,
        .scrape_endpoint = true,
        .scrape_path = "/scrape",
        .textfile = nothing,
        .push = {.url = nothing},
        .shard = {0, 1},
    };
}

static void close_world(struct world *world)
{
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(world->log);
}

/* Announces so many targets. Then the log must be `expected`, without the time, since the last call. */
static void expect(struct world *world, size_t targets, size_t elsewhere, const char *expected)
{
    char bytes[4096], said[4096] = "";
    world->target_set.targets.count = targets;
    world->target_set.elsewhere = elsewhere;
    announce_targets(&world->announced, &world->generation, &world->target_set);
    ssize_t len = pread(world->log, bytes, sizeof(bytes) - 1, 0);
    assert_true(len >= 0);
    bytes[len] = '\0';
    for (char *rest = bytes, *line; (line = strsep(&rest, "\n")) && *line;) {
        strcat(said, strstr(line, "level="));
        strcat(said, "\n");
    }
    assert_string_equal(said, expected);
    assert_int_equal(ftruncate(world->log, 0), 0);
    assert_int_equal(lseek(world->log, 0, SEEK_SET), 0);
}

#define READY "level=INFO msg=\"the exporter is ready\" "

static void test_says_what_there_is(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    expect(&world, 3, 0, READY "targets=3\n");
    expect(&world, 4, 0, "");
    expect(&world, 0, 0,
           "level=INFO msg=\"no server is configured, only those that a URL names are scraped\" "
           "path=/scrape\n");
    expect(&world, 0, 0, "");
    expect(&world, 2, 0, "level=INFO msg=\"there are servers to scrape again\" targets=2\n");
    close_world(&world);
}

static void test_says_shard_and_outputs(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    world.generation.settings.options.shard = (struct shard){1, 3};
    world.generation.settings.options.textfile = "/x.prom";
    world.generation.settings.options.push.url = "http://g";
    expect(&world, 3, 5,
           READY "targets=3 shard=1/3 targets_of_other_shards=5 textfile=/x.prom push=http://g\n");
    close_world(&world);
}

static void test_says_why_there_is_nothing(void **state)
{
    struct config_source source = {0};
    struct world world;
    (void) state;
    open_world(&world);
    world.generation.settings.options.shard = (struct shard){1, 3};
    expect(&world, 0, 5,
           READY "targets=0 shard=1/3 targets_of_other_shards=5\n"
                 "level=WARN msg=\"no server to scrape: all configured servers belong to other shards\" "
                 "shard=1/3 targets_of_other_shards=5\n");
    close_world(&world);

    open_world(&world);
    world.group.sources = &source;
    expect(&world, 0, 0,
           READY "targets=0\n"
                 "level=WARN msg=\"no server to scrape: discovery has found none so far\"\n");
    close_world(&world);

    open_world(&world);
    world.generation.settings.options.scrape_endpoint = false;
    expect(&world, 0, 0,
           READY "targets=0\n"
                 "level=WARN msg=\"no server to scrape: none is configured, see --memcached.address\"\n");
    close_world(&world);
}

/* Cron mails what is logged. */
static void test_once_is_silent(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    world.generation.settings.options.once = true;
    expect(&world, 3, 0, "");
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_there_is),
        cmocka_unit_test(test_says_shard_and_outputs),
        cmocka_unit_test(test_says_why_there_is_nothing),
        cmocka_unit_test(test_once_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
