/*
 * Labels in the text form of an exposition, without the braces: a="1",b="2". They are rendered once and kept
 * as text; the text formats copy it, the others parse it. An empty set of labels is "". Pure.
 */
#ifndef METRICS_LABELS_H
#define METRICS_LABELS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/* Escapes the value, and replaces what is not UTF-8. */
void labels_append(struct buffer *labels, const char *name, struct slice value);

/* Points into the set that was read. */
struct label {
    struct slice name;
    struct slice escaped; /* the value as it is written between its quotes */
};

/*
 * Cuts the first label off. False, and nothing is left, when there is none, or none that labels_append makes.
 */
bool labels_next(struct slice *labels, struct label *label);

/* Appends the value that was escaped. */
void label_append_value(struct buffer *out, const struct label *label);

#endif
