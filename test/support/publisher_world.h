/*
 * A publisher on a fleet_world, with a temporary folder and its own log, for the tests of publisher. Include
 * this header after <cmocka.h>.
 */
#ifndef SUPPORT_PUBLISHER_WORLD_H
#define SUPPORT_PUBLISHER_WORLD_H

#include "base/container.h"
#include "exposition.h"
#include "fleet_world.h"
#include "gather/publisher.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERVAL_MS 20

struct publisher_world {
    struct fleet_world fleet;
    struct options options;
    struct generation generation; /* has the options; never freed by a release */
    struct target_set target_set; /* the fleet's targets; never freed by a release */
    struct publisher publisher;
    char folder[64], path[128]; /* path is folder/fleet.prom, which does not exist at first */
    int log;
    unsigned once; /* number of calls of on_once */
    int code;
    bool closed;
};

static char nothing[] = "";

/* Returns options without any output, but with short intervals. */
static inline struct options publisher_options(void)
{
    return (struct options){
        .collect_build = true,
        .collect_telemetry = true,
        .collect_process = true,
        .timeout_ns = 5000000000,
        .collectors = WORLD_COMMANDS,
        .textfile = nothing,
        .textfile_interval_ns = (INTERVAL_MS - 1) * 1000000ull,
        .pid_file = nothing,
        .push =
            {
                .url = nothing,
                .job = nothing,
                .interval_ns = (INTERVAL_MS - 1) * 1000000ull,
                .timeout_ns = 5000000000,
            },
    };
}

static inline int publisher_world_setup(void **state)
{
    struct publisher_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    fleet_world_open(&world->fleet);
    world->options = publisher_options();
    strcpy(world->folder, "/tmp/test_publisher_XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->path, sizeof(world->path), "%s/fleet.prom", world->folder);
    world->log = memfd_create("log", 0);
    assert_true(world->log >= 0);
    log_configure(LOG_INFO, LOG_LOGFMT, world->log);
    *state = world;
    return 0;
}

static inline int publisher_world_teardown(void **state)
{
    struct publisher_world *world = *state;
    fleet_world_close(&world->fleet);
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    close(world->log);
    unlink(world->path);
    assert_int_equal(rmdir(world->folder), 0);
    free(world);
    return 0;
}

/* Closes the publisher from inside the callback, as the program does. */
static inline void on_world_once(void *context, int code)
{
    struct publisher_world *world = context;
    world->once++;
    world->code = code;
    publisher_close(&world->publisher, world_set_true, &world->closed);
    assert_false(world->closed);
}

static inline struct target_set *world_target_set(void *context)
{
    struct publisher_world *world = context;
    world->target_set.targets = world->fleet.targets;
    world->target_set.with_labels = world->fleet.targets.count > 1;
    for (size_t n = 0; n < world->target_set.targets.count; n++) {
        struct target *target = world->target_set.targets.items[n];
        profile_release(target->profile);
        target->profile = profile_new(world->options.collectors, world->options.timeout_ns / 1000000, NULL);
    }
    return &world->target_set;
}

static inline void publisher_world_start(struct publisher_world *world)
{
    struct publisher_config config = {
        .loop = &world->fleet.loop,
        .generation = &world->generation,
        .target_set = world_target_set,
        .fleet = world->fleet.fleet,
        .telemetry = &world->fleet.telemetry,
        .on_once = on_world_once,
        .context = world,
    };
    world->closed = false;
    world->generation.references = world->target_set.references = 1;
    world->generation.settings.options = world->options;
    publisher_start(&world->publisher, &config);
}

/* Closes the publisher and waits until it is closed. */
static inline void publisher_world_stop(struct publisher_world *world)
{
    publisher_close(&world->publisher, world_set_true, &world->closed);
    assert_false(world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
}

/* Returns the number of writes of the textfile so far, good and bad. */
static inline uint64_t publisher_world_writes(const struct publisher_world *world)
{
    return world->fleet.telemetry.file_writes;
}

/* Runs the loop until the textfile was written at least `writes` times. */
static inline void publisher_world_run(struct publisher_world *world, uint64_t writes)
{
    for (unsigned ms = 0; ms < 10000 && publisher_world_writes(world) < writes; ms++)
        loop_run_for(&world->fleet.loop, 1);
    assert_true(publisher_world_writes(world) >= writes);
}

/* Returns the textfile as a string. The caller frees it. */
static inline char *publisher_world_file(const struct publisher_world *world)
{
    struct stat about;
    int file = open(world->path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &about), 0);
    char *text = calloc(1, (size_t) about.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(file, text, (size_t) about.st_size), about.st_size);
    close(file);
    return text;
}

/* Returns the number of files in the folder, including temporary ones. */
static inline size_t publisher_world_files(const struct publisher_world *world)
{
    size_t count = 0;
    DIR *folder = opendir(world->folder);
    assert_non_null(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 2; /* without . and .. */
}

/* Returns how often the words occur in the log. */
static inline unsigned publisher_world_logged(const struct publisher_world *world, const char *words)
{
    static char text[65536];
    unsigned count = 0;
    ssize_t len = pread(world->log, text, sizeof(text) - 1, 0);
    assert_true(len >= 0 && (size_t) len < sizeof(text) - 1);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, words)); at++) count++;
    return count;
}

#endif
