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

/* Appends the name as valid UTF-8; each byte that is none becomes U+FFFD, three bytes. */
void name_append(struct buffer *out, struct slice name);

/* Byte by byte, as memcmp; a name that another begins with comes first. */
int name_compare(struct slice a, struct slice b);

/* A few different names, found by looking at each. Plain data: may be copied. */
#define NAME_LEN_MAX  127
#define NAME_SET_MAX  32
#define NAME_SET_REST NAME_SET_MAX /* stands for all names that found no place */
struct name_set {
    unsigned count;
    unsigned char lens[NAME_SET_MAX];
    char names[NAME_SET_MAX][NAME_LEN_MAX];
};

/*
 * The place of a name, which is added if it is new; NAME_SET_REST when the set is full. Longer names are cut.
 */
unsigned name_set_place(struct name_set *set, struct slice name);

/* The name at a place that was given out; "other" for NAME_SET_REST. */
struct slice name_set_at(const struct name_set *set, unsigned place);

#endif
