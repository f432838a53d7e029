/*
 * Turns the end of a poll into the state of its target and an error message, and logs changes of the state.
 */
#ifndef MEMCACHED_TARGET_STATE_H
#define MEMCACHED_TARGET_STATE_H

#include "base/slice.h"
#include "memcached/snapshot.h"
#include "memcached/state_log.h"
#include "net/dialer.h"

/* Returns the state for a failure of the dialer, see dialer_fn. */
enum target_state target_state_of_failure(int status);

/* Progress of a poll. */
struct poll_reach {
    enum dialer_phase phase; /* DIALER_IDLE if the poll has a connection */
    bool shakes_hands;       /* the TLS handshake is not over */
    bool logs_in;            /* the login is sent, and not answered yet */
    size_t received;         /* bytes of the answer so far */
};

/* Returns the state for a poll that was not done in time. `error` is static. */
enum target_state target_state_when_late(const struct poll_reach *reach, const char **error);

/*
 * Returns the state for a TLS handshake that failed. `status` is the code from stream_secure's callback.
 * `why` is the message from TLS.
 */
enum target_state target_state_of_handshake(int status, const char *why, char error[TARGET_ERROR_MAX]);

/*
 * Returns the state for a peer that does not speak our protocol of memcached. Its first bytes tell what it
 * seems to be. `error` is static.
 */
enum target_state target_state_of_stranger(struct slice bytes, const char **error);

/*
 * Returns the state for a connection that ended under a poll, with UV_EOF or an error, after `received` bytes
 * of the answer. `why` is the message from TLS; NULL without TLS.
 */
enum target_state target_state_of_end(int status, const char *why, size_t received,
                                      char error[TARGET_ERROR_MAX]);

/*
 * Logs that the target is down, once for each reason, and that it is up again. `reasons` is the set of
 * reasons logged since the target was last up; 0 at first. `log` may be NULL.
 */
void target_state_log(const struct snapshot *snapshot, const char *target, uint64_t *reasons,
                      struct state_log *log);

/*
 * Logs the remark of the snapshot of a target that is up, unless it equals `said`, the last remark that was
 * logged for this target.
 */
void target_remark_log(const struct snapshot *snapshot, const char *target, struct snapshot_remark *said);

#endif
