/*
 * The settings of a push: the struct, its validation, and the URL of the group. Pure but for checking files.
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

struct push_labels {
    struct push_label *items;
    size_t count;
};

/* Strings and labels are borrowed. NULL and "" both mean that a string is not given. */
struct push_config {
    const char *url;                  /* of the Pushgateway, without /metrics; not given: nothing is pushed */
    const char *job;                  /* must be given */
    struct push_labels grouping;      /* the labels of the group beside job */
    uint64_t interval_ns, timeout_ns; /* above 0; the time-out covers one whole request */
    bool post;           /* POST, which replaces families by name, and not PUT, which replaces the group */
    bool delete_on_exit; /* push_close deletes the group */
    const char *username, *password_file; /* basic auth: both or neither. The file is read at each push. */
    const char *ca_file;                  /* not given: the authorities that the system trusts */
    const char *cert_file, *key_file;     /* of the client, in PEM: both or neither */
};

/* Whether a string of the config is given. */
static inline bool push_is_given(const char *text)
{
    return text && text[0];
}

/* The settings that push_config_check may find at fault, and what they are called. */
enum push_setting {
    PUSH_URL,
    PUSH_JOB,
    PUSH_GROUPING,
    PUSH_USERNAME,
    PUSH_PASSWORD_FILE,
    PUSH_CA_FILE,
    PUSH_CERT_FILE,
    PUSH_KEY_FILE,
    PUSH_CHECKED, /* how many there are */
};

struct push_setting_names {
    const char *flag, *key; /* of the command line, and of the file's mapping outputs.push */
};

extern const struct push_setting_names push_settings[PUSH_CHECKED];

/*
 * The rules of a push that has a URL: the form of the URL and the labels, and whether the files can be read.
 * 0; UV_EINVAL for a setting that is wrong in itself; or the libuv code of a file that cannot be read. If it
 * is negative, `setting` is the one at fault, and `reason` gets "expected ..." without an end of line and
 * without any part of the URL.
 */
int push_config_check(const struct push_config *config, enum push_setting *setting, struct buffer *reason);

/*
 * Appends <url>/metrics/job/<job>{/<label>/<value>}, as Pushgateway's README has it. A value that would not
 * come through as one segment of a path ("", ".", "..", and all with a '/') goes as base64url under
 * <label>@base64; other bytes are percent-encoded. The config must have been checked.
 */
void push_config_url(const struct push_config *config, struct buffer *out);

#endif
