#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "cli/flags.h"
#include "memcached/stats.h"
#include "parsed_options.h"

#define SECOND UINT64_C(1000000000)

/* "a|b" for the items a and b. */
static void assert_list(const struct string_list *list, const char *expected)
{
    struct buffer joined;
    buffer_init(&joined, 4096);
    for (size_t i = 0; i < list->count; i++) {
        if (i) buffer_append_char(&joined, '|');
        buffer_append_string(&joined, list->items[i]);
    }
    assert_text(&joined, expected);
    buffer_deinit(&joined);
}

static const unsigned all_collectors = SLAB_SUMMARY | COMMAND_BIT(COMMAND_STATS) |
                                       COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_ITEMS) |
                                       COMMAND_BIT(COMMAND_SLABS);

static void has_the_documented_defaults(void **state)
{
    struct outcome outcome;
    const struct options *options = &outcome.options;
    (void) state;
    parse(&outcome, ARGUMENTS(NULL), NO_ENVIRONMENT);
    assert_runs(&outcome);

    assert_list(&options->addresses, "localhost:11211");
    assert_list(&options->listen_addresses, ":9150");
    assert_int_equal(options->timeout_ns, SECOND);
    assert_int_equal(options->idle_timeout_ns, 300 * SECOND);
    assert_int_equal(options->timeout_offset_ns, SECOND / 4);
    assert_string_equal(options->config_file, "");
    assert_false(options->config_check);
    assert_false(options->enable_lifecycle);
    assert_string_equal(options->pid_file, "");
    assert_string_equal(options->telemetry_path, "/metrics");
    assert_string_equal(options->scrape_path, "/scrape");
    assert_string_equal(options->target_label, "instance");
    assert_string_equal(options->web_config_file, "");
    assert_string_equal(options->tls_ca_file, "");
    assert_string_equal(options->tls_cert_file, "");
    assert_string_equal(options->tls_key_file, "");
    assert_string_equal(options->tls_server_name, "");
    assert_int_equal(options->max_connecting, 256);
    assert_int_equal(options->max_reply, 4 << 20);
    assert_int_equal(options->max_connections, 512);
    assert_int_equal(options->max_requests, 64);
    assert_int_equal(options->max_targets, 10000);
    assert_int_equal(options->collectors, all_collectors);
    assert_true(options->scrape_endpoint);
    assert_false(options->systemd_socket);
    assert_false(options->disable_exporter_metrics);
    assert_false(options->tls_enable);
    assert_false(options->tls_insecure_skip_verify);
    assert_int_equal(options->log_level, LOG_INFO);
    assert_int_equal(options->log_format, LOG_LOGFMT);
    release(&outcome);
}

/* A file says what is scraped, so that nothing is by default; what was given counts. */
static void has_no_default_address_beside_a_file(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--config.file=f"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_string_equal(outcome.options.config_file, "f");
    assert_list(&outcome.options.addresses, "");
    release(&outcome);

    parse(&outcome, ARGUMENTS("--config.file="), NO_ENVIRONMENT);
    assert_list(&outcome.options.addresses, "localhost:11211");
    release(&outcome);

    parse(&outcome, ARGUMENTS("--memcached.address=a"), ENVIRONMENT(PREFIX "CONFIG_FILE=f"));
    assert_string_equal(outcome.options.config_file, "f");
    assert_list(&outcome.options.addresses, "a");
    release(&outcome);

    parse(&outcome, ARGUMENTS(NULL), ENVIRONMENT(PREFIX "CONFIG_FILE=f"));
    assert_list(&outcome.options.addresses, "");
    release(&outcome);
}

static void takes_an_empty_argv(void **state)
{
    struct options options;
    struct buffer text;
    (void) state;
    buffer_init(&text, OPTIONS_TEXT_MAX);
    assert_int_equal(options_parse(&options, (char *[]){NULL}, (char *[]){NULL}, &text), OPTIONS_RUN);
    assert_list(&options.addresses, "localhost:11211");
    options_deinit(&options);
    buffer_deinit(&text);
}

/* Where a number, switch or choice ends up, and how wide it is. */
#define WIDE(member)   offsetof(struct options, member), sizeof(uint64_t)
#define NARROW(member) offsetof(struct options, member), sizeof(unsigned)
#define BIT(member)    offsetof(struct options, member), sizeof(bool)

static const struct {
    const char *flag, *value;
    size_t place, size;
    uint64_t expected;
} values[] = {
    {"memcached.timeout", "1m30s", WIDE(timeout_ns), 90 * SECOND},
    {"memcached.timeout", "1ns", WIDE(timeout_ns), 1},
    {"memcached.idle-timeout", "0", WIDE(idle_timeout_ns), 0},
    {"memcached.idle-timeout", "1h", WIDE(idle_timeout_ns), 3600 * SECOND},
    {"scrape.timeout-offset", "0s", WIDE(timeout_offset_ns), 0},
    {"scrape.timeout-offset", "1.5s", WIDE(timeout_offset_ns), SECOND * 3 / 2},
    {"memcached.max-connecting", "1", NARROW(max_connecting), 1},
    {"web.max-connections", "1000000", NARROW(max_connections), 1000000},
    {"web.max-requests", "7", NARROW(max_requests), 7},
    {"scrape.max-targets", "8", NARROW(max_targets), 8},
    {"memcached.max-memory", "auto", WIDE(max_memory), 0},
    {"memcached.max-memory", "64GiB", WIDE(max_memory), UINT64_C(64) << 30},
    {"memcached.max-reply", "1", WIDE(max_reply), 1},
    {"memcached.max-reply", "65536B", WIDE(max_reply), 65536},
    {"memcached.max-reply", "3KiB", WIDE(max_reply), 3 << 10},
    {"memcached.max-reply", "3KB", WIDE(max_reply), 3 << 10},
    {"memcached.max-reply", "3MiB", WIDE(max_reply), 3 << 20},
    {"memcached.max-reply", "3MB", WIDE(max_reply), 3 << 20},
    {"memcached.max-reply", "1GiB", WIDE(max_reply), 1 << 30},
    {"memcached.max-reply", "1GB", WIDE(max_reply), 1 << 30},
    {"log.level", "debug", NARROW(log_level), LOG_DEBUG},
    {"log.level", "info", NARROW(log_level), LOG_INFO},
    {"log.level", "WARN", NARROW(log_level), LOG_WARN},
    {"log.level", "error", NARROW(log_level), LOG_ERROR},
    {"log.format", "logfmt", NARROW(log_format), LOG_LOGFMT},
    {"log.format", "json", NARROW(log_format), LOG_JSON},
    {"web.enable-lifecycle", "true", BIT(enable_lifecycle), 1},
    {"web.systemd-socket", "true", BIT(systemd_socket), 1},
    {"web.systemd-socket", "1", BIT(systemd_socket), 1},
    {"web.disable-exporter-metrics", "yes", BIT(disable_exporter_metrics), 1},
    {"web.disable-exporter-metrics", "True", BIT(disable_exporter_metrics), 1},
    {"web.disable-exporter-metrics", "t", BIT(disable_exporter_metrics), 1},
    {"scrape.endpoint", "FALSE", BIT(scrape_endpoint), 0},
    {"scrape.endpoint", "F", BIT(scrape_endpoint), 0},
    {"collector.build", "false", BIT(collect_build), 0},
    {"collector.telemetry", "0", BIT(collect_telemetry), 0},
    {"collector.process", "no", BIT(collect_process), 0},
    {"scrape.endpoint", "false", BIT(scrape_endpoint), 0},
    {"scrape.endpoint", "0", BIT(scrape_endpoint), 0},
    {"scrape.endpoint", "no", BIT(scrape_endpoint), 0},
    {"memcached.tls.enable", "false", BIT(tls_enable), 0},
    {"collector.settings", "false", NARROW(collectors), all_collectors & ~COMMAND_BIT(COMMAND_SETTINGS)},
    {"collector.items", "false", NARROW(collectors),
     all_collectors & ~(SLAB_SUMMARY | COMMAND_BIT(COMMAND_ITEMS))},
    {"collector.slabs", "false", NARROW(collectors),
     all_collectors & ~(SLAB_SUMMARY | COMMAND_BIT(COMMAND_SLABS))},
    {"collector.slabs", "true", NARROW(collectors), all_collectors},
    {"collector.slab-summary", "false", NARROW(collectors), all_collectors & ~SLAB_SUMMARY},
};

static void assert_value(const struct outcome *outcome, size_t row)
{
    uint64_t wide;
    unsigned narrow;
    bool bit;
    const char *at = (const char *) &outcome->options + values[row].place;
    assert_runs(outcome);
    memcpy(&bit, at, sizeof(bit));
    memcpy(&narrow, at, sizeof(narrow));
    memcpy(&wide, at, sizeof(wide));
    if (values[row].size == sizeof(bit)) wide = bit;
    if (values[row].size == sizeof(narrow)) wide = narrow;
    assert_int_equal(wide, values[row].expected);
}

static void reads_values_in_every_form(void **state)
{
    char joined[256], flag[256], variable[256];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct outcome outcome;
        snprintf(joined, sizeof(joined), "--%s=%s", values[i].flag, values[i].value);
        parse(&outcome, ARGUMENTS(joined), NO_ENVIRONMENT);
        assert_value(&outcome, i);
        release(&outcome);

        variable_of(values[i].flag, values[i].value, variable, sizeof(variable));
        parse(&outcome, ARGUMENTS(NULL), ENVIRONMENT("HOME=/", variable));
        assert_value(&outcome, i);
        release(&outcome);

        if (flag_find(slice_of(values[i].flag))->type->shape == FLAG_SWITCH) continue;
        snprintf(flag, sizeof(flag), "--%s", values[i].flag);
        parse(&outcome, ARGUMENTS(flag, values[i].value), NO_ENVIRONMENT);
        assert_value(&outcome, i);
        release(&outcome);
    }
}

static void takes_switches_by_name(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--web.systemd-socket", "--no-scrape.endpoint", "--no-collector.items", "--"),
          NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_true(outcome.options.systemd_socket);
    assert_false(outcome.options.scrape_endpoint);
    assert_int_equal(outcome.options.collectors,
                     all_collectors & ~(SLAB_SUMMARY | COMMAND_BIT(COMMAND_ITEMS)));
    release(&outcome);

    parse(&outcome, ARGUMENTS("--no-collector.items", "--no-collector.slabs", "--no-collector.settings"),
          NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_int_equal(outcome.options.collectors, COMMAND_BIT(COMMAND_STATS));
    release(&outcome);
}

static void reads_strings(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome,
          ARGUMENTS("--memcached.pid-file=/run/a=b.pid", "--web.telemetry-path", "/m/x",
                    "--web.scrape-path=/s", "--web.target-label=_Server9"),
          NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_string_equal(outcome.options.pid_file, "/run/a=b.pid");
    assert_string_equal(outcome.options.telemetry_path, "/m/x");
    assert_string_equal(outcome.options.scrape_path, "/s");
    assert_string_equal(outcome.options.target_label, "_Server9");
    release(&outcome);
}

static void reads_shards(void **state)
{
    static const struct {
        const char *argument, *variable;
        unsigned index, count;
    } rows[] = {
        {NULL, NULL, 0, 1},
        {"--shard=2/3", NULL, 2, 3},
        {NULL, PREFIX "SHARD=exporter-1/4", 1, 4},
        {"--shard=0/3", PREFIX "SHARD=1/4", 0, 3},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct outcome outcome;
        parse(&outcome, ARGUMENTS(rows[n].argument),
              rows[n].variable ? ENVIRONMENT(rows[n].variable) : NO_ENVIRONMENT);
        assert_runs(&outcome);
        assert_int_equal(outcome.options.shard.index, rows[n].index);
        assert_int_equal(outcome.options.shard.count, rows[n].count);
        release(&outcome);
    }
}

/* Paths may trade places: each is checked against the other's value, not its default. */
static void paths_may_be_swapped(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--web.telemetry-path=/scrape", "--web.scrape-path=/metrics"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    release(&outcome);
}

#define ADDRESS PREFIX "MEMCACHED_ADDRESS="

static const struct {
    const char *arguments[ARGS_MAX + 1];
    const char *variable;
    const char *expected;
} lists[] = {
    {{"--memcached.address=a"}, NULL, "a"},
    {{"--memcached.address", "a", "--memcached.address=b"}, NULL, "a|b"},
    {{"--memcached.address=a,b", "--memcached.address=[::1]:1,unix:/s"}, NULL, "a|b|[::1]:1|unix:/s"},
    {{"--memcached.address= a, b "}, NULL, "a|b"},
    {{"--memcached.address=a", "--memcached.address=a"}, NULL, "a|a"},
    {{"--memcached.address="}, NULL, ""},
    {{"--memcached.address", ""}, NULL, ""},
    {{NULL}, ADDRESS "a,b", "a|b"},
    {{NULL}, ADDRESS, ""},
    {{"--memcached.address=c"}, ADDRESS "a,b", "c"},
    {{"--memcached.address="}, ADDRESS "a,b", ""},
    {{"--memcached.address=c"}, ADDRESS "a,,b", "c"},
};

static void reads_lists(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct outcome outcome;
        parse(&outcome, lists[i].arguments, ENVIRONMENT(lists[i].variable));
        assert_runs(&outcome);
        assert_list(&outcome.options.addresses, lists[i].expected);
        release(&outcome);
    }
}

static void listens_on_several_addresses(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--web.listen-address=:1", "--web.listen-address=[::1]:2"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_list(&outcome.options.listen_addresses, ":1|[::1]:2");
    release(&outcome);
}

static void the_command_line_wins(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS("--memcached.timeout=2s", "--collector.slabs"),
          ENVIRONMENT(PREFIX "MEMCACHED_TIMEOUT=3s", PREFIX "COLLECTOR_SLABS=false",
                      PREFIX "WEB_MAX_REQUESTS=5", PREFIX "WEB_MAX_REQUESTS=6"));
    assert_runs(&outcome);
    assert_int_equal(outcome.options.timeout_ns, 2 * SECOND);
    assert_int_equal(outcome.options.collectors, all_collectors);
    /* Of a variable that is there twice, getenv finds the first. */
    assert_int_equal(outcome.options.max_requests, 5);
    release(&outcome);
}

static void passes_over_service_links(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome, ARGUMENTS(NULL),
          ENVIRONMENT(PREFIX "SERVICE_HOST=10.0.0.1", PREFIX "SERVICE_PORT=9150",
                      PREFIX "SERVICE_PORT_HTTP=9150", PREFIX "PORT=tcp://10.0.0.1:9150",
                      PREFIX "PORT_9150_TCP=tcp://10.0.0.1:9150", PREFIX "PORT_9150_TCP_PROTO=tcp",
                      PREFIX "PORT_9150_TCP_PORT=9150", PREFIX "PORT_9150_TCP_ADDR=10.0.0.1",
                      PREFIX "PORT_53_UDP=udp://10.0.0.1:53", PREFIX "PORT_7_SCTP=sctp://10.0.0.1:7",
                      PREFIX "WEST_SERVICE_HOST=10.0.0.2", PREFIX "WEST_SERVICE_PORT=1",
                      PREFIX "PORT_X_PORT_1_TCP=tcp://10.0.0.1:1", "MEMCACHED_FLEET_EXPORTER=x",
                      "OTHER_MEMCACHED_FLEET_EXPORTER_X=y"));
    assert_runs(&outcome);
    release(&outcome);
}

static void takes_tls_flags_at_their_default(void **state)
{
    struct outcome outcome;
    (void) state;
    parse(&outcome,
          ARGUMENTS("--memcached.tls.enable=false", "--no-memcached.tls.insecure-skip-verify",
                    "--memcached.tls.ca-file=", "--web.config.file", ""),
          NO_ENVIRONMENT);
    assert_runs(&outcome);
    release(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_documented_defaults),
        cmocka_unit_test(has_no_default_address_beside_a_file),
        cmocka_unit_test(takes_an_empty_argv),
        cmocka_unit_test(reads_values_in_every_form),
        cmocka_unit_test(takes_switches_by_name),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(reads_shards),
        cmocka_unit_test(paths_may_be_swapped),
        cmocka_unit_test(reads_lists),
        cmocka_unit_test(listens_on_several_addresses),
        cmocka_unit_test(the_command_line_wins),
        cmocka_unit_test(passes_over_service_links),
        cmocka_unit_test(takes_tls_flags_at_their_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
