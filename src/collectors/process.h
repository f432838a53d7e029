/*
 * What the kernel knows of a process: the metrics that Prometheus' client libraries call process_*, read from
 * /proc. Used for this process and, with another prefix, for a memcached on the same machine.
 */
#ifndef COLLECTORS_PROCESS_H
#define COLLECTORS_PROCESS_H

#include "metrics/collector.h"

#include <sys/types.h>

struct process_walk {
    struct walk walk;
    pid_t pid;            /* 0 for this process */
    const char *pid_file; /* read at each walk when not NULL: the server may have been restarted; borrowed */
};

/* process_*: this process. */
extern const struct collector process_collector;

/* memcached_process_*: the process whose number stands in a file. */
extern const struct collector memcached_process_collector;

/* This process. */
void process_walk_self(struct process_walk *process);

/*
 * The process whose number stands in `pid_file`. A file that cannot be read, or that names no process, yields
 * no samples: the server is down, and memcached_up says so.
 */
void process_walk_pid_file(struct process_walk *process, const char *pid_file);

#endif
