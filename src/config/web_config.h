/*
 * The web configuration file (--web.config.file) as Prometheus' exporters have it: TLS, headers, users, and
 * how many requests are taken. Only the text is checked here; certificates and keys are read when they are
 * used. The schema is that of exporter-toolkit, docs/web-configuration.md. Pure but for web_config_load.
 *
 * As there, a key that is unknown or given twice is an error, numbers and switches are taken as texts where a
 * text is wanted, only the first document of a file counts, and files are named relative to the file's own
 * directory.
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
    const char *name, *value; /* the value may be empty */
};

struct web_config_user {
    const char *name; /* may be empty */
    const char *hash; /* see web_config_check_hashes */
};

/* Texts are "" where the file says nothing. */
struct web_config_tls {
    const char *cert, *key, *client_ca; /* PEM in the file itself; used where no file is named */
    const char *cert_file, *key_file, *client_ca_file; /* whole paths */
    const char *client_auth_type;                      /* see web_config_client_auth */
    const struct slice *client_allowed_sans;
    size_t client_allowed_san_count;
    bool has_client_allowed_sans;
    enum tls_version min_version, max_version;
    const char *
        ciphers; /* OpenSSL's names, ':' between; "" when only those of TLS 1.3 were named; NULL: none were */
    const char *groups; /* likewise; NULL: none were named */
};

struct web_config {
    struct arena arena; /* everything lies in it */
    const char *file, *directory;
    bool has_tls; /* a certificate, key, client CA or type of client authentication is given */
    struct web_config_tls tls;
    bool http2;
    const struct web_config_header *headers;
    size_t header_count;
    const struct web_config_user *users; /* none: everybody may come */
    size_t user_count;
    bool has_rate_limit;
    uint64_t rate_interval_ns; /* above 0 */
    uint64_t rate_burst;       /* 0: nothing passes */
};

/*
 * Reads a text. 0; UV_EINVAL with one line in `error`, without a line end: "web.yml: yaml: 3:7: ..." for what
 * the text itself says wrong; or UV_ENOMEM. web_config_deinit follows in any case.
 */
int web_config_read(struct web_config *config, const char *file, struct slice text, struct buffer *error);

/* The same of a file; or a negative code of the system, with a line too. Blocks. */
int web_config_load(struct web_config *config, const char *file, struct buffer *error);

/*
 * Reads a file that belongs to the web configuration, of at most 1 MiB, into `text`, which it initialises;
 * the rest is as with read_file, but that a missing file is "no such file or directory", as in Go.
 */
int web_config_read_file(const char *path, struct buffer *text, struct buffer *error);

/* Wipes: the text may hold a private key. */
void web_config_deinit(struct web_config *config);

/* The type that the file names; false, with a line in `error`, if there is none of that name. "" is
 * TLS_NO_CLIENT_CERT. Apart from reading, since it is judged after the certificates. */
bool web_config_client_auth(const struct web_config *config, enum tls_client_auth *type,
                            struct buffer *error);

/*
 * Whether every hash is one of bcrypt; if not, a line in `error`, without a line end. Apart from reading,
 * since it is asked at the start alone: a bad hash that comes later keeps out its user, and nobody else.
 */
bool web_config_check_hashes(const struct web_config *config, struct buffer *error);

/* The hash of that user, or NULL. */
const char *web_config_hash(const struct web_config *config, struct slice user);

#endif
