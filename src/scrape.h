/*
 * One scrape, from the targets that were asked for to the last byte of the answer.
 *
 *     scrape_start -> round (all targets, one deadline) -> exposition -> exchange_stream -> on_end
 */
#ifndef SCRAPE_H
#define SCRAPE_H

#include "http/server.h"
#include "targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scrape;

typedef void (*scrape_end_fn)(void *context);

struct scrape_plan {
    struct fleet *fleet;
    const struct target_list *targets; /* borrowed, for longer than the scrape; or NULL for its own */
    struct target_list own; /* made for this scrape, which clears them, also when it fails to start */
    bool with_labels;       /* samples carry their target's labels */
    bool with_exporter;     /* and the exporter's own metrics are added */
    const char *
        pid_file; /* of a memcached on this machine, for its process metrics; NULL or "" for none; borrowed */
    unsigned commands; /* set of commands that are asked, for the metrics about them */
    uint64_t timeout_ms;
    scrape_end_fn on_end; /* once, when the answer is sent or will not be */
    void *context;
};

/*
 * Takes the exchange over and answers it. 0, or a negative libuv code: then nothing has been answered and
 * on_end does not run.
 */
int scrape_start(struct exchange *exchange, struct scrape_plan *plan);

#endif
