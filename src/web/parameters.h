/*
 * What a URL asks of a scrape: targets, stats commands, families.
 */
#ifndef WEB_PARAMETERS_H
#define WEB_PARAMETERS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "net/shard.h"
#include "targets/generation.h"
#include "targets/target_list.h"

#include <stdbool.h>

/* What a request may choose from; borrowed. */
struct parameter_rules {
    const struct options *options;
    struct fleet *fleet;
    const struct generation *generation; /* of the modules */
    struct policy *policy; /* of what `target` may name beside configured servers; NULL for policy_none */
    unsigned commands;     /* set of commands that collect[] may name where the targets are configured */
    bool takes_targets;    /* else the targets are configured: `target` is passed over, `module` refused */
};

struct parameters {
    struct target_list targets; /* target=, owned */
    struct buffer names;        /* name[]=, each ended by NUL */
    unsigned commands;          /* collect[]=, `stats` among them; all that may be named if there was none */
    bool narrowed;              /* there was a collect[]= */
    unsigned own_collectors;    /* collect[]= that names a collector of the exporter itself */
    bool fail;                  /* fail=true */
    struct shard shard;         /* shard=, of the configured targets; all of them if there was none */
    struct buffer storage;      /* the decoded query */
};

/* Why a request cannot be carried out, for one line: what "subject": why. */
struct parameter_refusal {
    int status; /* 400, 403, 503 */
    const char *what;
    struct slice subject; /* what the client sent, or no data; good until the parameters are cleared */
    char why[256];        /* "" for none */
};

/* Reads a whole query. False with a refusal; in any case parameters_clear follows. */
bool parameters_read(struct parameters *parameters, const struct parameter_rules *rules, struct slice query,
                     struct parameter_refusal *refusal);

void parameters_clear(struct parameters *parameters);

#endif
