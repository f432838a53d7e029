/* Logs what is scraped and where the metrics go: at the start, and when no server is left to scrape. */
#ifndef TARGETS_ANNOUNCE_H
#define TARGETS_ANNOUNCE_H

#include "targets/generation.h"
#include "targets/target_set.h"

#include <stdbool.h>

/* What the log says already. All zero at the start. */
struct announced {
    bool started;
    bool empty; /* there is no server to scrape */
};

/*
 * Call with each new target set once the configuration is active. The first call logs how many servers there
 * are, which shard, and the outputs; with --once only at level debug, because cron mails all output. A call
 * with an empty target set logs why, if the one before was not empty.
 */
void announce_targets(struct announced *announced, const struct generation *generation,
                      const struct target_set *target_set);

#endif
