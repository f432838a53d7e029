/*
 * Turns names from outside (key prefixes, listeners, parts of a proxy) into label values.
 *
 * A name becomes valid UTF-8 as soon as it is read. Two names that become the same label value are therefore
 * one name: their counts are added up, and no series appears twice.
 */
#ifndef MEMCACHED_NAME_SET_H
#define MEMCACHED_NAME_SET_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stddef.h>

/*
 * Appends the name as UTF-8 that can be shown, see utf8_visible. Each other byte becomes U+FFFD, which has
 * three bytes.
 */
void name_append(struct buffer *out, struct slice name);

/* Compares names byte by byte, like memcmp. A name sorts before its own extensions. */
int name_compare(struct slice a, struct slice b);

/* A set of a few names, searched one by one. Plain data: may be copied by assignment. */
#define NAME_LEN_MAX  127
#define NAME_SET_MAX  32
#define NAME_SET_REST NAME_SET_MAX /* place of all names that did not fit into the set */
struct name_set {
    unsigned count;
    unsigned char lens[NAME_SET_MAX];
    char names[NAME_SET_MAX][NAME_LEN_MAX];
};

/*
 * Returns the place of a name, and adds the name if it is new. Returns NAME_SET_REST if the set is full. Cuts
 * longer names to NAME_LEN_MAX bytes.
 */
unsigned name_set_place(struct name_set *set, struct slice name);

/* Returns the name at a place that name_set_place has returned; "other" for NAME_SET_REST. */
struct slice name_set_at(const struct name_set *set, unsigned place);

#endif
