#include "base/container.h"
#include "base/version.h"
#include "cli/flags.h"

/* Layout of --help, as in other Prometheus tools: flags on the left, help from this column on. */
#define HELP_COLUMN 33
#define HELP_WIDTH  80

static void append_blanks(struct buffer *text, size_t count)
{
    while (count--) buffer_append_char(text, ' ');
}

/* Appends words and breaks lines only between them. A word wider than the column gets its own line. */
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
    flag_append_usage(flag, text);

    size_t width = text->len - start;
    if (width + 2 > HELP_COLUMN) {
        buffer_append_char(text, '\n');
        width = 0;
    }
    append_blanks(text, HELP_COLUMN - width);
    buffer_init(&help, OPTIONS_TEXT_MAX);
    flag_append_help(flag, &help);
    append_wrapped(text, buffer_slice(&help));
    buffer_deinit(&help);
}

const char options_about[] = "Scrapes a whole fleet of memcached servers in one answer for Prometheus.";

const struct cli_command cli_commands[] = {
    {"check", "Ask the servers once and report on each.",
     "Asks the servers once and reports on each: how long the connection and the answer took, the version "
     "and "
     "its published security holes, memory, hit ratio, connections, slabs out of balance, and what is near a "
     "limit; exits as --once does. --json is for scripts. The servers are those named behind the command, or "
     "those of the flags and the configuration file."},
    {"top", "Show the servers as a live table.",
     "Shows the servers as a live table, asked anew every --interval. A letter sorts by the column that "
     "begins "
     "with it, and reverses the order when pressed again; d shows only servers that are not up; arrows and "
     "page keys scroll; space asks at once; q quits. If standard output is not a terminal, each table is "
     "written below the one before, without colours. The servers are those named behind the command, or "
     "those "
     "of the flags and the configuration file. NO_COLOR turns off colours. --keys shows the hottest keys "
     "instead, as "
     "the servers' logs tell them half of the time."},
};
const size_t cli_command_count = ARRAY_LEN(cli_commands);

static void append_commands(struct buffer *text)
{
    buffer_append_string(text, "Commands:\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        buffer_printf(text, "  %s [<flags>] [<target>...]\n", cli_commands[i].name);
        append_blanks(text, HELP_COLUMN);
        append_wrapped(text, slice_of(cli_commands[i].about));
    }
}

void options_print_help(struct buffer *text)
{
    buffer_printf(text, "usage: " PROGRAM_NAME " [<flags>]\n\n%s\n\n", options_about);
    append_commands(text);
    buffer_append_string(text, "\nFlags:\n");
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].group) buffer_printf(text, "\n%s:\n", flags[i].group);
        if (!flags[i].hidden) append_flag(text, &flags[i]);
    }
    buffer_append_string(text, "\nA flag overrides the environment variable that is listed after it.\n");
}

void options_print_version(struct buffer *text)
{
    const struct build_info *build = &build_info;
    buffer_printf(text, PROGRAM_NAME ", version %s (branch: %s, revision: %s)\n", build->version,
                  build->branch, build->revision);
    buffer_printf(text, "  compiler:         %s\n", build->compiler);
    buffer_printf(text, "  platform:         %s/%s\n", build->os, build->arch);
}
