/* Runs the scrapes that no HTTP request asks for: textfile, push, remote write, --once, and the command top. */
#ifndef GATHER_PUBLISHER_H
#define GATHER_PUBLISHER_H

#include "gather/gather.h"
#include "gather/series_feed.h"
#include "gather/top.h"
#include "outputs/push.h"
#include "outputs/sender.h"
#include "outputs/textfile.h"
#include "targets/generation.h"
#include "targets/target_set.h"

#include <uv.h>

struct publisher;

/*
 * Only with --once and the command top: called when everything is done. `code` is the exit code. The owner
 * then closes the publisher.
 */
typedef void (*publisher_once_fn)(void *context, int code);

typedef void (*publisher_close_fn)(void *context);

/* Exit codes of --once, in addition to 0 for success and 1 if writing failed. */
#define DELIVERY_SOME_DOWN 3
#define DELIVERY_ALL_DOWN  4

struct publisher_config {
    uv_loop_t *loop;
    struct generation *generation;                   /* the publisher takes a reference */
    struct target_set *(*target_set)(void *context); /* returns the active target set */
    struct fleet *fleet;
    struct telemetry *telemetry;
    publisher_once_fn on_once;
    void *context;
};

/* Embedded in its owner. Only publisher.c uses the fields. */
struct publisher {
    struct publisher_config config;
    struct gather *file_gather, *push_gather, *series_gather; /* gathers that are still running, or NULL */
    struct textfile textfile;
    bool writing;        /* true while the textfile is being written */
    bool file_failing;   /* true if the last result in the log was a failure */
    uv_timer_t timer;    /* ticks of the textfile; with --once, then the progress */
    bool shows_progress; /* the terminal shows how far --once is */
    struct push push;
    bool pushes; /* true if the push is started */
    struct sender sender;
    struct series_feed feed;
    bool sends;              /* true if the sender is started */
    int64_t series_began_ms; /* when the series were asked for, since the unix epoch */
    struct top top;
    bool tops;           /* true if the command top is started */
    unsigned once_waits; /* outputs of --once that are not done yet */
    bool once_failed;    /* one of them could not be written */
    int once_code;       /* exit code if all are written */
    unsigned open;       /* number of parts that are still open: timer, textfile, push, sender, top */
    publisher_close_fn on_close;
    void *close_context;
};

/*
 * Starts the outputs in the options of the generation, if there are any. Never fails: an output that does not
 * work is logged, counted, and tried again after its interval.
 */
void publisher_start(struct publisher *publisher, const struct publisher_config *config);

/* Stops all outputs. on_close runs once, from the loop. */
void publisher_close(struct publisher *publisher, publisher_close_fn on_close, void *context);

#endif
