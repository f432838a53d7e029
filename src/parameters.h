/*
 * What a URL asks of a scrape: targets, stats commands, families.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "base/buffer.h"
#include "options.h"
#include "targets.h"

#include <stdbool.h>

/* What a request may choose from; borrowed. */
struct parameter_rules {
    const struct options *options;
    struct fleet *fleet;
    const struct target_list *configured; /* unix sockets may only be chosen from these */
    bool takes_targets;                   /* a path whose targets are configured passes over `target` */
};

struct parameters {
    struct target_list targets; /* target=, owned */
    struct buffer names;        /* name[]=, each ended by NUL */
    unsigned commands;          /* collect[]=, `stats` among them; all that are enabled if there was none */
    bool narrowed;              /* there was a collect[]= */
    unsigned own_collectors;    /* collect[]= that names a collector of the exporter itself */
    bool fail;                  /* fail=true */
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
