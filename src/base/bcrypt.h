/*
 * Checks passwords against bcrypt hashes, which Prometheus' web configuration uses. The hashing is
 * libxcrypt's: every distribution has it, and it reads all forms of bcrypt. It is loaded when it is needed.
 */
#ifndef BASE_BCRYPT_H
#define BASE_BCRYPT_H

#include "base/slice.h"

#include <stdbool.h>

/* Longer ones are refused. */
#define BCRYPT_HASH_MAX 78

/* Loads libcrypt, once, from any thread. false: it is not installed, and no password matches. */
bool bcrypt_load(void);

/*
 * Checks the form of a hash. NULL if it is good, or what was expected: "a bcrypt hash of at least 59
 * characters ...".
 */
const char *bcrypt_check_hash(struct slice hash);

/*
 * Whether the password matches a hash that bcrypt_check_hash accepted. Takes from a millisecond (cost 4) to
 * hours (cost 31).
 */
bool bcrypt_matches(const char *hash, const char *password);

#endif
