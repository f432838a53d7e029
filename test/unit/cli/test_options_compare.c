/* Two sets of options, flag by flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "parsed_options.h"

/* --- The same --- */

/* One flag, and two values of it, the first its default. */
static const struct {
    const char *name, *first, *second;
} flag_values[] = {
    {"push.url", "", "http://g"},
    {"push.job", "memcached", "j"},
    {"push.grouping", "", "a=b"},
    {"push.interval", "15s", "15001ms"},
    {"push.timeout", "10s", "9s"},
    {"push.method", "put", "post"},
    {"push.delete-on-exit", "false", "true"},
    {"push.username", "", "u"},
    {"push.tls.key-file", "", "k"},
    {"output.textfile", "", "x.prom"},
    {"output.interval", "15s", "1m"},
    {"collector.items", "true", "false"},
    {"collector.sizes", "false", "true"},
    {"memcached.max-reply", "4MiB", "5MiB"},
    {"memcached.max-memory", "auto", "5MiB"},
    {"memcached.max-connecting", "256", "255"},
    {"shard", "0/1", "0/2"},
    {"log.level", "info", "warn"},
    {"log.format", "logfmt", "json"},
    {"web.target-label", "instance", "server"},
    {"web.listen-address", ":9150", ":9150,:9151"},
};

static void parse_one(struct outcome *outcome, const char *name, const char *value)
{
    char argument[128];
    snprintf(argument, sizeof(argument), "--%s=%s", name, value);
    parse(outcome, ARGUMENTS(argument), NO_ENVIRONMENT);
    if (outcome->code != OPTIONS_RUN) fail_msg("%.*s", SLICE_ARG(buffer_slice(&outcome->text)));
}

static void tells_each_flag(void **state)
{
    struct outcome defaults, first, second;
    (void) state;
    parse(&defaults, ARGUMENTS(NULL), NO_ENVIRONMENT);
    for (size_t n = 0; n < ARRAY_LEN(flag_values); n++) {
        const char *name = flag_values[n].name;
        parse_one(&first, name, flag_values[n].first);
        parse_one(&second, name, flag_values[n].second);
        assert_true(options_same(&defaults.options, &first.options, ""));
        if (options_same(&first.options, &second.options, name)) fail_msg("%s is taken for the same", name);
        assert_false(options_same(&first.options, &second.options, ""));
        release(&first);
        release(&second);
    }
    release(&defaults);
}

static void looks_at_its_flags_alone(void **state)
{
    struct outcome a, b;
    (void) state;
    parse(&a, ARGUMENTS("--push.job=x", "--collector.sizes"), NO_ENVIRONMENT);
    parse(&b, ARGUMENTS(NULL), NO_ENVIRONMENT);
    assert_false(options_same(&a.options, &b.options, "push."));
    assert_true(options_same(&a.options, &b.options, "output."));
    assert_false(options_same(&a.options, &b.options, "collector.sizes"));
    assert_true(options_same(&a.options, &b.options, "collector.items"));
    release(&a);
    release(&b);
}

static void tells_lists_of_the_same_length(void **state)
{
    struct outcome a, b, c;
    (void) state;
    parse(&a, ARGUMENTS("--memcached.address=a,b"), NO_ENVIRONMENT);
    parse(&b, ARGUMENTS("--memcached.address=a", "--memcached.address=b"), NO_ENVIRONMENT);
    parse(&c, ARGUMENTS("--memcached.address=a,c"), NO_ENVIRONMENT);
    assert_true(options_same(&a.options, &b.options, ""));
    assert_false(options_same(&a.options, &c.options, ""));
    release(&a);
    release(&b);
    release(&c);
}

/* --- Overruled --- */

static void expect_overruled(const struct outcome *given, const struct outcome *in_force,
                             const char *expected)
{
    struct buffer text;
    buffer_init(&text, OPTIONS_TEXT_MAX);
    options_append_overruled(&given->options, &in_force->options, &text);
    assert_false(text.failed);
    assert_text(&text, expected);
    buffer_deinit(&text);
}

/* Only what was given can be overruled, and only by something else. */
static void names_what_is_overruled(void **state)
{
    struct outcome given, other, none;
    (void) state;
    parse(&given, ARGUMENTS("--push.job=x", "--shard=0/2", "--web.target-label=server"), NO_ENVIRONMENT);
    parse(&other, ARGUMENTS("--push.job=y", "--shard=0/2", "--output.interval=1s"), NO_ENVIRONMENT);
    parse(&none, ARGUMENTS(NULL), NO_ENVIRONMENT);
    expect_overruled(&given, &given, "");
    expect_overruled(&none, &other, "");
    expect_overruled(&given, &other, "--web.target-label\n--push.job\n");
    expect_overruled(&given, &none, "--web.target-label\n--shard\n--push.job\n");
    release(&given);
    release(&other);
    release(&none);
}

/* --- Without effect --- */

#define NO_HTTP  ": nothing is served over HTTP\n"
#define NO_PUSH  ": nothing is pushed without --push.url\n"
#define NO_URL   ": --no-scrape.endpoint lets no URL name a server\n"
#define NO_TLS   ": connections are without TLS unless --memcached.tls.enable is given\n"
#define PUSH     "--push.url=http://g"
#define TEXTFILE "--output.textfile=x.prom"

/* Flags, and the lines about those among them that have no effect. */
static const struct {
    const char *arguments[ARGS_MAX + 1];
    const char *lines;
} idle[] = {
    {{NULL}, ""},
    {{"--push.job=x"}, "--push.job" NO_PUSH},
    {{"--push.job=memcached"}, ""},
    {{"--push.grouping=a=b", "--push.tls.ca-file=c"}, "--push.grouping" NO_PUSH "--push.tls.ca-file" NO_PUSH},
    {{"--push.job=x", PUSH}, ""},
    {{"--push.interval=1m", PUSH, "--once"}, "--push.interval: the metrics are pushed a single time\n"},
    {{"--push.delete-on-exit", PUSH, "--once"},
     "--push.delete-on-exit: what is pushed a single time has to stay\n"},
    {{"--output.interval=1m"}, "--output.interval: no file is written without --output.textfile\n"},
    {{"--output.interval=1m", TEXTFILE}, ""},
    {{"--output.interval=1m", TEXTFILE, "--once"}, "--output.interval: the file is written a single time\n"},
    {{"--web.listen-address=:1", "--once"}, "--web.listen-address" NO_HTTP},
    {{"--web.listen-address=:1", "--no-web", PUSH}, "--web.listen-address" NO_HTTP},
    {{"--web.listen-address=:1", "--web.systemd-socket"},
     "--web.listen-address: --web.systemd-socket serves on the sockets of systemd\n"},
    {{"--web.systemd-socket", "--web.config.file=w", "--web.telemetry-path=/m", "--web.scrape-path=/s",
      "--once"},
     "--web.systemd-socket" NO_HTTP "--web.config.file" NO_HTTP "--web.telemetry-path" NO_HTTP
     "--web.scrape-path" NO_HTTP},
    {{"--web.max-requests=1", "--web.max-connections=1", "--web.enable-lifecycle", "--once"},
     "--web.max-connections" NO_HTTP "--web.max-requests" NO_HTTP "--web.enable-lifecycle" NO_HTTP},
    {{"--web.enable-lifecycle"}, "--web.enable-lifecycle: there is no --config.file to read again\n"},
    {{"--web.enable-lifecycle", "--config.file=f"}, ""},
    {{"--web.target-label=server", "--web.disable-exporter-metrics", "--once"}, ""},
    {{"--scrape.timeout-offset=1s", "--no-scrape.endpoint", "--once"},
     "--scrape.timeout-offset" NO_HTTP "--scrape.endpoint" NO_HTTP},
    {{"--no-scrape.endpoint", "--web.scrape-path=/s"},
     "--web.scrape-path: --no-scrape.endpoint switches that path off\n"},
    {{"--no-scrape.endpoint", "--scrape.allow=any", "--scrape.deny=metadata", "--scrape.max-targets=1"},
     "--scrape.max-targets" NO_URL "--scrape.allow" NO_URL "--scrape.deny" NO_URL},
    {{"--memcached.tls.ca-file=c", "--memcached.tls.insecure-skip-verify"},
     "--memcached.tls.ca-file" NO_TLS "--memcached.tls.insecure-skip-verify" NO_TLS},
    {{"--memcached.tls.enable", "--memcached.tls.ca-file=c"}, ""},
    {{"--memcached.tls.enable", "--memcached.tls.ca-file=c", "--memcached.tls.insecure-skip-verify"},
     "--memcached.tls.ca-file: --memcached.tls.insecure-skip-verify takes any certificate\n"},
    {{"--collector.detail.max-prefixes=9"}, "--collector.detail.max-prefixes: --collector.detail is off\n"},
    {{"--collector.detail.max-prefixes=9", "--collector.detail"}, ""},
    {{"--collector.detail.max-prefixes=9", "--config.file=f"}, ""},
};

static void names_what_has_no_effect(void **state)
{
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(idle); n++) {
        struct outcome given;
        struct buffer text;
        parse(&given, idle[n].arguments, NO_ENVIRONMENT);
        assert_runs(&given);
        buffer_init(&text, OPTIONS_TEXT_MAX);
        options_append_idle(&given.options, &given.options, &text);
        assert_false(text.failed);
        assert_text(&text, idle[n].lines);
        buffer_deinit(&text);
        release(&given);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_flag),
        cmocka_unit_test(looks_at_its_flags_alone),
        cmocka_unit_test(tells_lists_of_the_same_length),
        cmocka_unit_test(names_what_is_overruled),
        cmocka_unit_test(names_what_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
