/*
 * The description of one scrape: which targets, which stats commands and families, the deadline, and the
 * format of the answer. The asker (web/parameters, gather/publisher) fills it once; gather, expose and
 * web/scrape read it.
 */
#ifndef GATHER_SCRAPE_REQUEST_H
#define GATHER_SCRAPE_REQUEST_H

#include "base/buffer.h"
#include "metrics/encoder.h"
#include "net/shard.h"
#include "targets/target_list.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stdint.h>

/* For `timeout_ms`: use each target's own. For `commands`, COMMANDS_ALL means the same. */
#define SCRAPE_NO_TIMEOUT UINT64_MAX

#define SCRAPE_CONTENT_TYPE_MAX 160

/* Counted: a gather and an exposition hold it, each as long as it lives. */
struct scrape_request {
    unsigned references;

    /* Which targets are polled */
    struct target_set *target_set;  /* the configured ones, held; NULL where `url_targets` counts */
    struct target_list url_targets; /* owned */
    struct shard shard;             /* only the targets that it owns */

    /* What is asked of them */
    unsigned commands;   /* set of commands; a target is asked those of them that its module allows */
    uint64_t timeout_ms; /* for all polls together; a target may have less */

    /* When the whole answer must have left, on the clock of uv_hrtime; 0 for no end. */
    uint64_t deadline_ns;
    bool packed; /* the answer is compressed, which takes longer */

    /* What the answer shows */
    bool with_labels;        /* samples carry their target's labels */
    unsigned own_collectors; /* set of enum own_collector */
    const char *
        pid_file; /* of a memcached on this machine, for its process metrics; NULL or "" for none; borrowed */
    struct buffer
        names; /* only families that store a sample under one of these names, each ended by NUL; empty: all */
    enum format format;
    char content_type[SCRAPE_CONTENT_TYPE_MAX]; /* of the format, for HTTP */
    bool fail;                                  /* 502 if no target is up */
};

/* Empty, with one reference. NULL when out of memory. */
struct scrape_request *scrape_request_new(void);

struct scrape_request *scrape_request_hold(struct scrape_request *request);

/* The last one releases the targets. NULL is taken. */
void scrape_request_release(struct scrape_request *request);

/* The targets, before the shard is looked at. */
const struct target_list *scrape_request_targets(const struct scrape_request *request);

#endif
