/*
 * What the end of a poll says of its target.
 */
#ifndef MEMCACHED_TARGET_STATE_H
#define MEMCACHED_TARGET_STATE_H

#include "base/slice.h"
#include "memcached/snapshot.h"
#include "net/dialer.h"

/* Of a dialer's failure, see dialer_fn. */
enum target_state target_state_of_failure(int status);

/* Of a poll that was not done in time: how far its dialer was, DIALER_IDLE when it had a connection, and how
 * many bytes of the answer have arrived. `error` is static. */
enum target_state target_state_when_late(enum dialer_phase phase, size_t received, const char **error);

/* Of a peer that is no memcached which speaks its text protocol, by the first bytes that it said: what it
 * seems to be. `error` is static. */
enum target_state target_state_of_stranger(struct slice bytes, const char **error);

/* Of a connection that ended under a poll, with UV_EOF or an error, after so many bytes of the answer. */
enum target_state target_state_of_end(int status, size_t received, char error[TARGET_ERROR_MAX]);

/* Logs it if it is another one than before: `down` is what the log said last. */
void target_state_log(const struct snapshot *snapshot, const char *target, bool *down);

#endif
