/*
 * Feeds a reply to a session, as a whole or in pieces, and compares what two sessions made of it. For the
 * targets of both protocols.
 */
#ifndef FUZZ_REPLIES_H
#define FUZZ_REPLIES_H

#include "memcached/session.h"

#include <stdint.h>

/* What a session made of a reply. */
struct hearing {
    struct session session;
    enum session_status status;
    size_t taken;
};

/*
 * Lets a session read the reply to `wanted`. `piece` is the number of bytes of each piece, which changes with
 * each, or 0 for all at once.
 */
void hear(struct hearing *hearing, const struct protocol *protocol, unsigned wanted, struct slice reply,
          unsigned piece);
void forget(struct hearing *hearing);

/* Faults unless both have the same. */
void compare_builders(const struct snapshot_builder *a, const struct snapshot_builder *b);
void compare_hearings(const struct hearing *a, const struct hearing *b);

#endif
