/*
 * The table of flags, shared by the parser (cli/options.c) and the help texts (cli/help.c). Private to cli/.
 */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "base/slice.h"
#include "cli/options.h"

struct flag;

/* How a flag is written, on the command line and in --help. */
enum flag_shape {
    FLAG_VALUE,  /* --name=value */
    FLAG_STRING, /* the same; the default is shown in quotes */
    FLAG_LIST,   /* --name=value,value; may be repeated */
    FLAG_SWITCH, /* --name, --no-name */
    FLAG_ACTION, /* --name: prints something and ends */
};

/* What values a flag takes, and how they get into the options. */
struct flag_type {
    enum flag_shape shape;
    /*
     * Reads `text` into the flag's place, once per flag but for lists, which append. Returns NULL, or what
     * was expected instead ("a duration such as ..."), or flag_out_of_memory. Not for FLAG_ACTION.
     */
    const char *(*read)(const struct flag *flag, void *place, struct slice text);
    /* Frees what `read` allocated; NULL where it allocates nothing. */
    void (*release)(void *place);
    /* Whether two places have the same value; NULL: if their first `size` bytes are the same. */
    bool (*same)(const struct flag *flag, const void *a, const void *b);
    size_t size;
};

extern const char flag_out_of_memory[];

/* cli/values.c */
extern const char *const flag_taken_labels[]; /* of the samples of a server; NULL behind the last */
extern const struct flag_type flag_switch, flag_collector, flag_string, flag_path, flag_label;
extern const struct flag_type flag_path_or_root;
extern const struct flag_type flag_list, flag_filled_list, flag_labels, flag_rules, flag_shard;
extern const struct flag_type flag_duration, flag_positive_duration, flag_count, flag_bytes, flag_memory;
extern const struct flag_type flag_log_level, flag_log_format, flag_push_method, flag_prom_file, flag_action;
extern const struct flag_type flag_protocol;

struct flag {
    const char *name;
    const struct flag_type *type;
    size_t place;         /* offset in struct options */
    const char *fallback; /* the default, as a user would write it */
    const char *help;     /* one sentence */
    const char *group;    /* the heading of this flag and those below it; NULL where none begins */

    unsigned bit;                       /* flag_collector: the command's bit */
    void (*print)(struct buffer *text); /* FLAG_ACTION */
    char letter;                        /* 'h' for -h; 0 for none */
    bool hidden;                        /* not in --help */
};

#define FLAGS_MAX 96
extern const struct flag flags[];
extern const size_t flags_count;

/* Every flag but those of FLAG_ACTION has an environment variable: its name in capitals behind this. */
#define FLAG_VARIABLE_PREFIX "MEMCACHED_FLEET_EXPORTER_"

/*
 * "memcached.timeout" and MEMCACHED_FLEET_EXPORTER_MEMCACHED_TIMEOUT; NULL when there is none of that name.
 */
const struct flag *flag_find(struct slice name);
const struct flag *flag_find_variable(struct slice name);

/* The flag that was probably meant by a name that is none ("--memcached.adress", or a variable), or NULL. */
const struct flag *flag_nearest(struct slice written, bool variable);

/* Appends "--memcached.timeout" or the variable. */
void flag_append_spelling(const struct flag *flag, bool variable, struct buffer *text);

/* Appends how the flag is written: "--memcached.timeout=1s", "--[no-]web", "--memcached.pid-file=\"\"". */
void flag_append_usage(const struct flag *flag, struct buffer *text);

/* Appends the help, whether a switch is on by default, and the variable: "... (default: enabled) ($NAME)". */
void flag_append_help(const struct flag *flag, struct buffer *text);

/* cli/help.c */
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
