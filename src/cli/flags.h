/* The table of flags, used by the parser (cli/options.c) and the help texts (cli/help.c). Only for cli/. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "base/slice.h"
#include "cli/options.h"

struct flag;

/* How a flag is written on the command line and in --help. */
enum flag_shape {
    FLAG_VALUE,  /* --name=value */
    FLAG_STRING, /* --name=value; the default is shown in quotes */
    FLAG_LIST,   /* --name=value,value; may be repeated */
    FLAG_SWITCH, /* --name, --no-name */
    FLAG_ACTION, /* --name: prints something and exits */
};

/* The values that a flag accepts, and how they are stored in the options. */
struct flag_type {
    enum flag_shape shape;
    /*
     * Reads `text` into `place`. Called once per flag, except that lists are called repeatedly and append.
     * Returns NULL, or what was expected ("a duration such as ..."), or flag_out_of_memory. Not used for
     * FLAG_ACTION.
     */
    const char *(*read)(const struct flag *flag, void *place, struct slice text);
    /* Frees what `read` allocated; NULL if it allocates nothing. */
    void (*release)(void *place);
    /* Returns true if both places have the same value. If NULL, the first `size` bytes are compared. */
    bool (*same)(const struct flag *flag, const void *a, const void *b);
    size_t size;
};

extern const char flag_out_of_memory[];

/* cli/values.c */
extern const char *const flag_own_labels[];   /* labels of the exporter's own metrics; ends with NULL */
extern const char *const flag_taken_labels[]; /* labels that samples of a server may have; ends with NULL */
extern const struct flag_type flag_switch, flag_collector, flag_string, flag_path, flag_label;
extern const struct flag_type flag_path_or_root;
extern const struct flag_type flag_list, flag_filled_list, flag_labels, flag_rules, flag_shard;
extern const struct flag_type flag_duration, flag_positive_duration, flag_count, flag_bytes, flag_memory;
extern const struct flag_type flag_log_level, flag_log_format, flag_push_method, flag_prom_file, flag_action;
extern const struct flag_type flag_protocol;

struct flag {
    const char *name;
    const struct flag_type *type;
    size_t place;         /* offset of the value in struct options */
    const char *fallback; /* default value, as a user would write it */
    const char *help;     /* one sentence */
    const char *group;    /* heading above this flag and the flags after it; NULL if no heading begins here */

    unsigned bit;                       /* bit of the collector; for flag_collector */
    void (*print)(struct buffer *text); /* prints the text and ends the program; for FLAG_ACTION */
    char letter;                        /* 'h' for -h; 0 for none */
    bool hidden;                        /* true if --help does not list it */
};

#define FLAGS_MAX 96
extern const struct flag flags[];
extern const size_t flags_count;

/* Every flag except FLAG_ACTION has an environment variable: this prefix and the flag's name in capitals. */
#define FLAG_VARIABLE_PREFIX "MEMCACHED_FLEET_EXPORTER_"

/*
 * Finds a flag by its name ("memcached.timeout") or by its variable
 * (MEMCACHED_FLEET_EXPORTER_MEMCACHED_TIMEOUT). Returns NULL if there is none.
 */
const struct flag *flag_find(struct slice name);
const struct flag *flag_find_variable(struct slice name);

/* Returns the known flag nearest to an unknown name ("--memcached.adress", or a variable), or NULL. */
const struct flag *flag_nearest(struct slice written, bool variable);

/* Appends the flag as "--memcached.timeout", or the name of its variable. */
void flag_append_spelling(const struct flag *flag, bool variable, struct buffer *text);

/* Appends how the flag is written: "--memcached.timeout=1s", "--[no-]web", "--memcached.pid-file=\"\"". */
void flag_append_usage(const struct flag *flag, struct buffer *text);

/* Appends the help, the default of a switch, and the variable: "... (default: enabled) ($NAME)". */
void flag_append_help(const struct flag *flag, struct buffer *text);

/* A command: the first word behind the name of the program. */
struct cli_command {
    const char *name;
    const char *summary; /* half a sentence for lists */
    const char *about;   /* all that a user needs */
};

/* cli/help.c */
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const char options_about[];
void options_print_help(struct buffer *text);
void options_print_version(struct buffer *text);

/* cli/manual.c */
void options_print_manual(struct buffer *text);

/* cli/completion.c */
void options_print_bash_completion(struct buffer *text);
void options_print_zsh_completion(struct buffer *text);
void options_print_fish_completion(struct buffer *text);

#endif
