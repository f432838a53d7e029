/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): a hash with a secret. Whoever
 * does not know the secret can neither choose texts that collide nor find the text of a hash by trying.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/slice.h"

#include <stdint.h>

struct siphash_secret {
    uint64_t words[2];
};

uint64_t siphash(const struct siphash_secret *secret, struct slice text);

#endif
