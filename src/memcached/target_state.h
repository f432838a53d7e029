/*
 * What the end of a poll says of its target.
 */
#ifndef MEMCACHED_TARGET_STATE_H
#define MEMCACHED_TARGET_STATE_H

#include "memcached/snapshot.h"
#include "net/dialer.h"

/* Of a dialer's failure, see dialer_fn. */
enum target_state target_state_of_failure(int status);

/* Of a poll that was not done in time: how far its dialer was, DIALER_IDLE when it had a connection. `error`
 * is static. */
enum target_state target_state_when_late(enum dialer_phase phase, const char **error);

/* Logs it if it is another one than before: `down` is what the log said last. */
void target_state_log(const struct snapshot *snapshot, const char *target, bool *down);

#endif
