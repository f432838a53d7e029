/*
 * Reads the web configuration file (--web.config.file), in the format of Prometheus' exporters: TLS, headers,
 * users, and a rate limit for requests. Only the text is checked here. Certificates and keys are read when
 * they are used. The format is that of exporter-toolkit, docs/web-configuration.md. Only web_config_load and
 * web_config_read_file read files.
 *
 * The details follow exporter-toolkit. A key that is unknown or given twice is an error. Numbers and switches
 * are accepted as texts. Only the first document of a file is read. File names are relative to the directory
 * of the file.
 */
#ifndef CONFIG_WEB_CONFIG_H
#define CONFIG_WEB_CONFIG_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web_config_header {
    const char *name, *value; /* `value` may be empty */
};

struct web_config_user {
    const char *name; /* may be empty */
    const char *hash; /* checked by web_config_check_hashes */
};

/* The section tls_server_config. Texts are "" if they are missing in the file. */
struct web_config_tls {
    const char *cert, *key, *client_ca; /* PEM texts in the configuration file itself; used if the matching
                                           file below is not named */
    const char *cert_file, *key_file, *client_ca_file; /* whole paths */
    const char *client_auth_type;                      /* parsed by web_config_client_auth */
    const struct slice *client_allowed_sans;
    size_t client_allowed_san_count;
    bool has_client_allowed_sans;
    enum tls_version min_version, max_version;
    const char *ciphers; /* OpenSSL's names, joined by ':'. NULL: none named; "": only TLS 1.3 suites named */
    const char *groups;  /* OpenSSL's names, separated by ':'. NULL: the file names none */
};

struct web_config {
    struct arena arena; /* memory for all strings and arrays */
    const char *file, *directory;
    bool has_tls; /* true if a certificate, key, client CA or type of client authentication is given */
    struct web_config_tls tls;
    bool http2;
    const struct web_config_header *headers;
    size_t header_count;
    const struct web_config_user *users; /* users with their password hashes; if there are none, no
                                            password is needed */
    size_t user_count;
    bool has_rate_limit;
    uint64_t rate_interval_ns; /* above 0 */
    uint64_t rate_burst;       /* 0: every request is rejected */
};

/*
 * Reads a text. Returns 0, UV_EINVAL or UV_ENOMEM. After UV_EINVAL, `error` has one line without a line end,
 * such as "web.yml: yaml: 3:7: ...". Call web_config_deinit in every case.
 */
int web_config_read(struct web_config *config, const char *file, struct slice text, struct buffer *error);

/*
 * Like web_config_read, but reads `file`. Blocks. If reading fails, returns the system's negative code, with
 * a line in `error`.
 */
int web_config_load(struct web_config *config, const char *file, struct buffer *error);

/*
 * Reads a file that belongs to the web configuration, of at most 1 MiB, into `text`. Initialises `text`.
 * Works like read_file, except that the message for a missing file is Go's: "no such file or directory".
 */
int web_config_read_file(const char *path, struct buffer *text, struct buffer *error);

/* Frees the configuration and wipes the private key. */
void web_config_deinit(struct web_config *config);

/*
 * Finds the type of client authentication. "" means TLS_NO_CLIENT_CERT. Returns false if the name in the file
 * is unknown, with a line in `error`. Not part of web_config_read, because exporter-toolkit checks
 * certificates before this type.
 */
bool web_config_client_auth(const struct web_config *config, enum tls_client_auth *type,
                            struct buffer *error);

/*
 * Returns true if every password hash is a bcrypt hash. Otherwise `error` has a line without a line end. Not
 * part of web_config_read, because only the start checks hashes. A bad hash that a later edit adds locks out
 * only its own user.
 */
bool web_config_check_hashes(const struct web_config *config, struct buffer *error);

/* Returns the password hash of the user, or NULL if there is no such user. */
const char *web_config_hash(const struct web_config *config, struct slice user);

#endif
