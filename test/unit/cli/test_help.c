#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/version.h"
#include "cli/flags.h"
#include "parsed_options.h"

static void assert_holds(const struct buffer *text, const char *part)
{
    if (!memmem(text->data, text->len, part, strlen(part))) fail_msg("no '%s' in the text", part);
}

static void shows_help(void **state)
{
    static const char beginning[] =
        "usage: memcached_fleet_exporter [<flags>]\n\n"
        "Scrapes a whole fleet of memcached servers in one answer for Prometheus.\n\n"
        "Commands:\n"
        "  check [<flags>] [<target>...]\n"
        "                                 Asks the servers once and reports on each: how\n";
    static const char flags_begin[] =
        "\n\nFlags:\n"
        "  -h, --help                     Show this help.\n\n"
        "Configuration file:\n"
        "      --config.file=\"\"           YAML file that says what to scrape and how. Its\n";
    static const char address[] =
        "\n      --memcached.address=localhost:11211 ...\n"
        "                                 Servers that /metrics asks: host:port, host,\n";
    static const char timeout[] =
        "\n      --memcached.timeout=1s     Time limit for one server, from resolving its\n"
        "                                 name to the last line of its answer.\n"
        "                                 ($MEMCACHED_FLEET_EXPORTER_MEMCACHED_TIMEOUT)\n"
        "      --memcached.pid-file=\"\"    File";
    static const char collector[] =
        "\n      --[no-]collector.items     Ask the servers for \"stats items\". (default:\n"
        "                                 enabled)\n"
        "                                 ($MEMCACHED_FLEET_EXPORTER_COLLECTOR_ITEMS)\n";
    struct outcome outcome, other;
    (void) state;
    /* Neither an unknown variable nor what follows keeps the help away. */
    parse(&outcome, ARGUMENTS("-h", "--bogus"), ENVIRONMENT(PREFIX "BOGUS=1"));
    assert_int_equal(outcome.code, OPTIONS_TEXT);
    assert_true(slice_starts(buffer_slice(&outcome.text), beginning));
    assert_holds(&outcome.text, "\n  top [<flags>] [<target>...]\n");
    assert_holds(&outcome.text, flags_begin);
    assert_holds(&outcome.text, address);
    assert_holds(&outcome.text, timeout);
    assert_holds(&outcome.text, "\n      --[no-]web.systemd-socket  Serve");
    assert_holds(&outcome.text, collector);
    assert_int_equal(outcome.text.data[outcome.text.len - 1], '\n');
    assert_null(memmem(outcome.text.data, outcome.text.len, "help-man", 8));

    for (unsigned n = 0; n < 2; n++) {
        parse(&other, ARGUMENTS(n ? "--help-long" : "--help"), NO_ENVIRONMENT);
        assert_int_equal(other.code, OPTIONS_TEXT);
        assert_true(slice_equal(buffer_slice(&outcome.text), buffer_slice(&other.text)));
        release(&other);
    }
    release(&outcome);
}

/* Every line of help is narrow enough, but for words that cannot be broken. */
static void wraps_help(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--help"), NO_ENVIRONMENT);
    struct slice rest = buffer_slice(&outcome.text);
    while (rest.data) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len <= 80) continue;
        assert_null(memchr(line.data + 33, ' ', line.len - 33));
    }
    release(&outcome);
}

static void help_and_manual_name_every_flag(void **state)
{
    struct outcome help, manual;
    (void) state;
    parse(&help, ARGUMENTS("--help"), NO_ENVIRONMENT);
    parse(&manual, ARGUMENTS("--help-man"), NO_ENVIRONMENT);
    assert_int_equal(manual.code, OPTIONS_TEXT);
    assert_true(slice_starts(buffer_slice(&manual.text), ".TH MEMCACHED_FLEET_EXPORTER 1 "));
    for (size_t i = 0; i < flags_count; i++) {
        char name[64], variable[128], escaped[160];
        bool is_switch = flags[i].type->shape == FLAG_SWITCH;
        if (flags[i].hidden) continue;
        snprintf(name, sizeof(name), "%s%s", is_switch ? "--[no-]" : "--", flags[i].name);
        assert_holds(&help.text, name);

        size_t len = 0;
        for (const char *c = name; *c; c++) {
            if (*c == '-') escaped[len++] = '\\';
            escaped[len++] = *c;
        }
        escaped[len] = '\0';
        assert_holds(&manual.text, escaped);

        if (flags[i].type == &flag_action) continue;
        variable_of(flags[i].name, "", variable, sizeof(variable));
        variable[strlen(variable) - 1] = ')';
        assert_holds(&help.text, variable);
        assert_holds(&manual.text, variable);
    }
    release(&help);
    release(&manual);
}

/* Every heading of --help is a section of the manual's flags. */
static void groups_flags(void **state)
{
    struct outcome help, manual;
    size_t groups = 0;
    (void) state;
    parse(&help, ARGUMENTS("--help"), NO_ENVIRONMENT);
    parse(&manual, ARGUMENTS("--help-man"), NO_ENVIRONMENT);
    for (size_t i = 0; i < flags_count; i++) {
        char heading[64];
        if (!flags[i].group) continue;
        groups++;
        snprintf(heading, sizeof(heading), "\n\n%s:\n", flags[i].group);
        assert_holds(&help.text, heading);
        snprintf(heading, sizeof(heading), "\n.SS %s\n", flags[i].group);
        assert_holds(&manual.text, heading);
    }
    assert_true(groups > 4);
    release(&help);
    release(&manual);
}

static void shows_the_version(void **state)
{
    struct outcome outcome;
    char expected[512];
    (void) state;
    snprintf(expected, sizeof(expected),
             "memcached_fleet_exporter, version %s (branch: %s, revision: %s)\n"
             "  compiler:         %s\n"
             "  platform:         %s/%s\n",
             build_info.version, build_info.branch, build_info.revision, build_info.compiler, build_info.os,
             build_info.arch);
    parse(&outcome, ARGUMENTS("--version"), NO_ENVIRONMENT);
    assert_int_equal(outcome.code, OPTIONS_TEXT);
    assert_text(&outcome.text, expected);
    release(&outcome);

    assert_non_null(strpbrk(build_info.version, "0123456789"));
    assert_string_not_equal(build_info.compiler, "unknown");
    assert_true(build_info.revision[0] && build_info.branch[0]);
    assert_null(strchr(build_info.revision, '@'));
    assert_null(strchr(build_info.branch, '@'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_help),
        cmocka_unit_test(wraps_help),
        cmocka_unit_test(help_and_manual_name_every_flag),
        cmocka_unit_test(groups_flags),
        cmocka_unit_test(shows_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
