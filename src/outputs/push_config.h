/*
 * What is pushed where: the settings of a push, their rules, and the URL that they make. Knows no loop.
 */
#ifndef OUTPUTS_PUSH_CONFIG_H
#define OUTPUTS_PUSH_CONFIG_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The cap that a buffer for a URL needs at most. */
#define PUSH_URL_MAX (64 * 1024)

struct push_label {
    const char *name, *value;
};

/* Strings are borrowed; those marked so may be NULL. */
struct push_config {
    const char *url; /* of the Pushgateway, without /metrics: http[s]://host[:port][/path] */
    const char *job;
    const struct push_label *grouping; /* the labels of the group beside job */
    size_t count;
    bool post;           /* POST, which replaces families by name, and not PUT, which replaces the group */
    bool delete_on_exit; /* push_close deletes the group */
    uint64_t interval_ms, timeout_ms;      /* above 0; the time-out is that of one request as a whole */
    const char *username, *password_file;  /* basic auth: both, or NULL. The file is read at each push. */
    const char *ca_file;                   /* NULL: the authorities that the system trusts */
    const char *cert_file, *key_file;      /* of the client, in PEM: both, or NULL */
    const char *content_type, *user_agent; /* user_agent may be NULL */
};

/*
 * Whether it can be used: the URL and the labels have their form, and the files can be read. 0, or UV_EINVAL
 * for a setting that is wrong in itself, or the error of a file, or UV_ENOMEM. Then `setting` is the one at
 * fault ("url", "tls.ca-file", static) and `reason` gets what was expected, without an end of line, and never
 * any part of the URL; but for UV_ENOMEM.
 */
int push_config_check(const struct push_config *config, const char **setting, struct buffer *reason);

/*
 * Appends <url>/metrics/job/<job>{/<label>/<value>}, as Pushgateway's README has it. What would not come
 * through as one segment of a path ("", ".", "..", and all with a '/') goes as base64url under
 * <label>@base64, other bytes are percent-encoded. The config must have been checked.
 */
void push_config_url(const struct push_config *config, struct buffer *out);

#endif
