/*
 * Reads the command line and the environment into one struct. Pure, except that it reads argv with its @FILE
 * arguments (cli/arguments.h), and environ.
 *
 * The table in cli/flags.c has every flag with its default, its place in the struct and its help. The table
 * is used for parsing, for --help and the man page, and for the names of environment variables. The command
 * line overrides the environment, and the environment overrides the default. A list on the command line
 * replaces the list from the environment.
 *
 * A variable counts as set even if it is empty. A variable that begins with MEMCACHED_FLEET_EXPORTER_ but
 * belongs to no flag is an error, because a misspelt variable would otherwise be ignored silently. Exceptions
 * are the variables that Kubernetes and Docker add to containers next to a service of that name. They are
 * recognised by their form: *_SERVICE_HOST, *_SERVICE_PORT*, *_PORT_<number>_TCP* (UDP, SCTP), and *_PORT
 * with a value that contains "://".
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/buffer.h"
#include "base/log.h"
#include "base/slice.h"
#include "memcached/protocol.h"
#include "net/shard.h"
#include "outputs/push_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings in the order given by the user. */
struct string_list {
    char **items; /* owned */
    size_t count;
};

struct options {
    const char *config_file; /* "" for none; all strings are owned and never NULL */
    bool config_check;       /* print what the file means, then exit */

    /*
     * Targets. Comma lists are split; the addresses are not parsed yet. With a configuration file, the
     * default is no address.
     */
    struct string_list addresses;
    struct shard shard;       /* shard of the targets that this process scrapes */
    uint64_t timeout_ns;      /* above 0 */
    const char *pid_file;     /* "" for none */
    uint64_t idle_timeout_ns; /* 0: a new connection for every scrape */
    unsigned max_connecting;
    uint64_t max_reply;  /* bytes */
    uint64_t max_memory; /* most bytes of all replies together; 0: derived from the system's memory limit */
    unsigned max_prefixes;
    bool collect_slab;   /* false: no metrics of slab classes, unless the collectors items and slabs are
                            given */
    unsigned collectors; /* set of collectors, see memcached/stats.h. Always contains `stats` */

    /* The web server. */
    struct string_list listen_addresses; /* at least one; not parsed yet */
    const char *telemetry_path,
        *scrape_path;         /* both begin with '/', and differ from each other and from the fixed routes */
    const char *target_label; /* label name that samples do not use otherwise */
    unsigned max_connections, max_requests, max_targets;
    uint64_t timeout_offset_ns;
    bool scrape_endpoint;
    struct string_list scrape_allow, scrape_deny; /* each is a valid rule, see net/policy_rule.h */
    bool enable_lifecycle;                        /* allow POST /-/reload */
    bool systemd_socket;
    bool disable_exporter_metrics;
    bool created_lines;
    bool collect_build, collect_telemetry, collect_process; /* metrics of the exporter itself */

    /* Outputs. */
    bool web;                              /* serve HTTP */
    bool once;                             /* scrape once, then exit; set by the command check, too */
    bool check;                            /* the command check: report on the servers, then exit */
    bool json;                             /* the report is JSON */
    bool top;                              /* the command top: show the servers until somebody quits */
    bool keys;                             /* the command top shows the hottest keys */
    uint64_t interval_ns;                  /* of the command top; above 0 */
    const char *textfile;                  /* "" for none */
    uint64_t textfile_interval_ns;         /* above 0 */
    struct push_config push, remote_write; /* not checked yet; their strings are owned here */

    bool sandbox; /* drop rights after the start */
    enum log_level log_level;
    enum log_format log_format;

    /* Protocol, TLS and login for servers of the module `default`. */
    bool tls_enable, tls_insecure_skip_verify;
    const char *tls_cert_file, *tls_key_file, *tls_ca_file, *tls_server_name;
    const char *username, *password_file;
    enum protocol_choice protocol;
    char *password; /* from the environment; owned, wiped at the end; NULL for none. There is no flag,
                       because all users can see the command line of a process */

    const char *web_config_file; /* "" for none */
};

enum options_outcome {
    OPTIONS_RUN,
    OPTIONS_TEXT,   /* --help, --version, --help-man: `text` goes to stdout, exit 0 */
    OPTIONS_USAGE,  /* `text` is one line for stderr, exit 2 */
    OPTIONS_FAILED, /* `text` is one line for stderr, exit 1 */
};

/* Every text is shorter than this; a limit for the caller's buffer. */
#define OPTIONS_TEXT_MAX (64 * 1024)

/*
 * Reads `argv` (argv[0] is skipped) and `environment` (like environ: "NAME=value", ends with NULL). `options`
 * need not be initialised and may be used only after OPTIONS_RUN. Call options_deinit in every case. `text`
 * is initialised by the caller. It gets the text to print, including the final newline.
 */
enum options_outcome options_parse(struct options *options, char *const *argv, char *const *environment,
                                   struct buffer *text);

void options_deinit(struct options *options);

/* Returns true if every flag whose name begins with `prefix` (such as "push.") has the same value in both. */
bool options_same(const struct options *a, const struct options *b, const char *prefix);

/*
 * Appends a line such as "--memcached.address" for each flag that was given but has another value in
 * `in_force`. A flag counts as given if its value is not the default. If memory runs out, `out` fails.
 */
void options_append_overruled(const struct options *given, const struct options *in_force,
                              struct buffer *out);

/*
 * Appends a line such as "--push.job: nothing is pushed without --push.url" for each flag that was given but
 * has no effect beside the options in force. If memory runs out, `out` fails.
 */
void options_append_idle(const struct options *given, const struct options *in_force, struct buffer *out);

/*
 * Rules of two flags, also used for the same settings in the configuration file. options_label_reserved
 * returns true if samples of a server may have a label of this name, and options_label_of_exporter if samples
 * of the exporter itself may and those of servers may not. options_check_textfile returns NULL if
 * the path is valid, else what was expected.
 */
bool options_label_reserved(struct slice name);
bool options_label_of_exporter(struct slice name);
const char *options_check_textfile(struct slice path);

#endif
