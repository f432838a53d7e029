#include "base/container.h"
#include "base/version.h"
#include "cli/flags.h"

/* The page that users of Prometheus tools know: flags on the left, their help from this column on. */
#define HELP_COLUMN 33
#define HELP_WIDTH  80

static const char about[] = "Scrapes a whole fleet of memcached servers in one answer for Prometheus.";

/* "--memcached.timeout=1s", "--[no-]web.systemd-socket", "--memcached.pid-file=\"\"". */
static void append_usage(struct buffer *text, const struct flag *flag)
{
    switch (flag->type->shape) {
    case FLAG_VALUE:
        buffer_printf(text, "--%s=%s", flag->name, flag->fallback);
        break;
    case FLAG_STRING:
        buffer_printf(text, "--%s=\"%s\"", flag->name, flag->fallback);
        break;
    case FLAG_LIST:
        buffer_printf(text, "--%s=%s ...", flag->name, flag->fallback);
        break;
    case FLAG_SWITCH:
        buffer_printf(text, "--[no-]%s", flag->name);
        break;
    case FLAG_ACTION:
        buffer_printf(text, "--%s", flag->name);
        break;
    }
}

/* The help, whether a switch is on by default, and the variable: "... (default: enabled) ($NAME)". */
static void append_help(struct buffer *text, const struct flag *flag)
{
    buffer_append_string(text, flag->help);
    if (flag->type->shape == FLAG_ACTION) return;
    if (flag->type->shape == FLAG_SWITCH && strcmp(flag->fallback, "true") == 0)
        buffer_append_string(text, " (default: enabled)");
    buffer_append_string(text, " ($");
    flag_append_spelling(flag, true, text);
    buffer_append_char(text, ')');
}

static void append_blanks(struct buffer *text, size_t count)
{
    while (count--) buffer_append_char(text, ' ');
}

/* Breaks between words only; a word that is wider than the column stands alone. */
static void append_wrapped(struct buffer *text, struct slice words)
{
    size_t column = HELP_COLUMN;
    while (words.data) {
        struct slice word = slice_cut(&words, ' ');
        if (column > HELP_COLUMN && column + 1 + word.len > HELP_WIDTH) {
            buffer_append_char(text, '\n');
            append_blanks(text, HELP_COLUMN);
            column = HELP_COLUMN;
        }
        if (column > HELP_COLUMN) {
            buffer_append_char(text, ' ');
            column++;
        }
        buffer_append_slice(text, word);
        column += word.len;
    }
    buffer_append_char(text, '\n');
}

static void append_flag(struct buffer *text, const struct flag *flag)
{
    struct buffer help;
    size_t start = text->len;
    if (flag->letter)
        buffer_printf(text, "  -%c, ", flag->letter);
    else
        append_blanks(text, strlen("  -h, "));
    append_usage(text, flag);

    size_t width = text->len - start;
    if (width + 2 > HELP_COLUMN) {
        buffer_append_char(text, '\n');
        width = 0;
    }
    append_blanks(text, HELP_COLUMN - width);
    buffer_init(&help, OPTIONS_TEXT_MAX);
    append_help(&help, flag);
    append_wrapped(text, buffer_slice(&help));
    buffer_deinit(&help);
}

void options_print_help(struct buffer *text)
{
    buffer_printf(text, "usage: " PROGRAM_NAME " [<flags>]\n\n%s\n\nFlags:\n", about);
    for (size_t i = 0; i < flags_count; i++) {
        if (!flags[i].hidden) append_flag(text, &flags[i]);
    }
    buffer_append_string(text,
                         "\nA flag on the command line wins over the variable that stands behind it.\n");
}

void options_print_version(struct buffer *text)
{
    const struct build_info *build = &build_info;
    buffer_printf(text, PROGRAM_NAME ", version %s (branch: %s, revision: %s)\n", build->version,
                  build->branch, build->revision);
    buffer_printf(text, "  compiler:         %s\n", build->compiler);
    buffer_printf(text, "  platform:         %s/%s\n", build->os, build->arch);
}

/* --- Completion --- */

/* "--once --no-once ...", all that --help names. */
static void append_spellings(struct buffer *text)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].hidden) continue;
        buffer_printf(text, "%s--%s", i ? " " : "", flags[i].name);
        if (flags[i].type->shape == FLAG_SWITCH) buffer_printf(text, " --no-%s", flags[i].name);
    }
}

void options_print_bash_completion(struct buffer *text)
{
    buffer_append_string(text, "_" PROGRAM_NAME "() {\n"
                               "    local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                               "    COMPREPLY=()\n"
                               "    [[ $word == -* ]] && COMPREPLY=($(compgen -W '");
    append_spellings(text);
    buffer_append_string(text,
                         "' -- \"$word\"))\n"
                         "}\n"
                         "complete -o default -F _" PROGRAM_NAME " " PROGRAM_NAME " memcached_exporter\n");
}

void options_print_zsh_completion(struct buffer *text)
{
    buffer_append_string(text, "#compdef " PROGRAM_NAME " memcached_exporter\n"
                               "_" PROGRAM_NAME "() {\n"
                               "    if [[ $PREFIX == -* ]]; then\n"
                               "        compadd -- ");
    append_spellings(text);
    buffer_append_string(text, "\n"
                               "    else\n"
                               "        _files\n"
                               "    fi\n"
                               "}\n"
                               "compdef _" PROGRAM_NAME " " PROGRAM_NAME " memcached_exporter\n");
}

/* --- The manual page --- */

/* A hyphen would be printed as a typographic one, which nobody can paste into a shell. */
static void append_roff(struct buffer *text, struct slice words)
{
    for (size_t i = 0; i < words.len; i++) {
        if (words.data[i] == '\\')
            buffer_append_string(text, "\\e");
        else if (words.data[i] == '-')
            buffer_append_string(text, "\\-");
        else
            buffer_append_char(text, words.data[i]);
    }
}

static void append_manual_flag(struct buffer *text, const struct flag *flag)
{
    struct buffer plain;
    buffer_init(&plain, OPTIONS_TEXT_MAX);
    buffer_append_string(text, ".TP\n\\fB");
    if (flag->letter) buffer_printf(text, "\\-%c\\fR, \\fB", flag->letter);
    append_usage(&plain, flag);
    append_roff(text, buffer_slice(&plain));
    buffer_append_string(text, "\\fR\n");

    buffer_clear(&plain);
    append_help(&plain, flag);
    append_roff(text, buffer_slice(&plain));
    buffer_append_char(text, '\n');
    buffer_deinit(&plain);
}

static const struct {
    const char *path, *about;
} endpoints[] = {
    {"/metrics", "Every configured server, and the exporter's own metrics."},
    {"/scrape?target=A&target=B", "Just these servers; /probe is the same."},
    {"/sd?group=NAME", "The configured servers, for Prometheus' http_sd_configs."},
    {"/", "A page for people."},
    {"/-/healthy, /-/ready", "Whether the exporter runs and serves; no server is asked."},
    {"/-/reload", "POST: reads the configuration file again, if \\-\\-web.enable\\-lifecycle is given."},
};

void options_print_manual(struct buffer *text)
{
    /* .nh: a variable's name that was hyphenated could not be copied. */
    buffer_printf(text, ".TH MEMCACHED_FLEET_EXPORTER 1 \"\" \"%s\" \"User Commands\"\n.nh\n",
                  build_info.version);
    buffer_append_string(text, ".SH NAME\n" PROGRAM_NAME " \\- Prometheus exporter for fleets of memcached\n"
                               ".SH SYNOPSIS\n.B " PROGRAM_NAME "\n[\\fIflags\\fR]\n.SH DESCRIPTION\n");
    append_roff(text, slice_of(about));
    buffer_append_string(text,
                         "\n.SH FLAGS\n"
                         "Each flag can be set by the environment variable that stands behind its help; "
                         "the command line wins.\n");
    for (size_t i = 0; i < flags_count; i++) {
        if (!flags[i].hidden) append_manual_flag(text, &flags[i]);
    }
    buffer_append_string(text, ".SH ENDPOINTS\n");
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        buffer_append_string(text, ".TP\n\\fB");
        append_roff(text, slice_of(endpoints[i].path));
        buffer_printf(text, "\\fR\n%s\n", endpoints[i].about);
    }
    buffer_append_string(text, ".SH EXIT STATUS\n0 after a clean stop, 2 for a wrong command line or "
                               "environment, 1 for anything else that fails. With \\-\\-once: 3 if some "
                               "servers were not up, 4 if none was.\n");
}
