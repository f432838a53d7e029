/*
 * Checks the value of a stat against its form (enum stat_form) and turns it into a number. Pure.
 */
#ifndef MEMCACHED_VALUE_H
#define MEMCACHED_VALUE_H

#include "base/buffer.h"
#include "base/slice.h"
#include "memcached/stats.h"

enum value_verdict {
    VALUE_KEEP,
    VALUE_ABSENT, /* the server says that it has no value, or the value is not to be kept */
    VALUE_WRONG,
};
enum value_verdict value_judge(enum stat_form form, struct slice value);

/* Sets `on`: true for yes, on and 1; false for no, off and 0. Returns false for any other value. */
bool value_read_switch(struct slice value, bool *on);

/*
 * Appends the number of a value that was judged VALUE_KEEP, or the text of FORM_TEXT. Most digits are
 * appended exactly as sent. Conversions never use a double. They add VALUE_GROWTH bytes at most: a point,
 * zeros after it, or three digits for a factor of 1024.
 */
#define VALUE_GROWTH 8

void value_append_number(struct buffer *out, enum stat_form form, struct slice value);

#endif
