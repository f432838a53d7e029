/*
 * Collections that nobody asked for by HTTP: the textfile, the push, and --once.
 */
#ifndef GATHER_PUBLISHER_H
#define GATHER_PUBLISHER_H

#include "gather/gather.h"
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

/*
 * Starts what the options ask for; nothing, if that is nothing. 0, or a negative libuv code: then there is
 * nothing to close, and `error` has one line if a flag is at fault; UV_EINVAL if its value is wrong in
 * itself.
 */
int publisher_new(struct publisher **publisher, const struct publisher_config *config, struct buffer *error);

/* Ends what is under way and frees it; on_close runs once, from the loop. */
void publisher_close(struct publisher *publisher, publisher_close_fn on_close, void *context);

#endif
