/* The file that users copy: that it works, says every key, and says the truth about the defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "cli/options.h"
#include "config_file.h"

#include <stdio.h>

/* The file, and the same with what is commented out in it: lines that begin with '#', but for prose ("#
 * Prose"). */
struct example {
    char *text, *whole;
    struct options options; /* the flags' defaults */
};

static bool is_prose(const char *line)
{
    return line[0] == '#' && (line[1] == '\n' || (line[1] == ' ' && line[2] != ' '));
}

static char *uncomment(const char *text)
{
    char *whole = calloc(1, strlen(text) + 1), *out = whole;
    while (*text) {
        size_t len = strcspn(text, "\n") + 1;
        size_t from = is_prose(text) ? len - 1 : text[0] == '#';
        out = mempcpy(out, text + from, len - from);
        text += len;
    }
    return whole;
}

static int read_example(void **state)
{
    struct example *example = calloc(1, sizeof(*example));
    char path[512];
    size_t size = 0;
    struct buffer text;
    char *const argv[] = {(char *) "program", NULL}, *const environment[] = {NULL};
    snprintf(path, sizeof(path), "%s/../../config/exporter.yml", getenv("TEST_DATA"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&example->text, &size, '\0', file) > 0);
    fclose(file);
    example->whole = uncomment(example->text);
    buffer_init(&text, OPTIONS_TEXT_MAX);
    assert_int_equal(options_parse(&example->options, argv, environment, &text), OPTIONS_RUN);
    buffer_deinit(&text);
    *state = example;
    return 0;
}

static int release_example(void **state)
{
    struct example *example = *state;
    options_deinit(&example->options);
    free(example->text);
    free(example->whole);
    free(example);
    return 0;
}

/* As it is, it does what the flags' defaults do. */
static void test_as_it_is(void **state)
{
    const struct example *example = *state;
    struct reading_outcome outcome;
    read_good(&outcome, example->text);
    assert_int_equal(outcome.config.group_count, 1);
    assert_int_equal(outcome.config.target_count, 1);
    assert_string_equal(outcome.config.groups[0].targets[0].name, example->options.addresses.items[0]);
    assert_int_equal(outcome.config.module_count, 1);
    assert_false(outcome.config.push.url[0] || outcome.config.textfile[0] || outcome.config.policy);
    assert_false(outcome.config.watch.enabled || outcome.config.census.enabled);
    release_config(&outcome);
}

static void test_defaults(void **state)
{
    const struct example *example = *state;
    const struct options *options = &example->options;
    struct reading_outcome outcome;
    read_good(&outcome, example->whole);
    const struct config *config = &outcome.config;
    assert_string_equal(config->target_label, options->target_label);
    assert_int_equal(config->shard.count, 1);
    assert_int_equal(config->modules[0].timeout_ns, options->timeout_ns);
    /* The rules of these tests have no summary that a list of both could imply. */
    assert_int_equal(config->modules[0].collectors, options->collectors & ~SLAB_SUMMARY);
    assert_int_equal(config->textfile_interval_ns, options->textfile_interval_ns);
    assert_string_equal(config->push.job, options->push.job);
    assert_int_equal(config->push.interval_ns, options->push.interval_ns);
    assert_int_equal(config->push.timeout_ns, options->push.timeout_ns);
    assert_int_equal(config->push.post, options->push.post);
    assert_int_equal(config->push.delete_on_exit, options->push.delete_on_exit);
    assert_int_equal(config->warning_count, 0);
    struct watch_config watch = config->watch, defaults;
    watch_config_init(&defaults);
    assert_true(watch.enabled);
    watch.enabled = false;
    watch.trusted_count = 0;
    assert_true(watch_config_equals(&watch, &defaults));
    struct census_config census = config->census, census_defaults;
    census_config_init(&census_defaults);
    assert_true(census.enabled);
    census.enabled = false;
    census.trusted_count = 0;
    assert_true(census_config_equals(&census, &census_defaults));
    release_config(&outcome);
}

/* A key that is none makes the reader name those there are: each must stand in the example. */
static void test_every_key(void **state)
{
    static const char *const mappings[] = {
        "{zzzzzzzz: 1}",
        "{modules: {a: {zzzzzzzz: 1}}}",
        "{modules: {a: {tls: {zzzzzzzz: 1}}}}",
        "{modules: {a: {auth: {zzzzzzzz: 1}}}}",
        "{scrape_policy: {zzzzzzzz: 1}}",
        "{watch: {zzzzzzzz: 1}}",
        "{census: {zzzzzzzz: 1}}",
        "{outputs: {zzzzzzzz: 1}}",
        "{outputs: {textfile: {zzzzzzzz: 1}}}",
        "{outputs: {push: {zzzzzzzz: 1}}}",
        "{outputs: {remote_write: {zzzzzzzz: 1}}}",
        "{groups: [{zzzzzzzz: 1}]}",
        "{groups: [{name: a, dns: {zzzzzzzz: 1}}]}",
        "{groups: [{name: a, file_sd: {zzzzzzzz: 1}}]}",
        "{groups: [{name: a, http_sd: {zzzzzzzz: 1}}]}",
        "{groups: [{name: a, elasticache: {zzzzzzzz: 1}}]}",
    };
    const struct example *example = *state;
    for (size_t i = 0; i < ARRAY_LEN(mappings); i++) {
        struct reading_outcome outcome;
        char key[64];
        read_config(&outcome, "f", slice_of(mappings[i]));
        buffer_append_char(&outcome.error, '\0');
        char *keys = strstr(outcome.error.data, "expected one of ");
        assert_non_null(keys);
        for (char *at = strtok(keys + strlen("expected one of "), ", "); at; at = strtok(NULL, ", ")) {
            snprintf(key, sizeof(key), "%s:", at);
            if (!strstr(example->text, key)) fail_msg("%s is not in config/exporter.yml", at);
        }
        release_config(&outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_it_is, read_example, release_example),
        cmocka_unit_test_setup_teardown(test_defaults, read_example, release_example),
        cmocka_unit_test_setup_teardown(test_every_key, read_example, release_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
