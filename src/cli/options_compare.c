/*
 * Compares options flag by flag, with the help of the table in cli/flags.c, and finds flags that have no
 * effect beside the others.
 */
#include "base/container.h"
#include "cli/flags.h"
#include "memcached/stats.h"

static bool same_value(const struct flag *flag, const struct options *a, const struct options *b)
{
    const void *value_a = (const char *) a + flag->place, *value_b = (const char *) b + flag->place;
    if (flag->type->same) return flag->type->same(flag, value_a, value_b);
    return memcmp(value_a, value_b, flag->type->size) == 0;
}

bool options_same(const struct options *a, const struct options *b, const char *prefix)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (slice_starts(slice_of(flags[i].name), prefix) && !same_value(&flags[i], a, b)) return false;
    }
    return true;
}

/* --- Flags without effect --- */

static bool serves_nothing(const struct options *options)
{
    return !options->web || options->once;
}

static bool has_given_sockets(const struct options *options)
{
    return options->systemd_socket;
}

static bool has_no_file(const struct options *options)
{
    return !options->config_file[0];
}

static bool takes_no_url_targets(const struct options *options)
{
    return !options->scrape_endpoint;
}

static bool pushes_nothing(const struct options *options)
{
    return !push_is_given(options->push.url);
}

static bool sends_nothing(const struct options *options)
{
    return !push_is_given(options->remote_write.url);
}

static bool writes_no_file(const struct options *options)
{
    return !options->textfile[0];
}

static bool runs_once(const struct options *options)
{
    return options->once;
}

static bool speaks_no_tls(const struct options *options)
{
    return !options->tls_enable;
}

static bool takes_any_certificate(const struct options *options)
{
    return options->tls_insecure_skip_verify;
}

/* A module of the file, and a later version of the file, may have the collector. */
static bool asks_for_no_detail(const struct options *options)
{
    return has_no_file(options) && !(options->collectors & COMMAND_BIT(COMMAND_DETAIL));
}

/* What makes flags useless. For a flag that several rules concern, the first rule that holds is named. */
static const struct {
    const char *prefix; /* beginning of the names of the flags */
    bool (*holds)(const struct options *in_force);
    const char *why;
} idle_rules[] = {
    {"web.listen-address", serves_nothing, "nothing is served over HTTP"},
    {"web.listen-address", has_given_sockets, "--web.systemd-socket serves on the sockets of systemd"},
    {"web.systemd-socket", serves_nothing, "nothing is served over HTTP"},
    {"web.config.file", serves_nothing, "nothing is served over HTTP"},
    {"web.telemetry-path", serves_nothing, "nothing is served over HTTP"},
    {"web.scrape-path", serves_nothing, "nothing is served over HTTP"},
    {"web.scrape-path", takes_no_url_targets, "--no-scrape.endpoint switches that path off"},
    {"web.max-", serves_nothing, "nothing is served over HTTP"},
    {"web.enable-lifecycle", serves_nothing, "nothing is served over HTTP"},
    {"web.enable-lifecycle", has_no_file, "there is no --config.file to read again"},
    {"scrape.", serves_nothing, "nothing is served over HTTP"},
    {"scrape.allow", takes_no_url_targets, "--no-scrape.endpoint lets no URL name a server"},
    {"scrape.deny", takes_no_url_targets, "--no-scrape.endpoint lets no URL name a server"},
    {"scrape.max-targets", takes_no_url_targets, "--no-scrape.endpoint lets no URL name a server"},
    {"output.interval", writes_no_file, "no file is written without --output.textfile"},
    {"output.interval", runs_once, "the file is written a single time"},
    {"push.", pushes_nothing, "nothing is pushed without --push.url"},
    {"remote-write.", sends_nothing, "nothing is sent without --remote-write.url"},
    {"remote-write.interval", runs_once, "the metrics are sent a single time"},
    {"push.interval", runs_once, "the metrics are pushed a single time"},
    {"push.delete-on-exit", runs_once, "what is pushed a single time has to stay"},
    {"memcached.tls.", speaks_no_tls, "connections are without TLS unless --memcached.tls.enable is given"},
    {"memcached.tls.ca-file", takes_any_certificate,
     "--memcached.tls.insecure-skip-verify takes any certificate"},
    {"collector.detail.max-prefixes", asks_for_no_detail, "--collector.detail is off"},
};

/* Returns why the flag has no effect, or NULL if it has one. */
static const char *why_idle(const struct flag *flag, const struct options *in_force)
{
    for (size_t i = 0; i < ARRAY_LEN(idle_rules); i++) {
        bool concerns = slice_starts(slice_of(flag->name), idle_rules[i].prefix);
        if (concerns && idle_rules[i].holds(in_force)) return idle_rules[i].why;
    }
    return NULL;
}

/* --- The lists for the log --- */

/* Appends the line of one flag that was given, or nothing. */
typedef void (*append_line_fn)(const struct flag *flag, const struct options *given,
                               const struct options *in_force, struct buffer *out);

/* Calls `append` for each flag that was given, which means that its value is not the default. */
static void for_each_given(const struct options *given, const struct options *in_force, append_line_fn append,
                           struct buffer *out)
{
    char *const nothing[] = {NULL};
    struct options defaults;
    struct buffer text;
    buffer_init(&text, OPTIONS_TEXT_MAX);
    if (options_parse(&defaults, nothing, nothing, &text) != OPTIONS_RUN) out->failed = true;
    for (size_t i = 0; i < flags_count && !out->failed; i++) {
        if (same_value(&flags[i], given, &defaults)) continue;
        append(&flags[i], given, in_force, out);
    }
    options_deinit(&defaults);
    buffer_deinit(&text);
}

static void append_if_overruled(const struct flag *flag, const struct options *given,
                                const struct options *in_force, struct buffer *out)
{
    if (same_value(flag, given, in_force)) return;
    flag_append_spelling(flag, false, out);
    buffer_append_char(out, '\n');
}

static void append_if_idle(const struct flag *flag, const struct options *given,
                           const struct options *in_force, struct buffer *out)
{
    const char *why = why_idle(flag, in_force);
    (void) given;
    if (!why) return;
    flag_append_spelling(flag, false, out);
    buffer_printf(out, ": %s\n", why);
}

void options_append_overruled(const struct options *given, const struct options *in_force, struct buffer *out)
{
    for_each_given(given, in_force, append_if_overruled, out);
}

void options_append_idle(const struct options *given, const struct options *in_force, struct buffer *out)
{
    for_each_given(given, in_force, append_if_idle, out);
}
