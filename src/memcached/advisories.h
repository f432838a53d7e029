/* Published security holes of memcached, by version. Pure. */
#ifndef MEMCACHED_ADVISORIES_H
#define MEMCACHED_ADVISORIES_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Appends the names of the holes in `version`, and the first version without any of them: "CVE-2023-46852,
 * CVE-2023-46853; fixed in 1.6.22". Returns false and appends nothing if the version has no known hole, or is
 * not of the form "1.6.18".
 */
bool advisories_append(struct buffer *out, struct slice version);

#endif
