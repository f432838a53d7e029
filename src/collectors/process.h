/*
 * Metrics of a process, read from /proc. They are the process_* metrics of Prometheus' client libraries. Used
 * for this process and, with another prefix, for a memcached on the same machine.
 *
 * The files of /proc stay open between two walks. The counters of the network are at most a second old.
 */
#ifndef COLLECTORS_PROCESS_H
#define COLLECTORS_PROCESS_H

#include "metrics/collector.h"

struct process_walk {
    struct walk walk;
    struct process_source *source; /* what is kept between two walks of the process */
    const char *pid_file; /* NULL, or a file that is read in each walk, because the server may have been
                             restarted; borrowed */
};

/* Collector of process_*: this process. */
extern const struct collector process_collector;

/* Collector of memcached_process_*: the process whose number is in a pid file. */
extern const struct collector memcached_process_collector;

/* Starts a walk for this process. */
void process_walk_self(struct process_walk *process);

/*
 * Starts a walk for the process whose number is in `pid_file`. If the file cannot be read, or there is no
 * such process, there are no samples. The server is then down, which memcached_up shows.
 */
void process_walk_pid_file(struct process_walk *process, const char *pid_file);

#endif
