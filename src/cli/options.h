/*
 * The command line and the environment to one struct. Pure but for reading argv, with its @FILE arguments
 * (cli/arguments.h), and environ.
 *
 * One table (cli/flags.c) names every flag, its default, its place in the struct and its help; it parses,
 * prints --help and the man page, and gives each flag its environment variable. A flag on the command line
 * wins over the environment, the environment over the default. Lists given on the command line replace the
 * list from the environment.
 *
 * A variable that is set counts, also when it is empty. One that begins with MEMCACHED_FLEET_EXPORTER_ and
 * belongs to no flag is refused: a misspelt one would otherwise do nothing and say nothing. The exception are
 * those that Kubernetes and Docker put into every container beside a service of that name, told by their
 * form: *_SERVICE_HOST, *_SERVICE_PORT*, *_PORT_<number>_TCP* (UDP, SCTP), and *_PORT with a value that holds
 * "://".
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

/* Strings in the order in which they were given. */
struct string_list {
    char **items; /* owned */
    size_t count;
};

struct options {
    const char *config_file; /* "" for none; strings are owned and never NULL */
    bool config_check;       /* show what the file means, then exit */

    /* What is scraped. Each address is one item, comma lists are split; not yet parsed as addresses. With a
     * file there are none unless they were given. */
    struct string_list addresses;
    struct shard shard;       /* which of them this process scrapes */
    uint64_t timeout_ns;      /* above 0 */
    const char *pid_file;     /* "" for none */
    uint64_t idle_timeout_ns; /* 0: a fresh connection for every scrape */
    unsigned max_connecting;
    uint64_t max_reply;  /* bytes */
    uint64_t max_memory; /* bytes of all answers; 0: what the system's limit of memory allows */
    unsigned max_prefixes;
    bool collect_slab; /* off: no metric of slab classes, unless the collectors items and slabs are given */
    unsigned
        collectors; /* set of commands, see memcached/stats.h; `stats` always in it. And SLABS_TOTALS_ONLY */

    /* How it is served. */
    struct string_list listen_addresses; /* at least one; not yet parsed */
    const char *telemetry_path,
        *scrape_path;         /* begin with '/', differ from each other and from the fixed routes */
    const char *target_label; /* a label name that no sample of a server has of itself */
    unsigned max_connections, max_requests, max_targets;
    uint64_t timeout_offset_ns;
    bool scrape_endpoint;
    struct string_list scrape_allow, scrape_deny; /* each is a valid rule, see net/policy_rule.h */
    bool enable_lifecycle;                        /* POST /-/reload works */
    bool systemd_socket;
    bool disable_exporter_metrics;
    bool collect_build, collect_telemetry, collect_process; /* of the exporter itself */

    /* What is given out beside HTTP. */
    bool web;                      /* serve HTTP */
    bool once;                     /* collect once, then exit */
    const char *textfile;          /* "" for none */
    uint64_t textfile_interval_ns; /* above 0 */
    struct push_config push;       /* not yet checked; all that it borrows is owned here */

    bool sandbox; /* gives up rights after the start */
    enum log_level log_level;
    enum log_format log_format;

    /* What servers of the module `default` want before they answer. */
    bool tls_enable, tls_insecure_skip_verify;
    const char *tls_cert_file, *tls_key_file, *tls_ca_file, *tls_server_name;
    const char *username, *password_file;
    enum protocol_choice protocol;
    char *password; /* of the environment; owned, wiped at the end; NULL for none. No flag, since the command
                       line of a process is for all to read */

    const char *web_config_file; /* "" for none */
};

enum options_outcome {
    OPTIONS_RUN,
    OPTIONS_TEXT,   /* --help, --version, --help-man: `text` goes to stdout, exit 0 */
    OPTIONS_USAGE,  /* `text` is one line for stderr, exit 2 */
    OPTIONS_FAILED, /* `text` is one line for stderr, exit 1 */
};

/* The longest text stays below this; the cap for the caller's buffer. */
#define OPTIONS_TEXT_MAX (64 * 1024)

/*
 * Reads argv (argv[0] is skipped) and environment (as environ: "NAME=value", NULL at the end). The options
 * need no initialisation, may be used only after OPTIONS_RUN, and are released with options_deinit in any
 * case. `text` is initialised by the caller and gets what has to be printed, with its final newline.
 */
enum options_outcome options_parse(struct options *options, char *const *argv, char *const *environment,
                                   struct buffer *text);

void options_deinit(struct options *options);

/* Whether all flags whose names begin so ("push.") have the same values. */
bool options_same(const struct options *a, const struct options *b, const char *prefix);

/*
 * Appends a line for each flag that was given, which shows in its value not being the default, and has
 * another value in force: "--memcached.address". Without memory, `out` fails.
 */
void options_append_overruled(const struct options *given, const struct options *in_force,
                              struct buffer *out);

/* The rules of two flags, for those who take the same from elsewhere. Whether samples of a server have a
 * label of that name of themselves; and of textfiles' names: NULL, or what was expected. */
bool options_label_reserved(struct slice name);
const char *options_check_textfile(struct slice path);

#endif
