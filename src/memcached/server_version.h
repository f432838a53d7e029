/* The version of a server, as it reports it: "1.6.18", "1.5.4-rc1", "1.6.0 DF". Pure. */
#ifndef MEMCACHED_SERVER_VERSION_H
#define MEMCACHED_SERVER_VERSION_H

#include "base/slice.h"

#include <stdbool.h>

struct server_version {
    unsigned part[3];
};

/* Reads three numbers up to 9999; text may follow after " ", "-" or "_". Returns false for another form. */
bool server_version_parse(struct slice text, struct server_version *version);

/* Returns a number below, at or above 0 if `a` is older than, the same as or newer than `b`. */
int server_version_compare(const struct server_version *a, const struct server_version *b);

/* Returns true if the text is a version that is not older than major.minor.patch. */
bool server_version_reaches(struct slice text, unsigned major, unsigned minor, unsigned patch);

#endif
