/* Reads a configuration file, for the tests of config/. */
#ifndef SUPPORT_CONFIG_FILE_H
#define SUPPORT_CONFIG_FILE_H

#include "config/config.h"
#include "memcached/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_reserved(struct slice name)
{
    return slice_is(name, "slab") || slice_is(name, "command");
}

static inline const char *check_prom(struct slice path)
{
    return memmem(path.data, path.len, ".prom", 5) ? NULL : "a file whose name ends in .prom";
}

static const struct config_rules rules = {
    .timeout_ns = 1000000000,
    .collectors = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS),
    .target_label = "instance",
    .shard = {0, 3},
    .textfile = "",
    .textfile_interval_ns = 15000000000,
    .push = {.url = "", .job = "memcached", .interval_ns = 7, .timeout_ns = 8, .delete_on_exit = true},
    .label_reserved = is_reserved,
    .check_textfile = check_prom,
};

/* Result of config_read. */
struct reading_outcome {
    struct config config;
    struct buffer error;
    int result;
};

static inline void read_config(struct reading_outcome *outcome, const char *file, struct slice text)
{
    buffer_init(&outcome->error, 64 * 1024);
    outcome->result = config_read(&outcome->config, file, text, &rules, &outcome->error);
    assert_false(outcome->error.failed);
}

static inline void release_config(struct reading_outcome *outcome)
{
    config_deinit(&outcome->config);
    buffer_deinit(&outcome->error);
}

static inline void assert_buffer(const struct buffer *text, const char *expected)
{
    char *copy = strndup(text->data ? text->data : "", text->len);
    assert_non_null(copy);
    assert_string_equal(copy, expected);
    free(copy);
}

/* Reads a valid text as if it were /etc/exporter.yml. Fails the test on any error. */
static inline void read_good(struct reading_outcome *outcome, const char *text)
{
    read_config(outcome, "/etc/exporter.yml", slice_of(text));
    assert_buffer(&outcome->error, "");
    assert_int_equal(outcome->result, 0);
}

#endif
