/* The flags of what is given out beside HTTP, and of the collectors that are off unless asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "cli/flags.h"
#include "collectors/fleet.h"
#include "memcached/stats.h"
#include "parsed_options.h"

#define SECOND UINT64_C(1000000000)

static void has_the_documented_defaults(void **state)
{
    struct outcome outcome;
    const struct options *options = &outcome.options;
    (void) state;
    parse(&outcome, ARGUMENTS(NULL), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_true(options->web);
    assert_false(options->once);
    assert_string_equal(options->textfile, "");
    assert_int_equal(options->textfile_interval_ns, 15 * SECOND);
    assert_string_equal(options->push.url, "");
    assert_string_equal(options->push.job, "memcached");
    assert_int_equal(options->push.grouping.count, 0);
    assert_int_equal(options->push.interval_ns, 15 * SECOND);
    assert_int_equal(options->push.timeout_ns, 10 * SECOND);
    assert_false(options->push.post);
    assert_false(options->push.delete_on_exit);
    assert_string_equal(options->push.username, "");
    assert_string_equal(options->push.password_file, "");
    assert_string_equal(options->push.ca_file, "");
    assert_string_equal(options->push.cert_file, "");
    assert_string_equal(options->push.key_file, "");
    assert_int_equal(options->max_prefixes, 1000);
    release(&outcome);
}

static void reads_the_textfile(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--output.textfile=/a/b.prom", "--output.interval", "1m"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_string_equal(outcome.options.textfile, "/a/b.prom");
    assert_int_equal(outcome.options.textfile_interval_ns, 60 * SECOND);
    release(&outcome);
}

static void reads_the_push(void **state)
{
    struct outcome outcome;
    const struct options *options = &outcome.options;
    (void) state;
    parse(&outcome,
          ARGUMENTS("--push.url=http://g:9091", "--push.job", "j", "--push.grouping=a=b",
                    "--push.grouping=c=d=e", "--push.method=post"),
          ENVIRONMENT(PREFIX "PUSH_INTERVAL=2s", PREFIX "PUSH_TIMEOUT=3s", PREFIX "PUSH_DELETE_ON_EXIT=true",
                      PREFIX "PUSH_USERNAME=u", PREFIX "PUSH_PASSWORD_FILE=p", PREFIX "PUSH_TLS_CA_FILE=x",
                      PREFIX "PUSH_TLS_CERT_FILE=y", PREFIX "PUSH_TLS_KEY_FILE=z", PREFIX "PUSH_JOB=k"));
    assert_runs(&outcome);
    assert_string_equal(options->push.url, "http://g:9091");
    assert_string_equal(options->push.job, "j");
    assert_int_equal(options->push.grouping.count, 2);
    assert_string_equal(options->push.grouping.items[0].name, "a");
    assert_string_equal(options->push.grouping.items[0].value, "b");
    assert_string_equal(options->push.grouping.items[1].name, "c");
    assert_string_equal(options->push.grouping.items[1].value, "d=e");
    assert_true(options->push.post);
    assert_int_equal(options->push.interval_ns, 2 * SECOND);
    assert_int_equal(options->push.timeout_ns, 3 * SECOND);
    assert_true(options->push.delete_on_exit);
    assert_string_equal(options->push.username, "u");
    assert_string_equal(options->push.password_file, "p");
    assert_string_equal(options->push.ca_file, "x");
    assert_string_equal(options->push.cert_file, "y");
    assert_string_equal(options->push.key_file, "z");
    release(&outcome);

    parse(&outcome, ARGUMENTS("--push.method=put"), ENVIRONMENT(PREFIX "PUSH_METHOD=post"));
    assert_runs(&outcome);
    assert_false(options->push.post);
    release(&outcome);
}

/* --- Collectors --- */

/* Each command but `stats` has its switch, which changes nothing else. */
static void switches_collectors(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS(NULL), NO_ENVIRONMENT);
    unsigned by_default = outcome.options.collectors;
    release(&outcome);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        const char *name = command_info(command)->name;
        char on[64], off[64], variable[128];
        if (command == COMMAND_STATS) continue;
        snprintf(on, sizeof(on), "--collector.%s", name);
        parse(&outcome, ARGUMENTS(on), NO_ENVIRONMENT);
        assert_runs(&outcome);
        assert_int_equal(outcome.options.collectors, by_default | COMMAND_BIT(command));
        release(&outcome);

        snprintf(off, sizeof(off), "--no-collector.%s", name);
        variable_of(on + 2, "true", variable, sizeof(variable));
        parse(&outcome, ARGUMENTS(off), ENVIRONMENT(variable));
        assert_runs(&outcome);
        unsigned with_it = SLAB_COMMANDS & COMMAND_BIT(command) ? SLAB_SUMMARY : 0;
        assert_int_equal(outcome.options.collectors, by_default & ~COMMAND_BIT(command) & ~with_it);
        release(&outcome);
    }
}

static void reads_the_prefixes(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--collector.detail.max-prefixes=7"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_int_equal(outcome.options.max_prefixes, 7);
    release(&outcome);
}

#define ITEMS COMMAND_BIT(COMMAND_ITEMS)
#define SLABS COMMAND_BIT(COMMAND_SLABS)

/*
 * items and slabs follow slab, unless they are given themselves. slabs is then asked for its totals, and both
 * for the summary.
 */
static void follows_the_official_switch(void **state)
{
    static const struct {
        const char *arguments[ARGS_MAX + 1];
        unsigned asked, classless; /* of SLAB_COMMANDS */
    } cases[] = {
        {{NULL}, ITEMS | SLABS, 0},
        {{"--no-collector.slab-summary"}, ITEMS | SLABS, 0},
        {{"--no-collector.slab"}, ITEMS | SLABS, ITEMS | SLABS},
        {{"--collector.slab=false"}, ITEMS | SLABS, ITEMS | SLABS},
        {{"--no-collector.slab", "--no-collector.slab-summary"}, SLABS, SLABS},
        {{"--collector.slab=true", "--no-collector.items"}, SLABS, 0},
        {{"--collector.slabs", "--no-collector.slab"}, ITEMS | SLABS, ITEMS},
        {{"--collector.slabs", "--no-collector.slab", "--no-collector.slab-summary"}, SLABS, 0},
        {{"--no-collector.slab", "--collector.items=true"}, ITEMS | SLABS, SLABS},
        {{"--no-collector.slab", "--collector.items=true", "--collector.slabs=false"}, ITEMS, 0},
        {{"--no-collector.items", "--no-collector.slabs"}, 0, 0},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct outcome outcome;
        parse(&outcome, cases[n].arguments, NO_ENVIRONMENT);
        assert_runs(&outcome);
        unsigned collectors = outcome.options.collectors;
        assert_int_equal(collectors & SLAB_COMMANDS, cases[n].asked);
        assert_int_equal(collectors & WITHOUT_CLASSES(COMMANDS_ALL), WITHOUT_CLASSES(cases[n].classless));
        assert_true(collectors & COMMAND_BIT(COMMAND_SETTINGS));
        release(&outcome);
    }
    struct outcome outcome;
    parse(&outcome, ARGUMENTS(NULL),
          ENVIRONMENT(PREFIX "COLLECTOR_SLAB=false", PREFIX "COLLECTOR_ITEMS=true"));
    assert_true(outcome.options.collectors & COMMAND_BIT(COMMAND_ITEMS));
    assert_int_equal(outcome.options.collectors & WITHOUT_CLASSES(COMMANDS_ALL), WITHOUT_CLASSES(SLABS));
    release(&outcome);
}

/* --- What goes together --- */

static const struct {
    const char *arguments[ARGS_MAX + 1];
    const char *line; /* without the program's name; NULL where it runs */
} combinations[] = {
    {{"--once"}, NULL},
    {{"--once", "--no-web"}, NULL},
    {{"--once", "--output.textfile=x.prom"}, NULL},
    {{"--no-web", "--output.textfile=x.prom"}, NULL},
    {{"--no-web", "--push.url=http://g"}, NULL},
    {{"--push.url=http://g", "--output.textfile=x.prom"}, NULL},
    {{"--no-web", "--config.file=f"}, NULL},
    {{"--config.check", "--config.file=f"}, NULL},
    {{"--config.check", "--web.config.file=f"}, NULL},
    {{"--config.check"}, "--config.check: expected --config.file or --web.config.file as well, try --help\n"},
    {{"--config.check", "--config.file="},
     "--config.check: expected --config.file or --web.config.file as well, try --help\n"},
    {{"--once", "--push.url=http://g"}, NULL},
    {{"--push.url=http://g", "--no-web", "--once=true", "--output.textfile=x.prom"}, NULL},
    {{"--no-web"}, "--no-web: expected --once, or an output such as --push.url, as well, try --help\n"},
    {{"--web=false", "--no-once"},
     "--no-web: expected --once, or an output such as --push.url, as well, try --help\n"},
    {{"--push.grouping=a=b,zone"}, "--push.grouping: \"a=b,zone\": expected label=value, try --help\n"},
    {{"--push.grouping=a\nb"}, "--push.grouping: \"a\\nb\": expected label=value, try --help\n"},
    {{"--push.method=patch"}, "--push.method: \"patch\": expected put or post, try --help\n"},
    {{"--push.method=PUT"}, "--push.method: \"PUT\": expected put or post, try --help\n"},
    {{"--push.interval=0"}, "--push.interval: \"0\": expected a duration above 0, try --help\n"},
    {{"--push.timeout=0s"}, "--push.timeout: \"0s\": expected a duration above 0, try --help\n"},
    {{"--output.interval=0"}, "--output.interval: \"0\": expected a duration above 0, try --help\n"},
    {{"--output.interval=often"},
     "--output.interval: \"often\": expected a duration such as 250ms, 1s or 1m30s, try --help\n"},
    {{"--collector.stats"}, "--collector.stats: unknown flag"},
    {{"--collector.detail.max-prefixes=0"},
     "--collector.detail.max-prefixes: \"0\": expected a whole number from 1 to 1000000, try --help\n"},
};

static void knows_what_goes_together(void **state)
{
    char line[512];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(combinations); i++) {
        struct outcome outcome;
        parse(&outcome, combinations[i].arguments, NO_ENVIRONMENT);
        if (!combinations[i].line) {
            assert_runs(&outcome);
        } else {
            snprintf(line, sizeof(line), "memcached_fleet_exporter: %s", combinations[i].line);
            if (!slice_starts(buffer_slice(&outcome.text), line))
                fail_msg("%s is not:\n%.*s", line, SLICE_ARG(buffer_slice(&outcome.text)));
            assert_int_equal(outcome.code, OPTIONS_USAGE);
        }
        release(&outcome);
    }
}

/* --- Labels --- */

static bool is_taken(struct slice label)
{
    struct outcome outcome;
    char flag[256];
    snprintf(flag, sizeof(flag), "--web.target-label=%.*s", SLICE_ARG(label));
    parse(&outcome, ARGUMENTS(flag), NO_ENVIRONMENT);
    bool taken = outcome.code == OPTIONS_USAGE;
    release(&outcome);
    return taken;
}

/* No label of any family of the servers may name the target; nor may the one of buckets. */
static void no_label_of_a_family_names_the_target(void **state)
{
    const struct collector *collector = fleet_collector();
    unsigned seen = 0;
    (void) state;
    for (size_t n = 0; n < collector->count; n++) {
        for (struct slice rest = slice_of(collector->families[n]->labels); rest.len; seen++) {
            struct slice label = slice_cut(&rest, ',');
            if (!is_taken(label)) {
                fail_msg("--web.target-label=%.*s is taken, but %s has this label", SLICE_ARG(label),
                         collector->families[n]->name);
            }
        }
    }
    assert_true(seen > 20);
    assert_true(is_taken(SLICE("le")));
    assert_false(is_taken(SLICE("instance")));
}

static bool has_label(const struct collector *collector, const char *name)
{
    for (size_t n = 0; n < collector->count; n++) {
        for (struct slice rest = slice_of(collector->families[n]->labels); rest.len;) {
            if (slice_is(slice_cut(&rest, ','), name)) return true;
        }
    }
    return false;
}

/* Nor is any label refused without need. */
static void each_label_that_is_taken_belongs_to_a_family(void **state)
{
    (void) state;
    for (const char *const *name = flag_taken_labels; *name; name++) {
        if (strcmp(*name, "le") != 0 && !has_label(fleet_collector(), *name))
            fail_msg("no family has the label %s", *name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_documented_defaults),
        cmocka_unit_test(reads_the_textfile),
        cmocka_unit_test(reads_the_push),
        cmocka_unit_test(switches_collectors),
        cmocka_unit_test(reads_the_prefixes),
        cmocka_unit_test(follows_the_official_switch),
        cmocka_unit_test(knows_what_goes_together),
        cmocka_unit_test(no_label_of_a_family_names_the_target),
        cmocka_unit_test(each_label_that_is_taken_belongs_to_a_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
