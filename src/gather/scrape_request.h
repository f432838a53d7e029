/*
 * The description of one scrape: targets, stats commands and families, deadline, and format of the answer.
 * web/parameters or gather/publisher fills it once; gather, expose and web/scrape read it.
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

/* Value of `timeout_ms`: each target uses its own timeout. COLLECTORS_ALL does the same for `commands`. */
#define SCRAPE_NO_TIMEOUT UINT64_MAX

#define SCRAPE_CONTENT_TYPE_MAX 160

/* Reference-counted: a gather and an exposition each have a reference. */
struct scrape_request {
    unsigned references;

    /* Targets to poll. */
    struct target_set *target_set;  /* configured targets, owned reference; NULL if `url_targets` are
                                       polled */
    struct target_list url_targets; /* owned */
    struct shard shard;             /* shard whose targets are polled; others are skipped */

    /* Questions to the targets. */
    unsigned commands;   /* set of collectors; a target is sent only those that its module allows */
    uint64_t timeout_ms; /* time for all polls together; a target may have less */

    /* Time (uv_hrtime) by which the whole answer must be sent; 0 for no deadline. */
    uint64_t deadline_ns;
    bool packed; /* true if the answer is compressed, which takes longer */

    /* Content of the answer. */
    bool with_labels;        /* true if samples have their target's labels */
    unsigned own_collectors; /* set of enum own_collector */
    const char *pid_file;    /* pid file of a memcached on this machine; NULL or "" for none; borrowed */
    struct buffer names; /* only families with one of these sample names; each ends with NUL. Empty: all */
    enum format format;
    char content_type[SCRAPE_CONTENT_TYPE_MAX]; /* HTTP content type of the format */
    bool created; /* true if OpenMetrics has lines _created for the servers' counters */
    bool debug;   /* true if the answer is a text for people; the targets' profiles are then traced */
    bool fail;    /* true if the answer is 502 when no target is up */
};

/* Makes an empty request with one reference. Returns NULL when out of memory. */
struct scrape_request *scrape_request_new(void);

struct scrape_request *scrape_request_hold(struct scrape_request *request);

/* Releases a reference; `request` may be NULL. Releasing the last one releases the targets. */
void scrape_request_release(struct scrape_request *request);

/* Returns all targets of the request, including those of other shards. */
const struct target_list *scrape_request_targets(const struct scrape_request *request);

#endif
