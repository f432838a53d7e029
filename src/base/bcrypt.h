/*
 * Checks passwords against bcrypt hashes, which Prometheus' web configuration uses. libxcrypt does the
 * hashing: every distribution has it, and it reads all forms of bcrypt. libcrypt is loaded on first use.
 */
#ifndef BASE_BCRYPT_H
#define BASE_BCRYPT_H

#include "base/slice.h"

#include <stdbool.h>

/* Longest accepted hash, in characters. */
#define BCRYPT_HASH_MAX 78

/*
 * Loads libcrypt once; callable from any thread. Returns false if it is not installed; no password matches
 * then.
 */
bool bcrypt_load(void);

/*
 * Checks the form of a hash. Returns NULL if it is valid, otherwise what was expected: "a bcrypt hash of at
 * least 59 characters ...".
 */
const char *bcrypt_check_hash(struct slice hash);

/*
 * Returns true if the password matches a hash that bcrypt_check_hash accepted. Takes from a millisecond (cost
 * 4) to hours (cost 31).
 */
bool bcrypt_matches(const char *hash, const char *password);

#endif
