/*
 * What the kernel knows of a process: the metrics that Prometheus' client libraries call process_*, read from
 * /proc. Used for this process and, with another prefix, for a memcached on the same machine.
 */
#ifndef METRICS_PROCESS_H
#define METRICS_PROCESS_H

#include "metrics/collector.h"

#include <sys/types.h>

/* Names of families, made once for a prefix: "" gives process_*, "memcached_" memcached_process_*. */
enum process_metric {
    PROCESS_CPU_SECONDS,
    PROCESS_MAX_FDS,
    PROCESS_OPEN_FDS,
    PROCESS_RESIDENT_BYTES,
    PROCESS_START_TIME,
    PROCESS_VIRTUAL_BYTES,
    PROCESS_VIRTUAL_MAX_BYTES,
    PROCESS_RECEIVED_BYTES,
    PROCESS_SENT_BYTES,
    PROCESS_THREADS,
    PROCESS_METRIC_COUNT,
};

struct process_collector {
    struct collector collector;
    pid_t pid;            /* 0 for this process */
    const char *pid_file; /* read at each walk when not NULL: the server may have been restarted; borrowed */
    const struct family *families; /* PROCESS_METRIC_COUNT of them, static */
    bool done;
};

/* This process, as process_*. */
void process_collector_self(struct process_collector *process);

/*
 * The process whose number stands in `pid_file`, as memcached_process_*. A file that cannot be read, or that
 * names no process, yields no samples: the server is down, and memcached_up says so.
 */
void process_collector_pid_file(struct process_collector *process, const char *pid_file);

#endif
