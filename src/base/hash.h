/*
 * FNV-1a with 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): for hash tables and for comparing texts,
 * not for secrets.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

#include <stdint.h>

static inline uint64_t hash_fnv1a(struct slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char) text.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
