#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/stats.h"
#include "parsed_options.h"

#define ADDRESS PREFIX "MEMCACHED_ADDRESS="

#define DURATION "expected a duration such as 250ms, 1s or 1m30s, try --help\n"
#define COUNT    "expected a whole number from 1 to 1000000, try --help\n"
#define SIZE     "expected a size from 1 to 1GiB such as 65536, 512KiB or 4MiB, try --help\n"
#define PATH_FIXED                                                                                           \
    "expected a path other than /, /probe, /sd, /hotkeys, /-/healthy, /-/ready and /-/reload, try --help\n"
#define PATH_BLANKS "expected a path without blanks, ?, # and %, try --help\n"
#define LABEL                                                                                                \
    "expected a label name of letters, digits and _, "                                                       \
    "not beginning with a digit or __, try --help\n"
#define SHARD                                                                                                \
    "expected a shard I/N such as 0/4, with N from 1 to 4096 and I below N; "                                \
    "I may be a pod's name that ends in -I, try --help\n"
#define UNEXPECTED                                                                                           \
    "unexpected argument; expected a flag or a command; servers are named by --memcached.address, try "      \
    "--help\n"
#define COMMAS "expected addresses with one comma between them, try --help\n"

/* Rows of the table: the line, and the arguments or the variable that it is about. */
#define BAD(text, ...)          .line = text, .arguments = {__VA_ARGS__}, .code = OPTIONS_USAGE
#define BAD_VARIABLE(text, set) .line = text, .variable = set, .code = OPTIONS_USAGE

/* The lines lack the program's name. */
static const struct {
    const char *arguments[ARGS_MAX + 1];
    const char *variable;
    enum options_outcome code;
    const char *line;
} errors[] = {
    /* Words that are no flags. */
    {BAD("--memcached.adress: unknown flag (did you mean --memcached.address?), try --help\n",
         "--memcached.adress=x")},
    {BAD("-web.max-requests: unknown flag (did you mean --web.max-requests?), try --help\n",
         "-web.max-requests", "1")},
    {BAD("--bogus: unknown flag, try --help\n", "--bogus")},
    {BAD("-x: unknown flag, try --help\n", "-x")},
    {BAD("--: unknown flag, try --help\n", "--=x")},
    {BAD("--bo\\ngus\\x1b[31m\\xff\\\\\\\": unknown flag, try --help\n", "--bo\ngus\x1b[31m\xff\\\"=x")},
    {BAD("--no-memcached.timeout: unknown flag (did you mean --memcached.timeout?), try --help\n",
         "--no-memcached.timeout")},
    {BAD("--no-help: unknown flag (did you mean --help?), try --help\n", "--no-help")},
    {BAD("cache-1:11211: " UNEXPECTED, "cache-1:11211")},
    {BAD("cache-2: " UNEXPECTED, "--memcached.address", "cache-1", "cache-2")},
    {BAD("(empty): " UNEXPECTED, "")},
    {BAD("version: unexpected argument (did you mean --version?), try --help\n", "version")},
    {BAD("log.level=debug: unexpected argument (did you mean --log.level?), try --help\n",
         "log.level=debug")},
    {BAD("chek: unexpected argument (did you mean check?), try --help\n", "chek", "cache-1")},
    {BAD("check: unexpected argument; a command comes first, try --help\n", "--log.level=info", "check")},
    {BAD("top: unexpected argument; a command comes first, try --help\n", "--", "top")},
    {BAD("serve: " UNEXPECTED, "serve")},
    {BAD("-: " UNEXPECTED, "-")},
    {BAD("true: unexpected argument; a switch is written --flag, --no-flag or --flag=false, try --help\n",
         "--web.systemd-socket", "true")},
    {BAD("--help: " UNEXPECTED, "--", "--help")},
    {BAD("--: " UNEXPECTED, "--", "--")},

    /* Flags in a form that they do not have. */
    {BAD("--memcached.timeout: expected a value, try --help\n", "--memcached.timeout")},
    {BAD("--memcached.address: expected a value, try --help\n", "--memcached.address", "--log.level=info")},
    {BAD("--log.level: cannot be repeated, try --help\n", "--log.level=info", "--log.level=info")},
    {BAD("--no-scrape.endpoint: cannot be repeated, try --help\n", "--scrape.endpoint",
         "--no-scrape.endpoint")},
    {BAD("--no-scrape.endpoint: takes no value, try --help\n", "--no-scrape.endpoint=true")},
    {BAD("--help: takes no value, try --help\n", "--help=x")},
    {BAD("--version: takes no value, try --help\n", "--version=")},

    /* Values. */
    {BAD("--memcached.timeout: \"10\": " DURATION, "--memcached.timeout=10")},
    {BAD("--memcached.timeout: \"-1s\": " DURATION, "--memcached.timeout", "-1s")},
    {BAD("--memcached.timeout: \"\": " DURATION, "--memcached.timeout=")},
    {BAD("--memcached.timeout: \"0s\": expected a duration above 0, try --help\n", "--memcached.timeout=0s")},
    {BAD("--memcached.idle-timeout: \"never\": " DURATION, "--memcached.idle-timeout=never")},
    {BAD("--scrape.timeout-offset: \"1 s\": " DURATION, "--scrape.timeout-offset=1 s")},
    {BAD("--web.max-requests: \"0\": " COUNT, "--web.max-requests=0")},
    {BAD("--web.max-requests: \"1000001\": " COUNT, "--web.max-requests=1000001")},
    {BAD("--web.max-connections: \"-1\": " COUNT, "--web.max-connections=-1")},
    {BAD("--memcached.max-connecting: \"1e3\": " COUNT, "--memcached.max-connecting=1e3")},
    {BAD("--scrape.max-targets: \"99999999999999999999\": " COUNT,
         "--scrape.max-targets=99999999999999999999")},
    {BAD("--memcached.max-memory: \"0\": expected auto, or a size such as 512MiB or 4GiB, try --help\n",
         "--memcached.max-memory=0")},
    {BAD("--memcached.max-reply: \"0\": " SIZE, "--memcached.max-reply=0")},
    {BAD("--memcached.max-reply: \"MiB\": " SIZE, "--memcached.max-reply=MiB")},
    {BAD("--memcached.max-reply: \"4 MiB\": " SIZE, "--memcached.max-reply=4 MiB")},
    {BAD("--memcached.max-reply: \"4mib\": " SIZE, "--memcached.max-reply=4mib")},
    {BAD("--memcached.max-reply: \"2GiB\": " SIZE, "--memcached.max-reply=2GiB")},
    {BAD("--memcached.max-reply: \"1073741825\": " SIZE, "--memcached.max-reply=1073741825")},
    {BAD("--memcached.max-reply: \"1073741824GiB\": " SIZE, "--memcached.max-reply=1073741824GiB")},
    {BAD("--scrape.endpoint: \"on\": expected true or false, try --help\n", "--scrape.endpoint=on")},
    {BAD("--shard: \"4/4\": " SHARD, "--shard=4/4")},
    {BAD("--shard: \"2\": " SHARD, "--shard", "2")},
    {BAD_VARIABLE(PREFIX "SHARD: \"/4\": " SHARD, PREFIX "SHARD=/4")},
    {BAD("--collector.items: \"maybe\": expected true or false, try --help\n", "--collector.items=maybe")},
    {BAD("--log.level: \"fatal\": expected debug, info, warn or error, try --help\n", "--log.level=fatal")},
    {BAD("--log.format: \"text\": expected logfmt or json, try --help\n", "--log.format=text")},
    {BAD("--memcached.address: \"a,,b\": " COMMAS, "--memcached.address=a,,b")},
    {BAD("--memcached.address: \"a,\": " COMMAS, "--memcached.address=a,")},
    {BAD("--memcached.address: \",\": " COMMAS, "--memcached.address=,")},
    {BAD("--memcached.address: \"b, ,c\": " COMMAS, "--memcached.address=a", "--memcached.address=b, ,c")},
    {BAD("--web.listen-address: \"\": expected an address such as :9150 or [::1]:9150, try --help\n",
         "--web.listen-address=")},
    {BAD("--log.format: \"a\\x09b\\n\\\"\\\\\\x01\\x7f\xc3\xa9\\xc3\": expected logfmt or json, try --help\n",
         "--log.format=a\tb\n\"\\\x01\x7f\xc3\xa9\xc3")},

    /* Paths. */
    {BAD("--web.telemetry-path: \"metrics\": expected a path that begins with /, try --help\n",
         "--web.telemetry-path=metrics")},
    {BAD("--web.scrape-path: \"\": expected a path that begins with /, try --help\n", "--web.scrape-path=")},
    {BAD("--web.scrape-path: \"/\": " PATH_FIXED, "--web.scrape-path=/")},
    {BAD("--web.telemetry-path: \"/probe\": " PATH_FIXED, "--web.telemetry-path=/probe")},
    {BAD("--web.telemetry-path: \"/sd\": " PATH_FIXED, "--web.telemetry-path=/sd")},
    {BAD("--web.scrape-path: \"/-/healthy\": " PATH_FIXED, "--web.scrape-path=/-/healthy")},
    {BAD("--web.scrape-path: \"/-/ready\": " PATH_FIXED, "--web.scrape-path=/-/ready")},
    {BAD("--web.scrape-path: \"/-/reload\": " PATH_FIXED, "--web.scrape-path=/-/reload")},
    {BAD("--web.scrape-path: \"/a?b\": " PATH_BLANKS, "--web.scrape-path=/a?b")},
    {BAD("--web.scrape-path: \"/a b\": " PATH_BLANKS, "--web.scrape-path=/a b")},
    {BAD("--web.telemetry-path: \"/scrape\": expected a path other than that of --web.scrape-path, try "
         "--help\n",
         "--web.telemetry-path=/scrape")},
    {BAD("--web.scrape-path: \"/metrics\": expected a path other than that of --web.telemetry-path, try "
         "--help\n",
         "--web.scrape-path=/metrics")},

    /* Labels. */
    {BAD("--web.target-label: \"\": " LABEL, "--web.target-label=")},
    {BAD("--web.target-label: \"__name__\": " LABEL, "--web.target-label=__name__")},
    {BAD("--web.target-label: \"9a\": " LABEL, "--web.target-label=9a")},
    {BAD("--web.target-label: \"a-b\": " LABEL, "--web.target-label=a-b")},
    {BAD("--web.target-label: \"slab\": expected a label name that no metric uses already, try --help\n",
         "--web.target-label=slab")},

    /* Variables. */
    {BAD_VARIABLE(PREFIX "MEMCACHED_TIMEOUT: \"10\": " DURATION, PREFIX "MEMCACHED_TIMEOUT=10")},
    {BAD_VARIABLE(PREFIX "MEMCACHED_TIMEOUT: \"\": " DURATION, PREFIX "MEMCACHED_TIMEOUT=")},
    {BAD_VARIABLE(PREFIX "MEMCACHED_ADDRESS: \"a,,b\": " COMMAS, ADDRESS "a,,b")},
    {BAD_VARIABLE(PREFIX "MEMCACHED_ADRESS: unknown variable (did you mean " PREFIX
                         "MEMCACHED_ADDRESS?), try --help\n",
                  PREFIX "MEMCACHED_ADRESS=a")},
    {BAD_VARIABLE(PREFIX "HELP: unknown variable, try --help\n", PREFIX "HELP=1")},
    {BAD_VARIABLE(PREFIX ": unknown variable, try --help\n", PREFIX "=1")},
    {BAD_VARIABLE(PREFIX "PORT: unknown variable, try --help\n", PREFIX "PORT=9150")},
    {BAD_VARIABLE(PREFIX "PORT__TCP: unknown variable, try --help\n", PREFIX "PORT__TCP=x")},
    {BAD_VARIABLE(PREFIX "PORT_A_TCP: unknown variable, try --help\n", PREFIX "PORT_A_TCP=x")},
    {BAD_VARIABLE(PREFIX "SERVICE_PORTAL: unknown variable, try --help\n", PREFIX "SERVICE_PORTAL=x")},
    {BAD_VARIABLE(PREFIX "memcached_timeout: unknown variable, try --help\n", PREFIX "memcached_timeout=1s")},

    /* What is not allowed to stand alone. */
    {BAD("--memcached.tls.cert-file: \"c\": expected a certificate and --memcached.tls.key-file, or neither, "
         "try --help\n",
         "--memcached.tls.enable", "--memcached.tls.cert-file=c")},
    {BAD("--memcached.username: \"u\": expected --memcached.password-file as well, try --help\n",
         "--memcached.username=u")},
    {BAD("--memcached.username: \"\": expected the user whom the password belongs to, try --help\n",
         "--memcached.password-file=p")},
    {BAD_VARIABLE("--memcached.username: \"\": expected the user whom the password belongs to, try --help\n",
                  PREFIX "MEMCACHED_PASSWORD=p")},
    {BAD("--memcached.timeout: \"x\": " DURATION, "--memcached.username=u", "--memcached.timeout=x")},
};

static void tells_what_is_wrong(void **state)
{
    char line[1024];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct outcome outcome;
        parse(&outcome, errors[i].arguments, ENVIRONMENT(errors[i].variable));
        snprintf(line, sizeof(line), "memcached_fleet_exporter: %s", errors[i].line);
        assert_text(&outcome.text, line);
        assert_int_equal(outcome.code, errors[i].code);
        release(&outcome);
    }
}

static void cuts_long_values_in_errors(void **state)
{
    struct outcome outcome;
    char value[5000];
    (void) state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    parse(&outcome, ARGUMENTS("--log.level", value), NO_ENVIRONMENT);
    assert_int_equal(outcome.code, OPTIONS_USAGE);
    assert_in_range(outcome.text.len, 200, 400);
    assert_non_null(memmem(outcome.text.data, outcome.text.len, "x...\": expected", 15));
    release(&outcome);

    parse(&outcome, ARGUMENTS(value), NO_ENVIRONMENT);
    assert_int_equal(outcome.code, OPTIONS_USAGE);
    assert_in_range(outcome.text.len, 200, 400);
    release(&outcome);

    value[0] = value[1] = '-';
    parse(&outcome, ARGUMENTS(value), NO_ENVIRONMENT);
    assert_int_equal(outcome.code, OPTIONS_USAGE);
    assert_in_range(outcome.text.len, 200, 400);
    release(&outcome);
}

static void assert_label_is_refused(struct slice label)
{
    struct outcome outcome;
    char flag[256];
    snprintf(flag, sizeof(flag), "--web.target-label=%.*s", SLICE_ARG(label));
    parse(&outcome, ARGUMENTS(flag), NO_ENVIRONMENT);
    if (outcome.code != OPTIONS_USAGE) fail_msg("%s is taken, but a metric has this label", flag);
    release(&outcome);
}

/* A label of the target that replaced one of a sample's own would make two samples the same. */
static void no_label_of_a_sample_names_the_target(void **state)
{
    unsigned seen = 0;
    (void) state;
    for (unsigned row = 0; row < stats_count(); row++) {
        const struct stat_row *stat = stats_row(row);
        struct slice labels = slice_of(stat->labels ? stat->labels : "");
        if (stat->label) assert_label_is_refused(slice_of(stat->label));
        while (labels.len) {
            struct slice pair = slice_cut(&labels, ',');
            assert_label_is_refused(slice_cut(&pair, '='));
            seen++;
        }
    }
    assert_true(seen > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(cuts_long_values_in_errors),
        cmocka_unit_test(no_label_of_a_sample_names_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
