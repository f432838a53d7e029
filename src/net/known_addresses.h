/*
 * The cache entry of one name: its addresses, and how long they are valid. Pure: times are those of the
 * caller's clock, in milliseconds.
 *
 * An answer is valid for its TTL, but for at least 1 s and at most 10 s, since a scraper has to notice when a
 * server moves. A failure is valid for 1 s. A failure that is no answer ("the name servers do not answer")
 * leaves the last addresses in use, for up to an hour.
 */
#ifndef NET_KNOWN_ADDRESSES_H
#define NET_KNOWN_ADDRESSES_H

#include "net/dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_addresses {
    union endpoint *endpoints; /* owned; NULL for none */
    size_t count;
    size_t first;         /* of the endpoints that are handed out */
    const char *error;    /* a constant; NULL when there are endpoints */
    bool incomplete;      /* the name may have other addresses than these */
    uint64_t answered_ms; /* when the last answer or failure came */
    uint64_t learned_ms;  /* when the endpoints came */
    uint64_t expires_ms;  /* the endpoints, or the error; UINT64_MAX for never, 0 at the start */
};

/* Nothing is known of a struct of zeros. */
void known_addresses_deinit(struct known_addresses *known);

/* Stores an answer or a failure. It replaces what was known before, unless the failure is no answer. */
void known_addresses_take(struct known_addresses *known, const struct dns_answer *answer, uint64_t now_ms);

/* Takes 127.0.0.1 and ::1, for ever. False without memory. */
bool known_addresses_take_localhost(struct known_addresses *known);

/* Whether nobody has to be asked. */
static inline bool known_addresses_are_fresh(const struct known_addresses *known, uint64_t now_ms)
{
    return now_ms < known->expires_ms;
}

/* Whether there are endpoints that may be used, fresh or not, when nobody can say better. */
bool known_addresses_are_usable(const struct known_addresses *known, uint64_t now_ms);

/*
 * To be called when an address has failed: the answer expires, and if there are very many addresses, the next
 * ones are returned. True if a new look-up may give another answer. False if the answer is at most 10 ms old,
 * or needs no look-up.
 */
bool known_addresses_distrust(struct known_addresses *known, uint64_t now_ms);

/* Whether the address is one of them, whatever its port. True if nothing is known about the name. */
bool known_addresses_list(const struct known_addresses *known, const union endpoint *endpoint);

/* Copies at most `most` endpoints, those first whose turn it is; a turn is KNOWN_ADDRESSES_TURN of them. */
#define KNOWN_ADDRESSES_TURN 8
size_t known_addresses_hand_out(const struct known_addresses *known, union endpoint *endpoints, size_t most);

#endif
