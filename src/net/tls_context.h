/*
 * What all TLS sessions of one side share: its certificate and key, whom it trusts, versions, ciphers.
 * Counted, so that sessions under way keep the one they began with when files are read again.
 *
 * Everything is passed as bytes, not as paths; the owner reads the files. The key's bytes are not kept; the
 * owner wipes its copy.
 *
 * OpenSSL, since it is what memcached and every distribution of it uses, has sessions over memory (no socket
 * of its own), and lets go of its buffers between records.
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* In the order of their age. */
enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSION_COUNT };

/* What a server wants of a client's certificate. */
enum tls_client_auth {
    TLS_NO_CLIENT_CERT,
    TLS_REQUEST_CLIENT_CERT,     /* ask for one, take any or none */
    TLS_REQUIRE_ANY_CLIENT_CERT, /* one must come, but is not verified */
    TLS_VERIFY_CLIENT_CERT_IF_GIVEN,
    TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
};

/* PEM; the leaf first, then the rest of its chain. Both empty for none. */
struct tls_identity {
    struct slice certificates, key;
};

/* Borrowed for the call that takes it. */
struct tls_client_settings {
    struct slice ca; /* PEM, one or more; empty: what the system trusts */
    struct tls_identity identity;
    bool skip_verify; /* take any certificate of the server */
};

/* Borrowed for the call that takes it. */
struct tls_server_settings {
    struct tls_identity identity; /* wanted */
    struct slice client_ca;       /* PEM; may hold no certificate at all: then no client's verifies */
    bool has_client_ca;           /* else: what the system trusts */
    enum tls_client_auth client_auth;
    const struct slice *client_sans; /* a client's certificate must have one of these; compared exactly */
    size_t client_san_count;
    bool has_client_sans; /* with an empty list nobody passes */
    enum tls_version min_version, max_version;
    const char *ciphers; /* of TLS 1.2 and before, by OpenSSL's names, ':' between; the first one that the
                            client offers is taken. NULL: OpenSSL's; "": none, so that only TLS 1.3 is left */
    const char *groups;  /* "X25519:P-256"; NULL: OpenSSL's */
};

struct tls_context;
struct ssl_ctx_st; /* OpenSSL's own */
struct x509_st;

/*
 * One reference. 0; UV_EINVAL with a line in `error`, without a line end, that says which of the parts is no
 * good ("the certificate: no PEM block that begins with CERTIFICATE"); UV_EAGAIN, with a line too, if the key
 * does not belong to the certificate, maybe since only one of their files has been replaced yet; UV_ENOMEM.
 */
int tls_context_new_client(struct tls_context **context, const struct tls_client_settings *settings,
                           struct buffer *error);
int tls_context_new_server(struct tls_context **context, const struct tls_server_settings *settings,
                           struct buffer *error);

/*
 * Lets sessions that began under another server's context be resumed under this one. For a context whose
 * rules for client certificates are the same: a resumed session is not verified again.
 */
void tls_context_share_tickets(struct tls_context *context, struct tls_context *with);

struct tls_context *tls_context_hold(struct tls_context *context);

/* NULL is taken. */
void tls_context_release(struct tls_context *context);

/* --- For tls.c --- */

struct ssl_ctx_st *tls_context_get(const struct tls_context *context);
bool tls_context_is_client(const struct tls_context *context);
bool tls_context_skips_verify(const struct tls_context *context);

/*
 * Whether a certificate has one of the alternative names that clients must have; true where none is asked
 * for.
 */
bool tls_context_allows(const struct tls_context *context, struct x509_st *certificate);

#endif
