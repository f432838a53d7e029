/*
 * OpenSSL, loaded by the first that speaks TLS or checks a password.
 *
 * libcrypto costs every process that is linked to it 0.5 MB of memory of its own and another 1.2 MB that it
 * touches when it starts, half of what the whole exporter takes, and most exporters speak no TLS. So the
 * program is built with the system's headers and not linked to it. Callers include this header and write
 * SSL_new(...) as ever: the build makes a macro of each name in openssl_functions.inc.
 */
#ifndef NET_OPENSSL_H
#define NET_OPENSSL_H

#include "base/buffer.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct openssl {
#define FUNCTION(name) __typeof__(&name) name;
#include "net/openssl_functions.inc"
#undef FUNCTION
};

/* Good after openssl_load has returned 0. */
extern struct openssl openssl;

/*
 * Loads it, once; it stays. 0; or UV_ENOENT, with a line in `error`: it is not installed, or another version.
 */
int openssl_load(struct buffer *error);

#ifndef OPENSSL_UNLOADED
#include "openssl_names.h"

/* OpenSSL's own inline functions for stacks would call what is not linked. */
static inline int general_names_count(const GENERAL_NAMES *names)
{
    return OPENSSL_sk_num((const OPENSSL_STACK *) names);
}

static inline const GENERAL_NAME *general_names_at(const GENERAL_NAMES *names, int n)
{
    return OPENSSL_sk_value((const OPENSSL_STACK *) names, n);
}
#endif

#endif
