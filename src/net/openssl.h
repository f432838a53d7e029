/*
 * Loads OpenSSL when it is first needed: for TLS, or to check a password.
 *
 * Each process that is linked to libcrypto uses 0.5 MB of memory of its own and touches another 1.2 MB when
 * it starts. That is half of what the whole exporter uses, and most exporters do not use TLS. So the program
 * is compiled with the system's headers but not linked to OpenSSL. Callers include this header and call
 * SSL_new(...) and the others as usual: the build defines a macro for each name in openssl_functions.inc.
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

/* Usable after openssl_load has returned 0. */
extern struct openssl openssl;

typedef void *(*openssl_allocate_fn)(size_t size);
typedef void *(*openssl_reallocate_fn)(void *old, size_t size);

/*
 * Sets where OpenSSL takes its memory from; free releases it. Without a call, malloc and realloc are used.
 * Call it before openssl_load. OpenSSL sets up tables when they are first needed, and one allocation that
 * fails there would leave TLS broken for as long as the process lives.
 */
void openssl_use_memory(openssl_allocate_fn allocate, openssl_reallocate_fn reallocate);

/*
 * Loads OpenSSL; later calls return at once. Returns 0, or UV_ENOENT with a line in `error` if OpenSSL is not
 * installed or has another version.
 */
int openssl_load(struct buffer *error);

#ifndef OPENSSL_UNLOADED
#include "openssl_names.h"

/* Replacements for OpenSSL's inline functions for stacks, which would call functions that are not linked. */
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
