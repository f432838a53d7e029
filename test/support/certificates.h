/* Certificates for tests, made on the spot: nothing secret lies in the tree, and nothing expires there. */
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

#include "base/slice.h"

#include <stdbool.h>

/* PEM texts, NUL-terminated; owned. */
struct certificate {
    char *pem, *key;
};

struct certificate_request {
    const char *name; /* the subject's common name */
    const char *san;  /* as OpenSSL's configuration has it: "DNS:a.example,IP:127.0.0.1"; or NULL */
    const struct certificate *ca; /* who signs; NULL for itself */
    bool is_ca;
    int from_days, to_days; /* of its life, from now; both 0 for yesterday to tomorrow */
};

/* Fails the test when anything fails. */
struct certificate certificate_make(const struct certificate_request *request);
void certificate_free(struct certificate *certificate);

#endif
