/*
 * Reads argv and the environment in three passes: the command line, the environment, the defaults. Each pass
 * sets only the flags that earlier passes did not set. So the command line has precedence, and its lists
 * replace those of the environment.
 *
 * The first error ends the reading; its line is in `text`. Flags such as --help also end it, before the
 * environment is read. So they work even if the environment has errors.
 */
#include "cli/options.h"

#include "base/container.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "base/version.h"
#include "cli/arguments.h"
#include "cli/flags.h"
#include "memcached/stats.h"

#include <stdlib.h>

enum source { FROM_NOWHERE, FROM_ARGUMENT, FROM_ENVIRONMENT, FROM_DEFAULT };

struct parser {
    struct options *options;
    struct buffer *text;
    enum source sources[FLAGS_MAX]; /* origin of each flag's value */
};

static enum source *source_of(struct parser *parser, const struct flag *flag)
{
    return &parser->sources[flag - flags];
}

/* Returns true if the flag is on the command line, not only in the environment. */
static bool is_argument(struct parser *parser, const char *name)
{
    return *source_of(parser, flag_find(slice_of(name))) == FROM_ARGUMENT;
}

static void *place_of(const struct parser *parser, const struct flag *flag)
{
    return (char *) parser->options + flag->place;
}

/* Begins an error with what the user wrote: a flag, a variable or another argument. */
static void begin_error(struct parser *parser, struct slice name)
{
    buffer_clear(parser->text);
    buffer_append_string(parser->text, PROGRAM_NAME ": ");
    arguments_append_visible(parser->text, name);
    buffer_append_string(parser->text, ": ");
}

/* Begins an error about a known flag. Names the flag or its variable, whichever the user set. */
static void begin_flag_error(struct parser *parser, const struct flag *flag)
{
    buffer_clear(parser->text);
    buffer_append_string(parser->text, PROGRAM_NAME ": ");
    flag_append_spelling(flag, *source_of(parser, flag) == FROM_ENVIRONMENT, parser->text);
    buffer_append_string(parser->text, ": ");
}

static enum options_outcome end_usage(struct parser *parser, const char *what)
{
    buffer_append_string(parser->text, what);
    buffer_append_string(parser->text, ", try --help\n");
    return OPTIONS_USAGE;
}

static enum options_outcome end_without_memory(struct parser *parser)
{
    buffer_clear(parser->text);
    buffer_append_string(parser->text, PROGRAM_NAME ": out of memory\n");
    return OPTIONS_FAILED;
}

static enum options_outcome reject_value(struct parser *parser, const struct flag *flag, struct slice value,
                                         const char *expected)
{
    if (expected == flag_out_of_memory) return end_without_memory(parser);
    begin_flag_error(parser, flag);
    buffer_append_char(parser->text, '"');
    arguments_append_visible(parser->text, value);
    buffer_append_string(parser->text, "\": expected ");
    return end_usage(parser, expected);
}

/*
 * For a flag that does not go together with the other flags. Names a switch that is off as users write it,
 * "--no-web".
 */
static enum options_outcome reject_switch(struct parser *parser, const char *name, const char *why)
{
    const struct flag *flag = flag_find(slice_of(name));
    bool off = flag->type == &flag_switch && !*(const bool *) place_of(parser, flag);
    begin_flag_error(parser, flag);
    if (off && is_argument(parser, name)) {
        buffer_clear(parser->text);
        buffer_printf(parser->text, PROGRAM_NAME ": --no-%s: ", name);
    }
    return end_usage(parser, why);
}

static enum options_outcome set_flag(struct parser *parser, const struct flag *flag, enum source source,
                                     struct slice value)
{
    *source_of(parser, flag) = source;
    const char *expected = flag->type->read(flag, place_of(parser, flag), value);
    return expected ? reject_value(parser, flag, value, expected) : OPTIONS_RUN;
}

/* Ends an error about an unknown flag or variable. Suggests the one that was probably meant. */
static enum options_outcome end_unknown(struct parser *parser, struct slice written, bool variable)
{
    const struct flag *nearest = flag_nearest(written, variable);
    buffer_printf(parser->text, "unknown %s", variable ? "variable" : "flag");
    if (!nearest) return end_usage(parser, "");
    buffer_append_string(parser->text, " (did you mean ");
    flag_append_spelling(nearest, variable, parser->text);
    return end_usage(parser, "?)");
}

/* One flag as the user wrote it: "--name=value", "--no-name", "-h". */
struct argument {
    struct slice written; /* the flag without its value */
    struct slice value;
    bool has_value;
    bool negated;
    const struct flag *flag; /* NULL if the flag is unknown */
};

static struct argument take_apart(const char *text)
{
    struct slice rest = slice_of(text);
    struct argument argument = {.written = slice_cut(&rest, '=')};
    argument.has_value = rest.data;
    argument.value = rest;
    if (slice_is(argument.written, "-h")) argument.flag = flag_find(SLICE("help"));
    if (!slice_starts(argument.written, "--")) return argument;

    struct slice name = slice_from(argument.written, strlen("--"));
    argument.flag = flag_find(name);
    if (argument.flag || !slice_starts(name, "no-")) return argument;
    const struct flag *flag = flag_find(slice_from(name, strlen("no-")));
    if (!flag || flag->type->shape != FLAG_SWITCH) return argument;
    argument.flag = flag;
    argument.negated = true;
    return argument;
}

/* Reads one flag. `next` is the argument after it, or NULL. Sets `used` if `next` was the flag's value. */
static enum options_outcome read_flag(struct parser *parser, struct argument argument, const char *next,
                                      bool *used)
{
    const struct flag *flag = argument.flag;
    enum flag_shape shape = flag->type->shape;
    begin_error(parser, argument.written);
    if (argument.has_value && (shape == FLAG_ACTION || argument.negated))
        return end_usage(parser, "takes no value");
    if (shape == FLAG_ACTION) {
        buffer_clear(parser->text);
        flag->print(parser->text);
        return OPTIONS_TEXT;
    }
    if (*source_of(parser, flag) != FROM_NOWHERE && shape != FLAG_LIST)
        return end_usage(parser, "cannot be repeated");
    if (!argument.has_value && shape == FLAG_SWITCH)
        return set_flag(parser, flag, FROM_ARGUMENT, argument.negated ? SLICE("false") : SLICE("true"));
    if (argument.has_value) return set_flag(parser, flag, FROM_ARGUMENT, argument.value);
    if (!next || strncmp(next, "--", 2) == 0) return end_usage(parser, "expected a value");
    *used = true;
    return set_flag(parser, flag, FROM_ARGUMENT, slice_of(next));
}

/* Rejects an argument that is no flag: a command in the wrong place, a flag without --, a value, a server. */
static enum options_outcome end_unexpected(struct parser *parser, const char *argument)
{
    struct nearest nearest;
    struct slice text = slice_of(argument), rest = text, name = slice_cut(&rest, '=');
    begin_error(parser, text.len > 0 ? text : SLICE("(empty)"));
    buffer_append_string(parser->text, "unexpected argument");
    nearest_init(&nearest, text);
    for (size_t n = 0; n < cli_command_count; n++) nearest_try(&nearest, cli_commands[n].name);
    if (nearest.name && slice_is(text, nearest.name)) return end_usage(parser, "; a command comes first");
    if (slice_is(text, "true") || slice_is(text, "false"))
        return end_usage(parser, "; a switch is written --flag, --no-flag or --flag=false");
    bool bare = flag_find(name);
    if (!bare && nearest.name) name = slice_of(nearest.name);
    if (bare || nearest.name) {
        buffer_printf(parser->text, " (did you mean %s%.*s?)", bare ? "--" : "", (int) name.len, name.data);
        return end_usage(parser, "");
    }
    return end_usage(parser, "; expected a flag or a command; servers are named by --memcached.address");
}

static enum options_outcome read_arguments(struct parser *parser, char *const *argv)
{
    enum options_outcome outcome = OPTIONS_RUN;
    bool flags_ended = false;
    for (; *argv && outcome == OPTIONS_RUN; argv++) {
        if (!flags_ended && strcmp(*argv, "--") == 0) {
            flags_ended = true;
            continue;
        }
        struct argument argument = take_apart(*argv);
        if (flags_ended || **argv != '-' || strcmp(*argv, "-") == 0) {
            if (parser->options->check || parser->options->top) {
                outcome =
                    set_flag(parser, flag_find(SLICE("memcached.address")), FROM_ARGUMENT, slice_of(*argv));
                continue;
            }
            return end_unexpected(parser, *argv);
        }
        if (!argument.flag) {
            begin_error(parser, argument.written);
            return end_unknown(parser, argument.written, false);
        }
        bool used = false;
        outcome = read_flag(parser, argument, argv[1], &used);
        if (used) argv++;
    }
    return outcome;
}

static enum options_outcome read_command_line(struct parser *parser, char *const *argv)
{
    struct arguments arguments;
    enum options_outcome outcome = OPTIONS_FAILED;
    buffer_clear(parser->text);
    buffer_append_string(parser->text, PROGRAM_NAME ": ");
    size_t prefix = parser->text->len;
    int result = arguments_expand(&arguments, argv, parser->text);
    if (result == 0)
        outcome = read_arguments(parser, arguments.items);
    else if (parser->text->len == prefix)
        buffer_append_string(parser->text, "out of memory\n");
    else
        buffer_append_char(parser->text, '\n');
    arguments_deinit(&arguments);
    return outcome;
}

/* Returns the text after the first `word`; data is NULL if `word` is not in the text. */
static struct slice behind(struct slice text, const char *word)
{
    size_t len = strlen(word);
    const char *at = text.len ? memmem(text.data, text.len, word, len) : NULL;
    if (!at) return (struct slice){NULL, 0};
    return slice_from(text, (size_t) (at - text.data) + len);
}

/* Returns true if the container runtime made this variable for a service. cli/options.h lists the forms. */
static bool is_service_link(struct slice name, struct slice value)
{
    /* Includes the last underscore of our prefix, because the name of the service ends before it. */
    struct slice rest = slice_from(name, strlen(FLAG_VARIABLE_PREFIX) - 1);
    struct slice port = behind(rest, "_SERVICE_PORT");
    if (port.data && (port.len == 0 || port.data[0] == '_')) return true;
    if (slice_ends(rest, "_SERVICE_HOST")) return true;
    if (slice_ends(rest, "_PORT") && behind(value, "://").data) return true;
    while ((rest = behind(rest, "_PORT_")).data) {
        size_t digits = 0;
        while (digits < rest.len && rest.data[digits] >= '0' && rest.data[digits] <= '9') digits++;
        struct slice protocol = slice_from(rest, digits);
        if (digits == 0) continue;
        if (slice_starts(protocol, "_TCP") || slice_starts(protocol, "_UDP")) return true;
        if (slice_starts(protocol, "_SCTP")) return true;
    }
    return false;
}

/* The password has only a variable and no flag, because all users can see the command line of a process. */
static enum options_outcome read_password(struct parser *parser, struct slice value)
{
    struct options *options = parser->options;
    if (value.len && !options->password) options->password = strndup(value.data, value.len);
    return !value.len || options->password ? OPTIONS_RUN : end_without_memory(parser);
}

static enum options_outcome read_environment(struct parser *parser, char *const *environment)
{
    enum options_outcome outcome = OPTIONS_RUN;
    for (; *environment && outcome == OPTIONS_RUN; environment++) {
        struct slice value = slice_of(*environment);
        struct slice name = slice_cut(&value, '=');
        if (!slice_starts(name, FLAG_VARIABLE_PREFIX)) continue;
        if (slice_is(name, FLAG_VARIABLE_PREFIX "MEMCACHED_PASSWORD")) {
            outcome = read_password(parser, value);
            continue;
        }
        const struct flag *flag = flag_find_variable(name);
        if (!flag && is_service_link(name, value)) continue;
        if (!flag) {
            begin_error(parser, name);
            return end_unknown(parser, name, true);
        }
        if (*source_of(parser, flag) != FROM_NOWHERE) continue;
        outcome = set_flag(parser, flag, FROM_ENVIRONMENT, value);
    }
    return outcome;
}

/*
 * Returns the default of a flag. Two defaults depend on other flags. These come earlier in the table, so they
 * are already set.
 */
static const char *default_of(const struct parser *parser, const struct flag *flag)
{
    const struct options *options = parser->options;
    bool addresses = flag->place == offsetof(struct options, addresses);
    if (addresses && options->config_file[0]) return ""; /* the file itself says what is scraped */
    bool classes = options->collect_slab || options->collectors & SLAB_SUMMARY;
    return flag->bit == COMMAND_BIT(COMMAND_ITEMS) && !classes ? "false" : flag->fallback;
}

/*
 * Without --collector.slab, `stats slabs` is still sent, to show memcached_malloced_bytes as the official
 * exporter does, and for the summary `stats items` too. Nothing by slab class is shown of a command unless
 * its own flag was given. The summary needs both commands.
 */
static void narrow_slabs(struct parser *parser)
{
    struct options *options = parser->options;
    bool items = *source_of(parser, flag_find(SLICE("collector.items"))) == FROM_DEFAULT;
    bool slabs = *source_of(parser, flag_find(SLICE("collector.slabs"))) == FROM_DEFAULT;
    unsigned asked = options->collectors;
    if ((asked & SLAB_COMMANDS) != SLAB_COMMANDS) options->collectors &= ~SLAB_SUMMARY;
    if (options->collect_slab) return;
    if (items) options->collectors |= WITHOUT_CLASSES(asked & COMMAND_BIT(COMMAND_ITEMS));
    if (slabs) options->collectors |= WITHOUT_CLASSES(asked & COMMAND_BIT(COMMAND_SLABS));
}

static enum options_outcome read_defaults(struct parser *parser)
{
    enum options_outcome outcome = OPTIONS_RUN;
    for (size_t i = 0; i < flags_count && outcome == OPTIONS_RUN; i++) {
        if (flags[i].type == &flag_action || *source_of(parser, &flags[i]) != FROM_NOWHERE) continue;
        outcome = set_flag(parser, &flags[i], FROM_DEFAULT, slice_of(default_of(parser, &flags[i])));
    }
    return outcome;
}

/* Checks flags that depend on each other. */
static enum options_outcome check_paths(struct parser *parser)
{
    const struct flag *telemetry = flag_find(SLICE("web.telemetry-path"));
    const struct flag *scrape = flag_find(SLICE("web.scrape-path"));
    const struct options *options = parser->options;
    if (strcmp(options->telemetry_path, options->scrape_path) != 0) return OPTIONS_RUN;
    /* The error names a flag that the user set. */
    if (*source_of(parser, telemetry) == FROM_DEFAULT)
        return reject_value(parser, scrape, slice_of(options->scrape_path),
                            "a path other than that of --web.telemetry-path");
    return reject_value(parser, telemetry, slice_of(options->telemetry_path),
                        "a path other than that of --web.scrape-path");
}

/* Checks the flags about TLS and login. */
static enum options_outcome check_access(struct parser *parser)
{
    const struct options *options = parser->options;
    bool has_password = options->password_file[0] || options->password;
    if (options->tls_enable && !options->tls_cert_file[0] != !options->tls_key_file[0])
        return reject_value(parser, flag_find(SLICE("memcached.tls.cert-file")),
                            slice_of(options->tls_cert_file),
                            "a certificate and --memcached.tls.key-file, or neither");
    if (options->username[0] && !has_password)
        return reject_value(parser, flag_find(SLICE("memcached.username")), slice_of(options->username),
                            "--memcached.password-file as well");
    if (has_password && !options->username[0])
        return reject_value(parser, flag_find(SLICE("memcached.username")), slice_of(options->username),
                            "the user whom the password belongs to");
    return OPTIONS_RUN;
}

/* Checks flags beside the commands check and top, which write to standard output and nowhere else. */
static enum options_outcome check_command(struct parser *parser)
{
    const struct options *options = parser->options;
    if (options->config_file[0] && options->addresses.count)
        return reject_switch(parser, "config.file", "expected no targets as well");
    if (is_argument(parser, "output.textfile"))
        return reject_switch(parser, "output.textfile", "check and top write to standard output");
    for (const char *const *url = (const char *const[]){"push.url", "remote-write.url", NULL}; *url; url++)
        if (is_argument(parser, *url)) return reject_switch(parser, *url, "check and top push nothing");
    if (options->top && options->once)
        return reject_switch(parser, "once", "expected the command check instead");
    return OPTIONS_RUN;
}

/* Checks combinations of flags. Combinations with values of the file are checked when the file is read. */
static enum options_outcome check_together(struct parser *parser)
{
    const struct options *options = parser->options;
    bool pushes = options->push.url[0] || options->remote_write.url[0], has_file = options->config_file[0];
    bool has_output = options->once || options->textfile[0] || pushes;
    if (options->config_check && !has_file && !options->web_config_file[0])
        return reject_switch(parser, "config.check", "expected --config.file or --web.config.file as well");
    if (options->json && !options->check) return reject_switch(parser, "json", "expected the command check");
    if (options->keys && !options->top) return reject_switch(parser, "keys", "expected the command top");
    if (!options->top && is_argument(parser, "interval"))
        return reject_switch(parser, "interval", "expected the command top");
    if (options->check || options->top) return check_command(parser);
    if (!options->web && !has_output && !has_file)
        return reject_switch(parser, "web", "expected --once, or an output such as --push.url, as well");
    return OPTIONS_RUN;
}

/*
 * The command check is --once with a report, and the command top runs without the web server. Both say what
 * is down; the log need not.
 */
static enum options_outcome prepare_command(struct parser *parser)
{
    const struct flag *level = flag_find(SLICE("log.level"));
    const struct flag *flag = flag_find(slice_of(parser->options->check ? "once" : "web"));
    set_flag(parser, flag, FROM_ARGUMENT, slice_of(parser->options->check ? "true" : "false"));
    bool given = *source_of(parser, level) != FROM_NOWHERE;
    return given ? OPTIONS_RUN : set_flag(parser, level, FROM_ARGUMENT, SLICE("error"));
}

enum options_outcome options_parse(struct options *options, char *const *argv, char *const *environment,
                                   struct buffer *text)
{
    struct parser parser = {.options = options, .text = text};
    *options = (struct options){0};
    options->check = *argv && argv[1] && strcmp(argv[1], "check") == 0;
    options->top = *argv && argv[1] && strcmp(argv[1], "top") == 0;
    argv += (*argv != NULL) + options->check + options->top;
    enum options_outcome outcome = read_command_line(&parser, argv);
    if (outcome == OPTIONS_RUN) outcome = read_environment(&parser, environment);
    if (outcome == OPTIONS_RUN && (options->check || options->top)) outcome = prepare_command(&parser);
    if (outcome == OPTIONS_RUN) outcome = read_defaults(&parser);
    if (outcome == OPTIONS_RUN) narrow_slabs(&parser);
    if (outcome == OPTIONS_RUN) outcome = check_paths(&parser);
    if (outcome == OPTIONS_RUN) outcome = check_access(&parser);
    if (outcome == OPTIONS_RUN) outcome = check_together(&parser);
    if (outcome == OPTIONS_RUN) buffer_clear(text);
    return outcome;
}

void options_deinit(struct options *options)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].type->release) flags[i].type->release((char *) options + flags[i].place);
    }
    if (options->password) explicit_bzero(options->password, strlen(options->password));
    free(options->password);
    *options = (struct options){0};
}
