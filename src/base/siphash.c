#include "base/siphash.h"

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* Reads up to eight bytes as a little-endian number. */
static inline uint64_t read_word(const char *at, size_t len)
{
    uint64_t word = 0;
    for (size_t n = 0; n < len; n++) word |= (uint64_t) (unsigned char) at[n] << (8 * n);
    return word;
}

uint64_t siphash(const struct siphash_secret *secret, struct slice text)
{
    uint64_t v[4] = {
        secret->words[0] ^ UINT64_C(0x736f6d6570736575),
        secret->words[1] ^ UINT64_C(0x646f72616e646f6d),
        secret->words[0] ^ UINT64_C(0x6c7967656e657261),
        secret->words[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = text.len & ~(size_t) 7;
    for (size_t n = 0; n < whole; n += 8) sip_word(v, read_word(text.data + n, 8));
    sip_word(v, (uint64_t) text.len << 56 | read_word(text.data + whole, text.len - whole));
    v[2] ^= 0xff;
    for (unsigned n = 0; n < 4; n++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
