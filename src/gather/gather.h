/*
 * One collection: what the fleet, and the exporter itself, say now, as the bytes of an exposition.
 *
 *     gather_start -> round (all targets, one deadline) -> on_ready -> gather_source -> fill* ->
 * release
 *
 * Everything that gives metrics away starts here: the HTTP handlers, the textfile, the push, --once.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "base/source.h"
#include "cli/options.h"
#include "collectors/telemetry.h"
#include "memcached/snapshot.h"
#include "metrics/encoder.h"
#include "net/shard.h"
#include "targets/target_list.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gather;

/* The collectors of the exporter itself, beside that of the fleet; in the order of the registry. */
enum own_collector {
    OWN_MEMCACHED_PROCESS, /* of a pid file, if there is one */
    OWN_BUILD,
    OWN_TELEMETRY,
    OWN_TARGETS,
    OWN_PROCESS,
    OWN_COUNT,
};
#define OWN_BIT(own) (1u << (own))
#define OWN_ALL      (OWN_BIT(OWN_COUNT) - 1)

const struct collector *own_collector(enum own_collector own);

/* Checks the tables of all collectors: a fault there is found at the first start after it was made. 0, or a
 * negative errno with a line in `error`. */
int gather_check(struct buffer *error);

/* Those that the options leave on. */
unsigned own_collectors(const struct options *options);

typedef void (*gather_fn)(void *context);

/* What a plan leaves to each target: what it is asked, and how long it may take. */
#define COLLECTION_COMMANDS (COMMAND_BIT(COMMAND_COUNT) - 1)
#define COLLECTION_TIMEOUT  UINT64_MAX

struct gather_plan {
    struct fleet *fleet;
    struct target_set
        *target_set;         /* moved: one reference, which the collection releases; or NULL for its own */
    struct target_list own;  /* moved: cleared by the gather, also when it fails to start */
    struct buffer names;     /* moved likewise: name[] filter, each ended by NUL; empty for all */
    struct shard shard;      /* only those of the targets that it owns */
    bool with_labels;        /* samples carry their target's labels */
    unsigned own_collectors; /* set of enum own_collector that is added */
    struct telemetry *telemetry; /* is told how long everything took */
    const char *pid_file; /* of a memcached on this machine, for its process metrics; NULL or "" for none */
    unsigned commands;    /* set of commands that are asked, of what a target allows */
    enum format format;
    uint64_t timeout_ms; /* a target may have less */
    gather_fn on_ready;  /* once, from the loop, unless it is cancelled: the source may be asked */
    gather_fn on_end;    /* once, when the source is released or the collection is cancelled; may be NULL */
    void *context;
};

/* Releases what would have been moved; for a plan that is not carried out. */
void gather_plan_clear(struct gather_plan *plan);

/* 0, or a negative libuv code: then neither callback runs, and what was to be moved has been released. */
int gather_start(struct gather **gather, struct gather_plan *plan);

/* After on_ready. The collection lives until the source is released. */
struct source *gather_source(struct gather *gather);

/* After on_ready: how many of the targets are up. */
size_t gather_up(const struct gather *gather);
size_t gather_targets(const struct gather *gather);

/* After on_ready: what the only target said; NULL if there are several, or there was no memory to ask. */
const struct snapshot *gather_only(const struct gather *gather);

/* Instead of asking the source: ends it. */
void gather_cancel(struct gather *gather);

#endif
