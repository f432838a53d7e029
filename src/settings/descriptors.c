#include "settings/descriptors.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Estimated number of descriptors besides those of targets and HTTP connections: listeners, DNS, epoll, log,
 * discovery.
 */
#define OTHER_DESCRIPTORS 64

void descriptors_hold_standard(void)
{
    for (int n = STDIN_FILENO; n <= STDERR_FILENO; n++) {
        if (fcntl(n, F_GETFD) >= 0) continue;
        if (open("/dev/null", O_RDWR) < 0) return; /* open takes the lowest free number, which is n */
    }
}

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Returns how many descriptors are needed: one for every target and for every HTTP client, and the others. */
static size_t needed(const struct options *options, size_t targets)
{
    bool serves = options->web && !options->once;
    return targets + (serves ? options->max_connections : 0) + OTHER_DESCRIPTORS;
}

void descriptors_check(const struct options *options, size_t targets)
{
    static bool told;
    struct rlimit limit;
    char have[32], need[32];
    if (told || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed(options, targets)) return;
    told = true;
    snprintf(have, sizeof(have), "%llu", (unsigned long long) limit.rlim_cur);
    snprintf(need, sizeof(need), "%zu", needed(options, targets));
    log_line(LOG_WARN,
             "the limit of open files is too low for all targets, raise it (ulimit -n, LimitNOFILE=)",
             LOG_FIELD("limit", have), LOG_FIELD("needed", need));
}

unsigned descriptors_spare(const struct options *options, size_t targets)
{
    struct rlimit limit;
    size_t used = needed(options, targets);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= used) return 0;
    size_t spare = (limit.rlim_cur - used) / 2;
    return spare < options->max_targets ? (unsigned) spare : options->max_targets;
}

unsigned descriptors_for_clients(const struct options *options, size_t targets)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return options->max_connections;
    size_t others = targets + OTHER_DESCRIPTORS;
    size_t left = limit.rlim_cur > others ? limit.rlim_cur - others : 0;
    if (left < limit.rlim_cur / 4) left = limit.rlim_cur / 4;
    left -= left / 8; /* reserve for connections over the limit, which are answered with an error */
    return left < options->max_connections ? (unsigned) left : options->max_connections;
}
