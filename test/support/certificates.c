#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400L

static char *text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t) len);
    assert_non_null(text);
    BIO_free(bio);
    return text;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

struct certificate certificate_make(const struct certificate_request *request)
{
    static long serial = 1;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = key;
    X509 *certificate = X509_new(), *issuer = certificate;
    struct certificate made;
    assert_true(key && certificate);
    if (request->ca) {
        BIO *pem = BIO_new_mem_buf(request->ca->pem, -1), *secret = BIO_new_mem_buf(request->ca->key, -1);
        issuer = PEM_read_bio_X509(pem, NULL, NULL, NULL);
        signer = PEM_read_bio_PrivateKey(secret, NULL, NULL, NULL);
        assert_true(issuer && signer);
        BIO_free(pem);
        BIO_free(secret);
    }
    int from = request->from_days, to = request->to_days;
    if (!from && !to) from = -1, to = 1;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to * DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *) request->name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509_set_pubkey(certificate, key);
    if (request->is_ca) add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
    if (request->san) add_extension(certificate, issuer, NID_subject_alt_name, request->san);
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);

    BIO *pem = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(pem, certificate);
    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    made.pem = text_of(pem);
    made.key = text_of(secret);
    if (issuer != certificate) X509_free(issuer);
    if (signer != key) EVP_PKEY_free(signer);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return made;
}

void certificate_free(struct certificate *certificate)
{
    free(certificate->pem);
    free(certificate->key);
    *certificate = (struct certificate){0};
}
