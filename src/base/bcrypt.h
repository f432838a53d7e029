/*
 * Checks passwords against bcrypt hashes, which Prometheus' web configuration uses. The hashing is
 * libxcrypt's: every distribution has it, and it reads all forms of bcrypt. Pure.
 */
#ifndef BASE_BCRYPT_H
#define BASE_BCRYPT_H

#include "base/slice.h"

#include <stdbool.h>

/* Longer ones are refused. */
#define BCRYPT_HASH_MAX 78

/* NULL, or what was expected of a hash: "a bcrypt hash of at least 59 characters ...". */
const char *bcrypt_check_hash(struct slice hash);

/*
 * Whether the password belongs to a hash that was checked. Takes from a millisecond (cost 4) to hours (31).
 */
bool bcrypt_matches(const char *hash, const char *password);

#endif
