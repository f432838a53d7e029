/*
 * Makes an OpenSSL context from the web configuration. Reads and checks the certificate, key and client CAs
 * that the configuration names.
 *
 * Errors are found in the same order as in exporter-toolkit: no certificate, no key, an unreadable file, an
 * unusable pair of certificate and key, a wrong client CA, a wrong type of client authentication.
 */
#ifndef CONFIG_WEB_TLS_H
#define CONFIG_WEB_TLS_H

#include "base/buffer.h"
#include "base/file_stamp.h"
#include "config/web_config.h"
#include "net/tls_context.h"

#include <stdbool.h>

struct web_tls {
    struct tls_context *context;                           /* owned */
    struct file_stamp cert_file, key_file, client_ca_file; /* stamps of the files that the configuration
                                                              names */
    struct buffer client_rules; /* rules for clients as bytes; two contexts have the same rules if these
                                   bytes are equal */
};

/*
 * Reads and checks everything. Returns:
 * - 0
 * - UV_EAGAIN if the files may be in the middle of a replacement: one of them changed within the last
 *   second, and one is empty or the key does not match the certificate
 * - UV_EINVAL if the settings are wrong
 * - the code of a file that cannot be read
 * - UV_ENOMEM
 *
 * After an error, `error` has one line without a line end. The stamps are valid in every case. Call
 * web_tls_deinit in every case. Blocks while it reads files.
 */
int web_tls_load(struct web_tls *tls, const struct web_config *config, struct buffer *error);

/*
 * Does what a start and --config.check need: reads the file, checks the hashes and, if TLS is configured,
 * calls web_tls_load. Returns like web_tls_load. Call web_config_deinit and web_tls_deinit in every case.
 */
int web_tls_open(struct web_tls *tls, struct web_config *config, const char *file, struct buffer *error);

/* Returns true if no file has changed since web_tls_load. `config` must be the same as then. */
bool web_tls_is_current(const struct web_tls *tls, const struct web_config *config);

/* Frees `tls`, which may be all zero. Open TLS sessions keep the context. */
void web_tls_deinit(struct web_tls *tls);

#endif
