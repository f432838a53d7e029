/*
 * The configuration file as one struct: what it says, checked as far as that is possible without leaving the
 * text.
 *
 * Nothing here knows a loop, a clock or a log, and nothing is changed once it is read: a reload reads another
 * one, on a thread of the pool, and then swaps. What the file leaves out is as the flags say. Names of files are
 * made whole: those in the file are relative to its folder. The keys are in the tables of config/, and for users in config/exporter.yml.
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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger files are refused, as are more groups. */
#define CONFIG_FILE_MAX   ((size_t) 16 * 1024 * 1024)
#define CONFIG_GROUPS_MAX 10000

/* Where in the file a value stands, for faults that are found later; from 1. */
struct config_place {
    unsigned line, column;
};

/* How servers are asked. */
struct config_module {
    const char *name;
    uint64_t timeout_ns;          /* above 0 */
    unsigned collectors;          /* set of commands, see memcached/stats.h; `stats` is always in it. And
                                     SLABS_TOTALS_ONLY */
    struct access_settings wants; /* what the servers want before they answer; strings are the arena's */
    bool url_targets;             /* a target that a URL names may see the login */
    struct config_place place;    /* of the module in the file; line 0: the file has none of the name */
    struct access *access;        /* what `wants` led to, see config_open_accesses; held; or NULL */
};

/*
 * A label's value is all of its parts, one behind the other: of a reference, the value of the label of that
 * name that the discovery found ("__meta_zone"), or nothing; else the text itself.
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
    const char *name; /* as it was written */
    struct address address;
};

/* Where targets of a group come from while the exporter runs. */
struct config_source {
    struct config_source *next; /* of the group */
    struct discovery_config asks;
};

struct config_group {
    const char *name; /* no other group has it */
    const struct config_module *module;
    const struct config_label *labels;
    size_t label_count;
    const struct config_target *targets; /* no two of the same address */
    size_t target_count;
    struct config_source *sources, *last_source; /* first those that targets stand for, then kind by kind */
};

/* Something that is not as it should be, and does no harm. */
struct config_warning {
    struct config_warning *next;
    const char *text; /* one line, with the file's name */
};

/* More are only counted. */
#define CONFIG_WARNINGS_MAX 10

struct config {
    struct arena arena; /* owned: every string and array below */
    const char *file, *directory;
    char hash[17]; /* of its bytes, in hexadecimal digits */
    const char *target_label;
    struct shard shard;
    struct config_module *modules; /* the first is `default` */
    size_t module_count;
    const struct config_group *groups;
    size_t group_count;
    size_t target_count;   /* of all groups, without those that sources find */
    struct policy *policy; /* owned reference; NULL when neither the file nor the flags have one */
    bool has_groups;       /* the file has the key */
    bool has_policy;       /* the same */
    const char *textfile;  /* "" for none */
    uint64_t textfile_interval_ns;
    struct push_config push;
    struct config_place push_places[PUSH_CHECKED]; /* of the values in the file; line 0: from a flag */
    struct config_warning *warnings;
    size_t warning_count; /* also of those that were not kept */
};

/* What the file cannot know: the flags, which hold for all that the file leaves out, and the rest of the program.
 * Read from another thread, so constant; borrowed for as long as the configuration lives. */
struct config_rules {
    uint64_t timeout_ns;
    unsigned collectors;
    struct access_settings wants; /* of the module `default` alone */
    const char *target_label;
    struct shard shard;
    const char *textfile;
    uint64_t textfile_interval_ns;
    struct push_config push;
    bool (*label_reserved)(struct slice name); /* whether the samples of a server have such a label */
    /* The rule for names of textfiles: NULL, or what was expected. */
    const char *(*check_textfile)(struct slice path);
};

/* A configuration of the flags alone: the module `default`, no groups, no file. 0 or UV_ENOMEM; config_deinit
 * follows in any case. */
int config_init(struct config *config, const struct config_rules *rules);

/*
 * Reads a text; `file` is its name, for messages and for its folder. 0; or UV_EINVAL or UV_ENOMEM, then `error`
 * has one line without a line end, "FILE:LINE:COLUMN: groups[0].dns.port: "70000": expected a port from 1 to
 * 65535". config_deinit follows in any case. Passwords and URLs, which may hold one, are never in a line.
 */
int config_read(struct config *config, const char *file, struct slice text, const struct config_rules *rules,
                struct buffer *error);

/* The same for the file itself, which must be a regular one. Blocks. Beside the above any negative errno of
 * reading. */
int config_load(struct config *config, const char *file, const struct config_rules *rules,
                struct buffer *error);

/*
 * Reads the files of certificates and passwords that modules name. Blocks. 0; or a negative libuv code with one
 * line in `error`, without a line end, unless it is UV_ENOMEM. Once.
 */
int config_open_accesses(struct config *config, struct buffer *error);

/* Adds a warning: one line, which is copied. 0 or UV_ENOMEM. */
int config_warn(struct config *config, struct slice line);

void config_deinit(struct config *config);

/* The time of a module in milliseconds, rounded up: above 0. */
uint64_t config_timeout_ms(const struct config_module *module);

/* The module of a name, or NULL. */
const struct config_module *config_module(const struct config *config, struct slice name);

/* What --config.check shows: groups with their servers and effective settings, in the order of the file. */
void config_print(const struct config *config, struct buffer *out);

/*
 * Targets that stand for what DNS says: dns+host[:port] for every A and AAAA record, dnssrv+name for every SRV
 * record.
 */
bool config_is_dns_target(struct slice text);

/* Adds the source that such a target stands for to the group. 0; UV_EINVAL, and `expected` says what was;
 * UV_ENOMEM. */
int config_add_dns_target(struct config *config, struct config_group *group, struct slice text,
                          const char **expected);

#endif
