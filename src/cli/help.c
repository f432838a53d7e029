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

void options_print_help(struct buffer *text)
{
    buffer_printf(text, "usage: " PROGRAM_NAME " [<flags>]\n\n%s\n\n", options_about);
    buffer_append_string(text,
                         "usage: " PROGRAM_NAME " check [<flags>] [<target>...]\n\n"
                         "Asks the servers once and reports on each; exits as --once does.\n\nFlags:\n");
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
