/*
 * The sources that are being asked, each once, whoever uses them: a reload keeps those that it asks for
 * again, with what they have found.
 */
#ifndef FEEDS_H
#define FEEDS_H

#include "base/list.h"
#include "config/config.h"
#include "discovery/discovery.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* What some source has found is another, or it has answered for the first time. */
typedef void (*feeds_change_fn)(void *context, const struct results *found);
typedef void (*feeds_close_fn)(void *context);

struct feeds {
    struct discovery_services services; /* dns is made when the first source needs it */
    struct list list;                   /* of feeds */
    size_t open;                        /* sources that are not closed, those that nobody uses included */
    feeds_change_fn on_change;
    feeds_close_fn on_closed;
    void *context;
};

/* A source in use. */
struct feed {
    struct link link;
    struct feeds *feeds;
    struct discovery *discovery;
    unsigned users;
};

void feeds_init(struct feeds *feeds, const struct discovery_services *services, feeds_change_fn on_change,
                void *context);

/* The source that asks just this, for one more user. `directory` is that of the configuration file. 0, or a
 * negative libuv code, maybe with a line in `error`. */
int feeds_use(struct feed **feed, struct feeds *feeds, const struct config_source *source,
              const char *directory, struct buffer *error);

/* One user less. The source is closed with its last one. */
void feed_leave(struct feed *feed);

/* Nobody may use a feed any more. on_closed runs once, from the loop, when all of them are closed. */
void feeds_close(struct feeds *feeds, feeds_close_fn on_closed);

#endif
