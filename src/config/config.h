/*
 * The configuration file as one struct. Its text is checked; files, hosts and servers that it names are not.
 *
 * Nothing here uses a loop, a clock or a log. A configuration never changes after it is read: a reload reads
 * a new one on a thread of the pool, and then replaces the old one. Settings that are missing in the file
 * come from the flags. File names in the file are relative to its folder and become whole paths here. The
 * keys are in the tables of config/; config/exporter.yml explains them to users.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "discovery/discovery_config.h"
#include "memcached/access.h"
#include "net/address.h"
#include "net/policy.h"
#include "net/shard.h"
#include "outputs/push_config.h"
#include "watch/watch_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits: a larger file, or a file with more groups, is an error. */
#define CONFIG_FILE_MAX   ((size_t) 16 * 1024 * 1024)
#define CONFIG_GROUPS_MAX 10000

/*
 * The place of a value in the file, for errors that are found after reading. Lines and columns count from 1.
 */
struct config_place {
    unsigned line, column;
};

/* Settings for asking servers. Several groups may share a module. */
struct config_module {
    const char *name;
    uint64_t timeout_ns;          /* above 0 */
    unsigned collectors;          /* set of collectors, see memcached/stats.h. It always contains `stats` */
    struct access_settings wants; /* protocol, TLS and login for the servers; strings are in the arena */
    bool url_targets;             /* true if targets that a URL names get the login and see our
                                     certificate, too */
    struct config_place place;    /* place of the module in the file; line 0: the module is not in the file */
    struct access *access;        /* made from `wants` by config_open_accesses; owned reference, or NULL */
};

/*
 * The value of a label is the concatenation of its parts. If `reference` is false, a part is `text` itself.
 * If it is true, `text` is the name of a discovered label such as "__meta_zone". The part is then the value
 * of that label, or empty if discovery found no such label.
 */
struct config_label_part {
    const char *text;
    bool reference;
};

struct config_label {
    const char *name;
    const struct config_label_part *parts;
    size_t count;
};

struct config_target {
    const char *name; /* address as written in the file or the flag */
    struct address address;
};

/* A source that finds targets of a group while the exporter runs. */
struct config_source {
    struct config_source *next; /* next source of the same group */
    struct discovery_config asks;
};

struct config_group {
    const char *name; /* unique among the groups */
    const struct config_module *module;
    const struct config_label *labels;
    size_t label_count;
    const struct config_target *targets; /* no two have the same address */
    size_t target_count;
    struct config_source *sources, *last_source; /* first the sources made from targets such as dns+host,
                                                    then the other sources, kind by kind */
};

/* A harmless mistake in the configuration. */
struct config_warning {
    struct config_warning *next;
    const char *text; /* one line that includes the name of the file or flag */
};

/* Most warnings that are kept. Further warnings are only counted. */
#define CONFIG_WARNINGS_MAX 10

struct config {
    struct arena arena; /* owned; holds every string and array below */
    const char *file, *directory;
    char hash[17]; /* hash of the file's bytes, in hexadecimal digits */
    const char *target_label;
    struct shard shard;
    struct config_module *modules; /* the first is `default` */
    size_t module_count;
    const struct config_group *groups;
    size_t group_count;
    size_t target_count;         /* number of targets in all groups, without targets that sources find */
    struct policy *policy;       /* owned reference; NULL if neither the file nor the flags have a policy */
    bool has_groups;             /* true if the file has the key `groups` */
    bool has_policy;             /* true if the file has the key `scrape_policy` */
    struct watch_config watch;   /* enabled if the file has the key `watch` */
    struct census_config census; /* enabled if the file has the key `census` */
    const char *textfile;        /* path; "" if there is no textfile */
    uint64_t textfile_interval_ns;
    struct push_config push, remote_write;
    /* places of the values in the file; line 0: the value is not in the file */
    struct config_place push_places[PUSH_KINDS][PUSH_CHECKED];
    struct config_warning *warnings;
    size_t warning_count; /* number of all warnings, including those that were not kept */
};

/*
 * Inputs of reading a file: the flags, for settings that are missing in the file, and checks from other parts
 * of the program. Constant, because other threads read it. Borrowed while the configuration exists.
 */
struct config_rules {
    uint64_t timeout_ns;
    unsigned collectors;
    struct access_settings wants; /* used for the module `default` only */
    const char *target_label;
    struct shard shard;
    const char *textfile;
    uint64_t textfile_interval_ns;
    struct push_config push, remote_write;
    bool (*label_reserved)(struct slice name); /* returns true if the samples of a server have a label of
                                                  this name */
    /* Checks the path of a textfile. Returns NULL if it is valid, else what was expected. */
    const char *(*check_textfile)(struct slice path);
};

/*
 * Makes a configuration from the flags alone: the module `default`, no groups, no file. Returns 0 or
 * UV_ENOMEM. Call config_deinit in either case.
 */
int config_init(struct config *config, const struct config_rules *rules);

/*
 * Reads a configuration from `text`. `file` is the name for messages, and its folder is the base of relative
 * paths. Returns 0, UV_EINVAL or UV_ENOMEM. After an error, `error` has one line without a line end:
 * "FILE:LINE:COLUMN: groups[0].dns.port: "70000": expected a port from 1 to 65535". Call config_deinit in
 * every case. The line never shows passwords, nor URLs, which may contain a password.
 */
int config_read(struct config *config, const char *file, struct slice text, const struct config_rules *rules,
                struct buffer *error);

/*
 * Like config_read, but reads the text from `file`, which must be a regular file. Blocks. Also returns the
 * negative errno if reading fails.
 */
int config_load(struct config *config, const char *file, const struct config_rules *rules,
                struct buffer *error);

/*
 * Reads the certificate and password files that modules name. Blocks. Returns 0, or a negative libuv code.
 * Unless that code is UV_ENOMEM, `error` has one line without a line end. Call it only once.
 */
int config_open_accesses(struct config *config, struct buffer *error);

/* Copies `line`, which must be one line, into the list of warnings. Returns 0 or UV_ENOMEM. */
int config_warn(struct config *config, struct slice line);

void config_deinit(struct config *config);

/* Returns the timeout of the module in milliseconds, rounded up; always above 0. */
uint64_t config_timeout_ms(const struct config_module *module);

/* Returns the module with this name, or NULL. */
const struct config_module *config_module(const struct config *config, struct slice name);

/*
 * Appends the text that --config.check shows: groups with their servers and effective settings, in the order
 * of the file.
 */
void config_print(const struct config *config, struct buffer *out);

/*
 * Returns true if DNS must resolve the target: dns+host[:port] for all A and AAAA records, dnssrv+name for
 * all SRV records.
 */
bool config_is_dns_target(struct slice text);

/*
 * Adds a DNS source to the group, for a target that config_is_dns_target accepts. Returns 0, UV_EINVAL or
 * UV_ENOMEM. After UV_EINVAL, `expected` names the expected form.
 */
int config_add_dns_target(struct config *config, struct config_group *group, struct slice text,
                          const char **expected);

#endif
