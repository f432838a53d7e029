/*
 * The cache entry of one name: its addresses and their validity. Pure. All times are in milliseconds on the
 * caller's clock.
 *
 * An answer is valid for its TTL, but for at least 1 s and at most 10 s. The maximum is short so that a
 * scraper notices when a server moves. A failure is valid for 1 s. If a failure does not come from an answer
 * ("the name servers do not answer"), the last known addresses stay in use for up to an hour.
 */
#ifndef NET_KNOWN_ADDRESSES_H
#define NET_KNOWN_ADDRESSES_H

#include "net/dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_addresses {
    union endpoint *endpoints; /* owned; NULL if there are none */
    size_t count;
    size_t first;         /* index of the first endpoint to hand out */
    const char *error;    /* constant text; NULL if there are endpoints */
    bool incomplete;      /* the name may have more addresses */
    uint64_t answered_ms; /* time of the last answer or failure */
    uint64_t learned_ms;  /* time at which the endpoints were received */
    uint64_t expires_ms;  /* when the endpoints or the error expire; UINT64_MAX: never; 0: initial */
};

/* Frees the endpoints. A struct of zeros is a valid empty entry. */
void known_addresses_deinit(struct known_addresses *known);

/*
 * Stores an answer or a failure. It replaces the known addresses, unless it is a failure without an answer
 * and the addresses are still usable.
 */
void known_addresses_take(struct known_addresses *known, const struct dns_answer *answer, uint64_t now_ms);

/* Stores 127.0.0.1 and ::1, which never expire. Returns false when out of memory. */
bool known_addresses_take_localhost(struct known_addresses *known);

/* Returns true if the entry has not expired, so that no look-up is needed. */
static inline bool known_addresses_are_fresh(const struct known_addresses *known, uint64_t now_ms)
{
    return now_ms < known->expires_ms;
}

/*
 * Returns true if there are endpoints that may be used while the name servers fail, even if the endpoints
 * have expired.
 */
bool known_addresses_are_usable(const struct known_addresses *known, uint64_t now_ms);

/*
 * Call this when an address has failed. Marks the entry as expired. If there are more than
 * KNOWN_ADDRESSES_TURN addresses, the next ones will be handed out. Returns true if a new look-up may give
 * another answer. Returns false if the answer is at most 10 ms old or never expires.
 */
bool known_addresses_distrust(struct known_addresses *known, uint64_t now_ms);

/*
 * Returns true if the entry contains the address; the port is ignored. Also returns true if the entry is
 * empty or incomplete.
 */
bool known_addresses_list(const struct known_addresses *known, const union endpoint *endpoint);

/*
 * Copies at most `most` endpoints and returns their number. After each known_addresses_distrust, the copy
 * begins KNOWN_ADDRESSES_TURN endpoints further on.
 */
#define KNOWN_ADDRESSES_TURN 8
size_t known_addresses_hand_out(const struct known_addresses *known, union endpoint *endpoints, size_t most);

#endif
