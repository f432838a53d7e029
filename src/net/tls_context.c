#include "net/tls_context.h"

#include "base/container.h"
#include "net/openssl.h"

#include <stdlib.h>
#include <uv.h>

/* Most certificates of one PEM text. More are an error, so that parsing takes a bounded time. */
#define CERTIFICATES_MAX 4096

struct tls_context {
    unsigned references;
    SSL_CTX *ssl;
    bool client;
    bool skip_verify;
    bool has_sans;
    char **sans; /* owned */
    size_t san_count;
};

static const int versions[TLS_VERSION_COUNT] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

/* --- Reading PEM --- */

/* Provides no passphrase, so that a key with a passphrase is an error. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void) text, (void) size, (void) writing, (void) context;
    return 0;
}

static BIO *open_pem(struct slice text)
{
    return BIO_new_mem_buf(text.data ? text.data : "", (int) text.len);
}

/* Appends OpenSSL's text for the last error, in one line. Empties OpenSSL's error queue. */
static void append_reason(struct buffer *error, const char *subject)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    buffer_printf(error, "%s: %s", subject, reason ? reason : "not understood");
    ERR_clear_error();
}

/*
 * Returns true if the last error is the one by which OpenSSL reports the end of a PEM text. Then empties the
 * error queue.
 */
static bool is_at_end(void)
{
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

static int use_certificates(SSL_CTX *ssl, struct slice text, struct buffer *error)
{
    BIO *bio = open_pem(text);
    if (!bio) return UV_ENOMEM;
    X509 *leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    int result = UV_EINVAL;
    if (!leaf) {
        if (is_at_end())
            buffer_append_string(error, "the certificate: expected a PEM block that begins with CERTIFICATE");
        else
            append_reason(error, "the certificate");
    } else if (SSL_CTX_use_certificate(ssl, leaf) != 1) {
        append_reason(error, "the certificate");
    } else {
        result = 0;
    }
    X509_free(leaf);
    for (unsigned count = 1; result == 0; count++) {
        X509 *issuer = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (!issuer && is_at_end()) break;
        if (!issuer || count == CERTIFICATES_MAX || SSL_CTX_add0_chain_cert(ssl, issuer) != 1) {
            append_reason(error, "the certificate's chain");
            X509_free(issuer);
            result = UV_EINVAL;
        }
    }
    BIO_free(bio);
    return result;
}

static int use_key(SSL_CTX *ssl, struct slice text, struct buffer *error)
{
    BIO *bio = open_pem(text);
    if (!bio) return UV_ENOMEM;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    int result = UV_EINVAL;
    if (!key && !memmem(text.data, text.len, "PRIVATE KEY-----", 16)) {
        ERR_clear_error();
        buffer_append_string(error, "the key: expected a PEM block that begins with PRIVATE KEY");
    } else if (!key) {
        append_reason(error, "the key");
    } else if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        ERR_clear_error();
        buffer_append_string(error, "the key does not belong to the certificate");
        result = UV_EAGAIN;
    } else {
        result = 0;
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    return result;
}

static int use_identity(SSL_CTX *ssl, const struct tls_identity *identity, struct buffer *error)
{
    int result = use_certificates(ssl, identity->certificates, error);
    return result < 0 ? result : use_key(ssl, identity->key, error);
}

/*
 * Trusts each certificate of the text, even if its issuer is not trusted. With `show`, a server also sends
 * their names to clients as accepted CAs. Returns the number of certificates, or a negative code.
 */
static int trust(SSL_CTX *ssl, struct slice text, bool show, struct buffer *error)
{
    BIO *bio = open_pem(text);
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    int count = 0;
    if (!bio) return UV_ENOMEM;
    for (; count >= 0;) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (!certificate && is_at_end()) break;
        bool good = certificate && count < CERTIFICATES_MAX && X509_STORE_add_cert(store, certificate) == 1 &&
                    (!show || SSL_CTX_add_client_CA(ssl, certificate) == 1);
        X509_free(certificate);
        count = good ? count + 1 : UV_EINVAL;
    }
    BIO_free(bio);
    if (count < 0) append_reason(error, "the CA certificates");
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return count;
}

/* --- Making --- */

static int make_context(struct tls_context **out, bool client, struct buffer *error)
{
    int result = openssl_load(error);
    if (result < 0) return result;
    struct tls_context *context = calloc(1, sizeof(*context));
    if (!context) return UV_ENOMEM;
    context->references = 1;
    context->ssl = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    *out = context;
    if (!context->ssl) {
        tls_context_release(context);
        return UV_ENOMEM;
    }
    /* Idle connections free their buffers. Otherwise 10,000 idle connections would use 340 MB for buffers. */
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context->ssl,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
    return 0;
}

static int hand_out_context(struct tls_context **out, struct tls_context *context, int result)
{
    ERR_clear_error();
    if (result < 0)
        tls_context_release(context);
    else
        *out = context;
    return result;
}

int tls_context_new_client(struct tls_context **out, const struct tls_client_settings *settings,
                           struct buffer *error)
{
    struct tls_context *context;
    int result = make_context(&context, true, error);
    if (result < 0) return result;
    context->client = true;
    context->skip_verify = settings->skip_verify;
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);

    /*
     * OpenSSL does not store the sessions: the code that dials stores one per server, and tls.c provides
     * them.
     */
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (settings->ca.len) {
        result = trust(context->ssl, settings->ca, false, error);
        if (result == 0) {
            buffer_append_string(error,
                                 "the CA certificates: expected PEM blocks that begin with CERTIFICATE");
            result = UV_EINVAL;
        }
    } else if (SSL_CTX_set_default_verify_paths(context->ssl) != 1) {
        result = UV_ENOMEM;
    }
    if (result >= 0 && settings->identity.certificates.len)
        result = use_identity(context->ssl, &settings->identity, error);
    return hand_out_context(out, context, result < 0 ? result : 0);
}

static int copy_sans(struct tls_context *context, const struct tls_server_settings *settings)
{
    context->has_sans = settings->has_client_sans;
    context->sans = calloc(settings->client_san_count + 1, sizeof(*context->sans));
    if (!context->sans) return UV_ENOMEM;
    for (size_t n = 0; n < settings->client_san_count; n++) {
        context->sans[n] = strndup(settings->client_sans[n].data, settings->client_sans[n].len);
        if (!context->sans[n]) return UV_ENOMEM;
        context->san_count++;
    }
    return 0;
}

/*
 * If the highest allowed version of TLS is below the lowest one, this function succeeds. Every handshake then
 * fails, and its error says why.
 */
static int set_versions_and_ciphers(SSL_CTX *ssl, const struct tls_server_settings *settings,
                                    struct buffer *error)
{
    enum tls_version min = settings->min_version;
    if (settings->ciphers && !*settings->ciphers && min < TLS_1_3) min = TLS_1_3;
    /* Versions before 1.2 sign with SHA-1, which OpenSSL only allows at security level 0. */
    if (min < TLS_1_2) SSL_CTX_set_security_level(ssl, 0);
    SSL_CTX_set_min_proto_version(ssl, versions[min]);
    SSL_CTX_set_max_proto_version(ssl, versions[settings->max_version]);
    SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (settings->ciphers && *settings->ciphers && SSL_CTX_set_cipher_list(ssl, settings->ciphers) != 1) {
        append_reason(error, "the cipher suites");
        return UV_EINVAL;
    }
    if (settings->groups && SSL_CTX_set1_groups_list(ssl, settings->groups) != 1) {
        append_reason(error, "the curves");
        return UV_EINVAL;
    }
    return 0;
}

/*
 * Chooses http/1.1, the only protocol of the server. A client that offers only other protocols is served all
 * the same.
 */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *context)
{
    static const unsigned char spoken[] = "\x08http/1.1";
    unsigned char *found;
    (void) ssl, (void) context;
    int status = SSL_select_next_proto(&found, chosen_len, spoken, sizeof(spoken) - 1, offered, offered_len);
    *chosen = found;
    return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int tls_context_new_server(struct tls_context **out, const struct tls_server_settings *settings,
                           struct buffer *error)
{
    static const unsigned char session_context[] = "http";
    struct tls_context *context;
    int result = make_context(&context, false, error);
    if (result < 0) return result;
    SSL_CTX *ssl = context->ssl;
    context->skip_verify = settings->client_auth == TLS_REQUEST_CLIENT_CERT ||
                           settings->client_auth == TLS_REQUIRE_ANY_CLIENT_CERT;

    /* Sessions are only resumed by tickets, one per handshake, so that the server stores no sessions. */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ssl, session_context, sizeof(session_context) - 1);
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    result = copy_sans(context, settings);
    if (result == 0) result = set_versions_and_ciphers(ssl, settings, error);
    if (result == 0) result = use_identity(ssl, &settings->identity, error);
    if (result == 0 && settings->has_client_ca) {
        int count = trust(ssl, settings->client_ca, true, error);
        if (count < 0) result = count;
    } else if (result == 0 && settings->client_auth != TLS_NO_CLIENT_CERT) {
        if (SSL_CTX_set_default_verify_paths(ssl) != 1) result = UV_ENOMEM;
    }
    if (settings->client_auth != TLS_NO_CLIENT_CERT) {
        /*
         * A client without a certificate has none of the required names, so required names imply a required
         * certificate.
         */
        bool wanted = settings->client_auth == TLS_REQUIRE_ANY_CLIENT_CERT ||
                      settings->client_auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT ||
                      settings->has_client_sans;
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (wanted ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    }
    return hand_out_context(out, context, result);
}

void tls_context_share_tickets(struct tls_context *context, struct tls_context *with)
{
    unsigned char keys[80];
    if (SSL_CTX_get_tlsext_ticket_keys(with->ssl, keys, sizeof(keys)) == 1)
        SSL_CTX_set_tlsext_ticket_keys(context->ssl, keys, sizeof(keys));
    OPENSSL_cleanse(keys, sizeof(keys));
}

struct tls_context *tls_context_hold(struct tls_context *context)
{
    context->references++;
    return context;
}

void tls_context_release(struct tls_context *context)
{
    if (!context || --context->references) return;
    SSL_CTX_free(context->ssl);
    for (size_t n = 0; n < context->san_count; n++) free(context->sans[n]);
    free(context->sans);
    free(context);
}

/* --- For tls.c --- */

SSL_CTX *tls_context_get(const struct tls_context *context)
{
    return context->ssl;
}

bool tls_context_is_client(const struct tls_context *context)
{
    return context->client;
}

bool tls_context_skips_verify(const struct tls_context *context)
{
    return context->skip_verify;
}

/*
 * Returns true if the name is one of the required names. Addresses are compared in the text form of
 * inet_ntop.
 */
static bool has_san(const struct tls_context *context, const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    struct slice text = {NULL, 0};
    const ASN1_STRING *string = name->d.ia5;
    if (name->type == GEN_IPADD) {
        int family = ASN1_STRING_length(string) == 4 ? AF_INET : AF_INET6;
        if (ASN1_STRING_length(string) != (family == AF_INET ? 4 : 16)) return false;
        if (inet_ntop(family, ASN1_STRING_get0_data(string), address, sizeof(address)))
            text = slice_of(address);
    } else if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
        text =
            (struct slice){(const char *) ASN1_STRING_get0_data(string), (size_t) ASN1_STRING_length(string)};
    }
    for (size_t n = 0; text.data && n < context->san_count; n++) {
        if (slice_is(text, context->sans[n])) return true;
    }
    return false;
}

bool tls_context_allows(const struct tls_context *context, X509 *certificate)
{
    if (!context->has_sans) return true;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool allowed = false;
    for (int n = 0; !allowed && n < general_names_count(names); n++)
        allowed = has_san(context, general_names_at(names, n));
    GENERAL_NAMES_free(names);
    return allowed;
}
