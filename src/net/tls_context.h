/*
 * Settings that all TLS sessions of a client or a server share: certificate and key, trusted CAs, versions,
 * ciphers. Reference-counted, so that sessions under way keep their context when the files are read again.
 *
 * All inputs are bytes, not paths; the owner reads the files. The key's bytes are not kept; the owner wipes
 * its copy.
 *
 * Uses OpenSSL for three reasons: memcached and its packages in distributions use it, its sessions can work
 * on memory instead of a socket, and it frees its buffers between records.
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* TLS versions, oldest first. */
enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSION_COUNT };

/* How a server treats client certificates. */
enum tls_client_auth {
    TLS_NO_CLIENT_CERT,
    TLS_REQUEST_CLIENT_CERT,     /* asks; accepts any certificate or none */
    TLS_REQUIRE_ANY_CLIENT_CERT, /* required, but not verified */
    TLS_VERIFY_CLIENT_CERT_IF_GIVEN,
    TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
};

/* A certificate chain in PEM, leaf first, and its key. Both empty: no certificate. */
struct tls_identity {
    struct slice certificates, key;
};

/* Settings of a client. The slices only need to stay valid during tls_context_new_client. */
struct tls_client_settings {
    struct slice ca; /* trusted CAs in PEM; empty: the CAs that the system trusts */
    struct tls_identity identity;
    bool skip_verify; /* accept any certificate of the server */
};

/* Settings of a server. The slices only need to stay valid during tls_context_new_server. */
struct tls_server_settings {
    struct tls_identity identity; /* required */
    /* trusted CAs in PEM; if it has no certificate, verification of every client certificate fails */
    struct slice client_ca;
    bool has_client_ca; /* false: the CAs that the system trusts */
    enum tls_client_auth client_auth;
    /* alternative names, compared exactly; a client's certificate must have one of them */
    const struct slice *client_sans;
    size_t client_san_count;
    bool has_client_sans; /* true with an empty list: every client is refused */
    enum tls_version min_version, max_version;
    /*
     * Cipher suites of TLS 1.2 and older by OpenSSL's names, separated by ':'. The server chooses the first
     * suite of this list that the client offers. NULL: OpenSSL's default. "": none, so that only TLS 1.3
     * remains.
     */
    const char *ciphers;
    const char *groups; /* key exchange groups: "X25519:P-256"; NULL: OpenSSL's default */
};

struct tls_context;
struct ssl_ctx_st; /* types of OpenSSL */
struct x509_st;

/*
 * Creates a context with one reference. Returns 0 or a negative code:
 *
 * UV_EINVAL: one of the inputs is invalid. `error` gets a line, without a line end, that says which ("the
 * certificate: expected a PEM block that begins with CERTIFICATE").
 *
 * UV_EAGAIN: the key does not belong to the certificate, maybe because only one of their files has been
 * replaced so far. `error` gets a line.
 *
 * UV_ENOENT: see openssl_load. UV_ENOMEM: out of memory.
 */
int tls_context_new_client(struct tls_context **context, const struct tls_client_settings *settings,
                           struct buffer *error);
int tls_context_new_server(struct tls_context **context, const struct tls_server_settings *settings,
                           struct buffer *error);

/*
 * Lets sessions that began under the server context `with` be resumed under `context`. Both must have the
 * same rules for client certificates, since a resumed session is not verified again.
 */
void tls_context_share_tickets(struct tls_context *context, struct tls_context *with);

struct tls_context *tls_context_hold(struct tls_context *context);

/* Releases a reference. `context` may be NULL. */
void tls_context_release(struct tls_context *context);

/* --- For tls.c --- */

struct ssl_ctx_st *tls_context_get(const struct tls_context *context);
bool tls_context_is_client(const struct tls_context *context);
bool tls_context_skips_verify(const struct tls_context *context);

/*
 * Returns true if the certificate has one of the alternative names that clients must have, or if no names are
 * required.
 */
bool tls_context_allows(const struct tls_context *context, struct x509_st *certificate);

#endif
