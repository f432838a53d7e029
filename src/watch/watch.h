/*
 * Watches the configured servers in turn: each one for a short window, every minute or so, and only a few at
 * once. Counts their items by prefix: one server at a time, once an hour at most. Without the keys `watch`
 * and `census` in the configuration file, it does nothing and sends nothing.
 *
 *     watch_new -> watch_set (whenever the targets or the settings change) -> watch_close -> [on_close]
 *
 * With more servers than the windows leave room for, the time between two windows of a server gets longer.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "memcached/fleet.h"
#include "watch/census.h"
#include "watch/watch_config.h"
#include "watch/watch_record.h"
#include "watch/window.h"

#include <stddef.h>

struct watch;

#define WATCHED_WHY_MAX 192

/* A server that is watched. Counted; kept by those who show it. */
struct watched {
    unsigned references;
    struct watch *watch; /* NULL once the server is not watched any more */
    char *address;       /* canonical address; owned */
    char *name;          /* name of its first target; owned */
    struct address at;
    struct profile *profile; /* holds a reference */
    struct dial_record dial;
    struct watch_record record;
    struct window *window;       /* owned; NULL unless a window is open */
    enum watch_result result;    /* of the last window; WATCH_COMPLETE before the first */
    char why[WATCHED_WHY_MAX];   /* explains a result other than WATCH_COMPLETE */
    uint64_t due_ms;             /* when the next window is due */
    struct link link;            /* among those that wait for their window */
    struct census_report census; /* of the last census */
    uint64_t censuses[CENSUS_RESULT_COUNT];
    uint64_t census_due_ms; /* when the next census is due */
};

typedef void (*watch_close_fn)(void *context);

/* Creates a watch without servers. Returns 0 or a negative libuv code. The arguments are borrowed. */
int watch_new(struct watch **watch, uv_loop_t *loop, struct resolver *resolver, struct limiter *limiter);

/*
 * Sets what is watched: the servers of these targets, each once. Copies the settings. A
 * server that stays keeps its counts and its window, unless the settings have changed: then all counts begin
 * anew.
 */
void watch_set(struct watch *watch, const struct watch_config *config, const struct census_config *census,
               struct target *const *targets, size_t count);

/* Returns the settings in force. */
const struct watch_config *watch_config(const struct watch *watch);

/* Returns the number of servers, and the n-th of them in the order of their addresses. */
size_t watch_count(const struct watch *watch);
struct watched *watch_server(const struct watch *watch, size_t n);

/* Returns the server with that canonical address, or NULL. */
struct watched *watch_find(const struct watch *watch, const char *address);

struct watched *watched_hold(struct watched *watched);

/* NULL is allowed. */
void watched_release(struct watched *watched);

/* Ends all windows and frees the watch. on_close runs once, from the loop, or inside this call for NULL. */
void watch_close(struct watch *watch, watch_close_fn on_close, void *context);

#endif
