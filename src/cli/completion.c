/* Prints scripts that complete commands and flags in a shell, for both names of the program. */
#include "base/version.h"
#include "cli/flags.h"

#define COMMANDS PROGRAM_NAME " memcached_exporter"

/* Appends every flag that --help lists, on one line: "--once --no-once ...". */
static void append_spellings(struct buffer *text)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].hidden) continue;
        buffer_printf(text, "%s--%s", i ? " " : "", flags[i].name);
        if (flags[i].type->shape == FLAG_SWITCH) buffer_printf(text, " --no-%s", flags[i].name);
    }
}

/* Appends the names of the commands: "check top". */
static void append_commands(struct buffer *text)
{
    for (size_t i = 0; i < cli_command_count; i++)
        buffer_printf(text, "%s%s", i ? " " : "", cli_commands[i].name);
}

void options_print_bash_completion(struct buffer *text)
{
    buffer_append_string(text, "_" PROGRAM_NAME "() {\n"
                               "    local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                               "    COMPREPLY=()\n"
                               "    [[ $word == -* ]] && COMPREPLY=($(compgen -W '");
    append_spellings(text);
    buffer_append_string(text, "' -- \"$word\"))\n"
                               "    [[ $COMP_CWORD == 1 && $word != -* ]] && COMPREPLY=($(compgen -W '");
    append_commands(text);
    buffer_append_string(text, "' -- \"$word\"))\n"
                               "}\n"
                               "complete -o default -F _" PROGRAM_NAME " " COMMANDS "\n");
}

void options_print_zsh_completion(struct buffer *text)
{
    buffer_append_string(text, "#compdef " COMMANDS "\n"
                               "_" PROGRAM_NAME "() {\n"
                               "    if [[ $PREFIX == -* ]]; then\n"
                               "        compadd -- ");
    append_spellings(text);
    /*
     * When zsh loads the file from a folder of $fpath, the file is the function and must run it. After eval,
     * the file must register the function instead.
     */
    buffer_append_string(text, "\n"
                               "    else\n"
                               "        (( CURRENT == 2 )) && compadd -- ");
    append_commands(text);
    buffer_append_string(text, "\n"
                               "        _files\n"
                               "    fi\n"
                               "}\n"
                               "if [[ $funcstack[1] == _" PROGRAM_NAME " ]]; then\n"
                               "    _" PROGRAM_NAME " \"$@\"\n"
                               "else\n"
                               "    compdef _" PROGRAM_NAME " " COMMANDS "\n"
                               "fi\n");
}

/* Appends the words as a single-quoted word of fish. */
static void append_fish_quoted(struct buffer *text, struct slice words)
{
    buffer_append_char(text, '\'');
    for (size_t i = 0; i < words.len; i++) {
        if (words.data[i] == '\'' || words.data[i] == '\\') buffer_append_char(text, '\\');
        buffer_append_char(text, words.data[i]);
    }
    buffer_append_char(text, '\'');
}

/* Returns the help up to its first stop, because fish shows it in the rest of the line. */
static struct slice shorten(const char *help)
{
    size_t len = 0;
    while (help[len] && !(strchr(".:;", help[len]) && (help[len + 1] == ' ' || !help[len + 1]))) len++;
    return (struct slice){help, len};
}

static void append_fish_flag(struct buffer *text, const struct flag *flag, const char *negation)
{
    bool takes_value = flag->type->shape != FLAG_SWITCH && flag->type->shape != FLAG_ACTION;
    buffer_printf(text, "    complete -c $command -l %s%s%s", negation, flag->name, takes_value ? " -r" : "");
    if (flag->letter) buffer_printf(text, " -s %c", flag->letter);
    buffer_append_string(text, " -d ");
    append_fish_quoted(text, shorten(flag->help));
    buffer_append_char(text, '\n');
}

void options_print_fish_completion(struct buffer *text)
{
    buffer_append_string(text, "for command in " COMMANDS "\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        buffer_printf(text, "    complete -c $command -n __fish_use_subcommand -a %s -d ",
                      cli_commands[i].name);
        append_fish_quoted(text, shorten(cli_commands[i].summary));
        buffer_append_char(text, '\n');
    }
    for (size_t i = 0; i < flags_count; i++) {
        if (flags[i].hidden) continue;
        append_fish_flag(text, &flags[i], "");
        if (flags[i].type->shape == FLAG_SWITCH) append_fish_flag(text, &flags[i], "no-");
    }
    buffer_append_string(text, "end\n");
}
