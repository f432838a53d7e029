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

/* How far a poll was. */
struct poll_reach {
    enum dialer_phase phase; /* DIALER_IDLE when it had a connection */
    bool shakes_hands;       /* over TLS */
    bool logs_in;            /* the login is sent, and not answered */
    size_t received;         /* bytes of the answer */
};

/* Of a poll that was not done in time. `error` is static. */
enum target_state target_state_when_late(const struct poll_reach *reach, const char **error);

/* Of a handshake that failed, with a code of stream_secure's callback and what TLS says of it. */
enum target_state target_state_of_handshake(int status, const char *why, char error[TARGET_ERROR_MAX]);

/* Of a peer that is no memcached which speaks its text protocol, by the first bytes that it said: what it
 * seems to be. `error` is static. */
enum target_state target_state_of_stranger(struct slice bytes, const char **error);

/*
 * Of a connection that ended under a poll, with UV_EOF or an error, after so many bytes of the answer.
 * `why` is what TLS says of it; NULL without TLS.
 */
enum target_state target_state_of_end(int status, const char *why, size_t received,
                                      char error[TARGET_ERROR_MAX]);

/*
 * Logs that the target is down, for each reason once, and that it is up again. `reasons` is what the log has
 * said since the target was up last; 0 at first.
 */
void target_state_log(const struct snapshot *snapshot, const char *target, uint64_t *reasons);

/* Logs what is remarkable in the answer, unless `said` has been said of this target last. */
void target_remark_log(const struct snapshot *snapshot, const char *target, struct snapshot_remark *said);

#endif
