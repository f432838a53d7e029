/*
 * Creates certificates for tests at run time. So the repository holds no private keys, and no certificate
 * expires.
 */
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

#include "base/slice.h"

#include <stdbool.h>

/* A certificate and its private key as NUL-terminated PEM texts; both owned. */
struct certificate {
    char *pem, *key;
};

struct certificate_request {
    const char *name;             /* common name of the subject */
    const char *san;              /* subject alternative names, or NULL: "DNS:a.example,IP:127.0.0.1" */
    const struct certificate *ca; /* signing CA; NULL for a self-signed certificate */
    bool is_ca;
    int from_days, to_days; /* validity in days from now; both 0 for yesterday to tomorrow */
};

/* Creates a certificate. Fails the test on any error. */
struct certificate certificate_make(const struct certificate_request *request);
void certificate_free(struct certificate *certificate);

#endif
