/*
 * TLS as the web configuration wants it: the certificate, key and client CAs that it names, read and checked,
 * in one context for OpenSSL.
 *
 * What is wrong is found in the order of exporter-toolkit: no certificate, no key, a file that cannot be
 * read, a pair that cannot be used, the client CA, the type of client authentication.
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
    struct file_stamp cert_file, key_file, client_ca_file; /* of those that are named */
    struct buffer client_rules; /* which clients may come; equal bytes are equal rules */
};

/*
 * Reads and checks all. 0; UV_EAGAIN, if the files are maybe just being replaced: one is empty, or the key
 * does not belong to the certificate, and one of them has changed in the last second; UV_EINVAL; the code of
 * a file that cannot be read; or UV_ENOMEM. In `error`, then, one line without a line end. The stamps are
 * good in any case, and web_tls_deinit follows in any case. Blocks as long as reading files does.
 */
int web_tls_load(struct web_tls *tls, const struct web_config *config, struct buffer *error);

/*
 * All that a start and --config.check want of the file: reads it, and checks its hashes and, where it has
 * TLS, what that is made of. As web_tls_load; web_config_deinit and web_tls_deinit follow in any case.
 */
int web_tls_open(struct web_tls *tls, struct web_config *config, const char *file, struct buffer *error);

/* Whether no file has changed since web_tls_load; the configuration must be the same. */
bool web_tls_is_current(const struct web_tls *tls, const struct web_config *config);

/* Also for one that is all zero. Sessions under way keep the context. */
void web_tls_deinit(struct web_tls *tls);

#endif
