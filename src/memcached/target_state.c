#include "memcached/target_state.h"

#include "base/log.h"

enum target_state target_state_of_failure(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
        return TARGET_UNRESOLVED;
    case DIALER_FORBIDDEN:
        return TARGET_FORBIDDEN;
    case UV_ECONNREFUSED:
        return TARGET_REFUSED;
    case UV_ETIMEDOUT:
        return TARGET_TIMEOUT;
    default:
        return TARGET_UNREACHABLE;
    }
}

enum target_state target_state_when_late(enum dialer_phase phase, const char **error)
{
    switch (phase) {
    case DIALER_RESOLVING:
        *error = "the name was not resolved in time";
        return TARGET_UNRESOLVED;
    case DIALER_QUEUED:
        *error = "too many other connections were being made, see --memcached.max-connecting";
        break;
    case DIALER_CONNECTING:
        *error = "no connection in time";
        break;
    case DIALER_IDLE:
        *error = "no whole answer in time";
        break;
    }
    return TARGET_TIMEOUT;
}

void target_state_log(const struct snapshot *snapshot, const char *target, bool *down)
{
    if (*down == (snapshot->state != TARGET_UP)) return;
    *down = !*down;
    if (*down) {
        log_line(LOG_WARN, "target is down", LOG_FIELD("target", target),
                 LOG_FIELD("state", target_state_name(snapshot->state)), LOG_FIELD("err", snapshot->error));
    } else {
        log_line(LOG_INFO, "target is up again", LOG_FIELD("target", target));
    }
}
