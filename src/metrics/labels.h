/*
 * Labels in the text form of an exposition, without braces: a="1",b="2". They are rendered once and stored as
 * text. The text formats copy the text; other formats parse it. An empty set of labels is "". Pure.
 */
#ifndef METRICS_LABELS_H
#define METRICS_LABELS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/* Appends a label. Escapes the value and replaces bytes that are not UTF-8. */
void labels_append(struct buffer *labels, const char *name, struct slice value);

/* A parsed label. Points into the parsed text. */
struct label {
    struct slice name;
    struct slice escaped; /* the value as written between the quotes */
};

/*
 * Removes the first label from `labels`. If there is none, or it does not have the form that labels_append
 * writes, returns false and empties `labels`.
 */
bool labels_next(struct slice *labels, struct label *label);

/* Appends the label's value without escapes. */
void label_append_value(struct buffer *out, const struct label *label);

#endif
