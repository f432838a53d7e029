/*
 * Runs the scrapes that no HTTP request asks for: the textfile, the push, and --once.
 */
#ifndef GATHER_PUBLISHER_H
#define GATHER_PUBLISHER_H

#include "gather/gather.h"
#include "outputs/push.h"
#include "outputs/textfile.h"
#include "targets/generation.h"
#include "targets/target_set.h"

#include <uv.h>

struct publisher;

/* With --once: all is done, and this is the exit code. The owner closes the publisher then. */
typedef void (*publisher_once_fn)(void *context, int code);

typedef void (*publisher_close_fn)(void *context);

/* Exit codes of --once, beside 0 for success and 1 for a failure to write. */
#define DELIVERY_SOME_DOWN 3
#define DELIVERY_ALL_DOWN  4

struct publisher_config {
    uv_loop_t *loop;
    struct generation *generation;                   /* held by the publisher as long as it lives */
    struct target_set *(*target_set)(void *context); /* the one in force */
    struct fleet *fleet;
    struct telemetry *telemetry;
    publisher_once_fn on_once;
    void *context;
};

/* Embedded in its owner; the fields are for publisher.c alone. */
struct publisher {
    struct publisher_config config;
    struct gather *file_gather, *push_gather; /* that are not ready yet */
    struct textfile textfile;
    bool writing;      /* the textfile has a producer */
    bool file_failing; /* what the log said last */
    uv_timer_t timer;
    struct push push;
    bool pushes; /* the push is started */
    int once_code;
    unsigned open; /* parts that are not closed: timer, textfile, push */
    publisher_close_fn on_close;
    void *close_context;
};

/*
 * Starts the outputs that the options of the generation ask for, if any. Cannot fail: an output that does not
 * work is logged, counted and tried again at its next interval.
 */
void publisher_start(struct publisher *publisher, const struct publisher_config *config);

/* Ends what is under way; on_close runs once, from the loop. */
void publisher_close(struct publisher *publisher, publisher_close_fn on_close, void *context);

#endif
