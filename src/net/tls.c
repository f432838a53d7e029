/*
 * OpenSSL reads and writes through a custom BIO (peer_read, peer_write). The BIO reads directly from the
 * caller's buffer, and OpenSSL only stores an incomplete record. So nothing is copied twice, and no pointer
 * to the caller's memory is kept between two calls.
 *
 * The reason for rejecting a certificate is known only during its verification, so on_verify records it.
 */
#include "net/tls.h"

#include "base/container.h"
#include "net/openssl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define WHY_MAX 256

/* --- The peer, as OpenSSL sees it --- */

static int peer_read(BIO *bio, char *at, size_t size, size_t *taken)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *taken = tls->input.len < size ? tls->input.len : size;
    if (*taken == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(at, tls->input.data, *taken);
    tls->input = slice_from(tls->input, *taken);
    return 1;
}

static int peer_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buffer_append(&tls->output, bytes, len);
    *written = tls->output.failed ? 0 : len;
    return !tls->output.failed;
}

/* Flushing succeeds without any work. All other commands are unsupported. */
static long peer_control(BIO *bio, int command, long number, void *pointer)
{
    (void) bio, (void) number, (void) pointer;
    return command == BIO_CTRL_FLUSH;
}

/* Returns the BIO method, which is created once and never freed. Returns NULL when out of memory. */
static const BIO_METHOD *peer_method(void)
{
    static BIO_METHOD *method;
    if (method) return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peer");
    if (!method) return NULL;
    BIO_meth_set_read_ex(method, peer_read);
    BIO_meth_set_write_ex(method, peer_write);
    BIO_meth_set_ctrl(method, peer_control);
    return method;
}

/* --- Why it failed --- */

static void set_why(struct tls *tls, const char *why)
{
    if (!tls->why) tls->why = strdup(why);
}

static void append_time(const ASN1_TIME *time, char *text, size_t size)
{
    struct tm tm;
    text[0] = '\0';
    if (ASN1_TIME_to_tm(time, &tm) == 1) strftime(text, size, "%Y-%m-%d %H:%M UTC", &tm);
}

/*
 * Writes the names that a certificate is for, as far as they fit. Bytes that are not printable ASCII become
 * '?'.
 */
static void append_names(X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;
    text[0] = '\0';
    for (int n = 0; n < general_names_count(names); n++) {
        const GENERAL_NAME *name = general_names_at(names, n);
        char address[INET6_ADDRSTRLEN] = "";
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.ia5);
        int name_len = ASN1_STRING_length(name->d.ia5);
        if (name->type == GEN_IPADD && (name_len == 4 || name_len == 16)) {
            inet_ntop(name_len == 4 ? AF_INET : AF_INET6, bytes, address, sizeof(address));
            bytes = (const unsigned char *) address;
            name_len = (int) strlen(address);
        } else if (name->type != GEN_DNS) {
            continue;
        }
        if (len + (size_t) name_len + 3 >= size) break;
        if (len) len += (size_t) sprintf(text + len, ", ");
        for (int i = 0; i < name_len; i++)
            text[len++] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char) bytes[i] : '?';
        text[len] = '\0';
    }
    GENERAL_NAMES_free(names);
    if (!len) snprintf(text, size, "no name at all");
}

static void explain_certificate(struct tls *tls, int code, X509_STORE_CTX *store)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    bool leaf = X509_STORE_CTX_get_error_depth(store) == 0;
    const char *which = leaf ? "the certificate" : "a certificate of the chain";
    char why[WHY_MAX], detail[120];
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        append_time(X509_get0_notAfter(certificate), detail, sizeof(detail));
        snprintf(why, sizeof(why), "%s expired on %s", which, detail);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        append_time(X509_get0_notBefore(certificate), detail, sizeof(detail));
        snprintf(why, sizeof(why), "%s is not valid before %s", which, detail);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        append_names(certificate, detail, sizeof(detail));
        snprintf(why, sizeof(why), "the certificate is not for the name of the server, but for %s", detail);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        snprintf(why, sizeof(why), "the certificate is signed by itself and not among the trusted CAs");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(why, sizeof(why), "the certificate is signed by a CA that is not among the trusted ones");
        break;
    default:
        snprintf(why, sizeof(why), "%s is refused: %s", which, X509_verify_cert_error_string(code));
        break;
    }
    set_why(tls, why);
}

static int on_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_get_app_data(ssl);
    bool leaf = X509_STORE_CTX_get_error_depth(store) == 0;
    if (tls_context_skips_verify(tls->context)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        good = 1;
    } else if (!good) {
        explain_certificate(tls, X509_STORE_CTX_get_error(store), store);
    }
    if (good && leaf && !tls_context_allows(tls->context, X509_STORE_CTX_get_current_cert(store))) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        set_why(tls, "the client's certificate has none of the allowed alternative names");
        good = 0;
    }
    return good;
}

/* Sets the reason of a failure from OpenSSL's error queue, unless on_verify has set it. Empties the queue. */
static void explain(struct tls *tls)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    bool client = tls_context_is_client(tls->context);
    char why[WHY_MAX];
    if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
        snprintf(why, sizeof(why), "TLS failed: %s", code ? ERR_reason_error_string(code) : "out of memory");
    } else if (reason == SSL_R_HTTP_REQUEST) {
        snprintf(why, sizeof(why), "the client speaks HTTP without TLS");
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_RECORD_TOO_SMALL ||
               reason == SSL_R_UNEXPECTED_MESSAGE || reason == SSL_R_BAD_RECORD_TYPE) {
        snprintf(why, sizeof(why), "the %s does not speak TLS", client ? "server" : "client");
    } else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
        snprintf(why, sizeof(why), "both sides have no TLS version in common");
    } else if (reason == SSL_R_NO_SHARED_CIPHER) {
        snprintf(why, sizeof(why), "both sides have no cipher suite in common");
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        snprintf(why, sizeof(why), "the client showed no certificate");
    } else if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
        snprintf(why, sizeof(why), "the %s wants a certificate of ours", client ? "server" : "client");
    } else if (reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA) {
        snprintf(why, sizeof(why), "the %s does not know the CA of our certificate",
                 client ? "server" : "client");
    } else if (reason >= SSL_AD_REASON_OFFSET) {
        snprintf(why, sizeof(why), "the %s ended the handshake: %s", client ? "server" : "client",
                 SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    } else {
        snprintf(why, sizeof(why), "TLS failed: %s", ERR_reason_error_string(code));
    }
    set_why(tls, why);
    ERR_clear_error();
}

const char *tls_why(const struct tls *tls)
{
    return tls->why ? tls->why : "TLS failed: out of memory";
}

bool tls_met_http(const struct tls *tls)
{
    return tls->met_http;
}

/* --- Life --- */

/*
 * Takes over OpenSSL's reference to the session. TLS 1.3 servers send sessions after the handshake, maybe
 * several.
 */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *tls = SSL_get_app_data(ssl);
    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1;
}

/*
 * Sets the name that the certificate must be for. The client also sends the name to the server (SNI), unless
 * it is an address (RFC 6066, 3).
 */
static bool expect_name(struct tls *tls, const char *name)
{
    unsigned char address[16];
    X509_VERIFY_PARAM *verify = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, name, address) == 1) return X509_VERIFY_PARAM_set1_ip(verify, address, 4) == 1;
    if (inet_pton(AF_INET6, name, address) == 1) return X509_VERIFY_PARAM_set1_ip(verify, address, 16) == 1;
    return X509_VERIFY_PARAM_set1_host(verify, name, 0) == 1 && SSL_set_tlsext_host_name(tls->ssl, name) == 1;
}

int tls_init(struct tls *tls, struct tls_context *context, const char *server_name)
{
    const BIO_METHOD *method = peer_method();
    *tls = (struct tls){.context = tls_context_hold(context)};
    buffer_init(&tls->output, SIZE_MAX / 2);
    tls->ssl = method ? SSL_new(tls_context_get(context)) : NULL;
    BIO *bio = tls->ssl ? BIO_new(method) : NULL;
    if (!bio) {
        tls_deinit(tls);
        return UV_ENOMEM;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    if (!tls_context_is_client(context)) {
        SSL_set_verify(tls->ssl, SSL_get_verify_mode(tls->ssl), on_verify);
        SSL_set_accept_state(tls->ssl);
        return 0;
    }
    SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, on_verify);
    SSL_set_connect_state(tls->ssl);
    SSL_CTX_sess_set_new_cb(tls_context_get(context), on_session);
    if (server_name && !expect_name(tls, server_name)) {
        tls_deinit(tls);
        return UV_ENOMEM;
    }
    return 0;
}

void tls_deinit(struct tls *tls)
{
    if (!tls->context) return; /* OpenSSL may not have been loaded */
    /*
     * OpenSSL would make the session of a connection without close_notify unusable, as RFC 2246 asked. Since
     * RFC 4346, such a session may be resumed.
     */
    if (tls->ssl && SSL_is_init_finished(tls->ssl))
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    SSL_SESSION_free(tls->session);
    tls_context_release(tls->context);
    buffer_deinit(&tls->output);
    free(tls->why);
    ERR_clear_error();
    *tls = (struct tls){0};
}

/* --- Bytes --- */

/*
 * Interprets the failed result of an OpenSSL call. Returns TLS_MORE, or sets the reason and returns
 * TLS_FAILED.
 */
static enum tls_status fail_session(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    default:
        explain(tls);
        return TLS_FAILED;
    }
}

/* Returns true if the bytes begin with an HTTP method and a blank. No TLS record begins like that. */
static bool is_request(struct slice bytes)
{
    size_t len = 0;
    while (len < bytes.len && bytes.data[len] >= 'A' && bytes.data[len] <= 'Z') len++;
    return len >= strlen("GET") && len <= strlen("OPTIONS") && len < bytes.len && bytes.data[len] == ' ';
}

enum tls_status tls_handshake(struct tls *tls, struct slice *input)
{
    bool meets_http = !tls_context_is_client(tls->context) && is_request(*input);
    tls->input = *input;
    int result = SSL_do_handshake(tls->ssl);
    enum tls_status status = result == 1 ? TLS_DONE : fail_session(tls, result);
    tls->met_http = meets_http && status == TLS_FAILED;
    *input = tls->input;
    tls->input = (struct slice){NULL, 0};
    return status;
}

ssize_t tls_read(struct tls *tls, struct slice *input, char *at, size_t size)
{
    tls->input = *input;
    size_t n = 0;
    int result = SSL_read_ex(tls->ssl, at, size, &n);
    *input = tls->input;
    tls->input = (struct slice){NULL, 0};
    if (result == 1) return (ssize_t) n;
    if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN) return UV_EOF;
    return fail_session(tls, result) == TLS_MORE ? 0 : UV_EPROTO;
}

int tls_write(struct tls *tls, const char *bytes, size_t len)
{
    size_t written;
    if (len == 0 || SSL_write_ex(tls->ssl, bytes, len, &written) == 1) return 0;
    if (tls->output.failed) return UV_ENOMEM;
    explain(tls);
    return UV_EPROTO;
}

void tls_end(struct tls *tls)
{
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

/* --- Resumption --- */

void tls_resume(struct tls *tls, SSL_SESSION *session)
{
    SSL_set_session(tls->ssl, session);
    ERR_clear_error();
}

bool tls_is_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl);
}

SSL_SESSION *tls_take_session(struct tls *tls)
{
    SSL_SESSION *session = tls->session;
    tls->session = NULL;
    if (!session || SSL_SESSION_is_resumable(session)) return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* OpenSSL also accepts NULL, but may not be loaded then. */
void tls_session_release(SSL_SESSION *session)
{
    if (session) SSL_SESSION_free(session);
}
