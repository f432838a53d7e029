/*
 * What holds at one moment: a configuration, and the settings that it makes of the flags. Shared by those who
 * go on working by it when another one has come into force.
 */
#ifndef SETTINGS_TERMS_H
#define SETTINGS_TERMS_H

#include "config/config.h"
#include "settings/settings.h"

struct terms {
    unsigned references;
    struct config *config; /* owned; NULL: only the flags */
    struct settings settings;
    struct config_module standard; /* the module `default` where there is no configuration */
};

/*
 * Takes the configuration (allocated with malloc, or NULL) over in any case; the flags are borrowed. 0 and
 * one reference; or a negative libuv code, with a line in `error` unless it is UV_ENOMEM.
 */
int terms_new(struct terms **terms, struct config *config, const struct options *flags, struct buffer *error);

/* The configuration, if it is that of a file; else NULL. */
const struct config *terms_file(const struct terms *terms);

/* The module of a name, "" being "default", which is always there; NULL if there is none. */
const struct config_module *terms_module(const struct terms *terms, struct slice name);

/* That of targets in URLs; never NULL. */
struct policy *terms_policy(const struct terms *terms);

struct terms *terms_hold(struct terms *terms);

/* NULL is taken. */
void terms_release(struct terms *terms);

#endif
