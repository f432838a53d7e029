/*
 * The settings of a push: the struct, its validation, and the URL of the group. Pure except for checking
 * files.
 */
#ifndef OUTPUTS_PUSH_CONFIG_H
#define OUTPUTS_PUSH_CONFIG_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest cap that a buffer for a URL can need. */
#define PUSH_URL_MAX (64 * 1024)

struct push_label {
    const char *name, *value;
};

struct push_labels {
    struct push_label *items;
    size_t count;
};

/* What is pushed to. The settings of both are the same but for their names, and their rules nearly so. */
enum push_kind {
    PUSH_GATEWAY,      /* a Pushgateway */
    PUSH_REMOTE_WRITE, /* a receiver of Prometheus' remote write */
    PUSH_KINDS,
};

/* Strings and labels are borrowed. NULL and "" both mean that a string is not given. */
struct push_config {
    enum push_kind kind;
    const char *url;             /* Pushgateway's URL without /metrics, or the whole URL of a receiver; if not
                                    given, nothing is pushed */
    const char *job;             /* must be given */
    struct push_labels grouping; /* labels of the group, or of all series, in addition to job */
    uint64_t interval_ns, timeout_ns; /* above 0; timeout_ns limits one whole request */
    bool post;           /* true: POST, replaces families by name; false: PUT, replaces the group */
    bool delete_on_exit; /* push_close deletes the group */
    const char *username, *password_file; /* basic auth: both or neither; the file is read at each push */
    const char *bearer_token_file;        /* instead of basic auth; read at each push, too */
    const char *ca_file;                  /* if not given, the authorities that the system trusts */
    const char *cert_file, *key_file;     /* client's certificate and key in PEM; give both or neither */
};

/* Returns true if a string of the config is given. */
static inline bool push_is_given(const char *text)
{
    return text && text[0];
}

/* The settings that push_config_check checks. */
enum push_setting {
    PUSH_URL,
    PUSH_JOB,
    PUSH_GROUPING,
    PUSH_USERNAME,
    PUSH_PASSWORD_FILE,
    PUSH_BEARER_TOKEN_FILE,
    PUSH_CA_FILE,
    PUSH_CERT_FILE,
    PUSH_KEY_FILE,
    PUSH_CHECKED, /* number of settings */
};

struct push_setting_names {
    const char *flag, *key; /* flag of the command line, and key in the output's section of the file */
};

extern const struct push_setting_names push_settings[PUSH_KINDS][PUSH_CHECKED];

/* Returns the name of the section in `outputs` of the file: "push" or "remote_write". */
const char *push_section(enum push_kind kind);

/*
 * Checks the config of a push that has a URL: the form of the URL and the labels, and whether the files can
 * be read. Returns 0; UV_EINVAL if a setting is wrong in itself; or the libuv code of a file that cannot be
 * read. After an error, `setting` is the wrong setting, and `reason` gets "expected ...", without a line end
 * and without any part of the URL.
 */
int push_config_check(const struct push_config *config, enum push_setting *setting, struct buffer *reason);

/*
 * Appends <url>/metrics/job/<job>{/<label>/<value>}, as in Pushgateway's README. Some values cannot be one
 * segment of a path: "", ".", "..", and all with a '/'. They are written as base64url under <label>@base64.
 * In all other values, special bytes are percent-encoded. The config must have been checked.
 */
void push_config_url(const struct push_config *config, struct buffer *out);

#endif
