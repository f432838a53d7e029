/*
 * The running sources of targets. A source runs only once, even if several groups use it. A reload keeps
 * sources that are still configured, together with the targets they have found.
 */
#ifndef TARGETS_PROVIDERS_H
#define TARGETS_PROVIDERS_H

#include "base/list.h"
#include "config/config.h"
#include "discovery/discovery.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Called when a source has found other targets, or has answered for the first time. */
typedef void (*providers_change_fn)(void *context, const struct results *found);
typedef void (*providers_close_fn)(void *context);

struct providers {
    struct discovery_services services; /* `dns` is made when the first source needs it */
    struct list list;                   /* list of struct provider */
    size_t open;                        /* number of sources that are not closed yet, including those
                                           without users */
    providers_change_fn on_change;
    providers_close_fn on_closed;
    void *context;
};

/* A running source. */
struct provider {
    struct link link;
    struct providers *providers;
    struct discovery *discovery;
    unsigned users;
};

void providers_init(struct providers *providers, const struct discovery_services *services,
                    providers_change_fn on_change, void *context);

/*
 * Finds or starts the source with this configuration, and adds a user to it. Returns 0, or a negative libuv
 * code; `error` may then have a line.
 */
int providers_use(struct provider **provider, struct providers *providers,
                  const struct discovery_config *config, struct buffer *error);

/* Removes one user. The source is closed when it has no users. */
void provider_leave(struct provider *provider);

/*
 * Closes the providers; none may have users any more. on_closed runs once, from the loop, when all sources
 * are closed.
 */
void providers_close(struct providers *providers, providers_close_fn on_closed);

#endif
