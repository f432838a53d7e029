/*
 * The running sources of targets. Each source runs once, however many groups use it. A reload keeps the
 * sources that are still configured, with the targets that they have found.
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
    struct discovery_services services; /* dns is made when the first source needs it */
    struct list list;                   /* of providers */
    size_t open;                        /* sources that are not closed, those that nobody uses included */
    providers_change_fn on_change;
    providers_close_fn on_closed;
    void *context;
};

/* A source in use. */
struct provider {
    struct link link;
    struct providers *providers;
    struct discovery *discovery;
    unsigned users;
};

void providers_init(struct providers *providers, const struct discovery_services *services,
                    providers_change_fn on_change, void *context);

/*
 * Finds or starts the source with this configuration, and adds a user to it. 0, or a negative libuv code,
 * maybe with a line in `error`.
 */
int providers_use(struct provider **provider, struct providers *providers,
                  const struct discovery_config *config, struct buffer *error);

/* One user less. The source is closed with its last one. */
void provider_leave(struct provider *provider);

/* Nobody may use a provider any more. on_closed runs once, from the loop, when all of them are closed. */
void providers_close(struct providers *providers, providers_close_fn on_closed);

#endif
