/*
 * The options of a push in the form that a push takes, and whether they are fit to be used. Knows no loop.
 */
#ifndef SETTINGS_PUSH_H
#define SETTINGS_PUSH_H

#include "base/buffer.h"
#include "cli/options.h"
#include "outputs/push_config.h"

#include <stddef.h>

struct push_options {
    struct push_config config; /* borrows from the options, but for the labels */
    struct push_label *labels; /* owned */
    char **texts;              /* owned, of the labels */
    size_t count;
};

/*
 * Reads and checks them; there must be a URL. 0, or what push_config_check returns: then `setting` is the one
 * at fault, as the flag calls it behind "push." ("tls.ca-file", static), and `reason` has its line, without a
 * line end: "expected a certificate and its key, or neither"; or UV_ENOMEM without both, `setting` NULL.
 * push_options_deinit follows in any case.
 */
int push_options_make(struct push_options *push, const struct options *options, const char **setting,
                      struct buffer *reason);

void push_options_deinit(struct push_options *push);

#endif
