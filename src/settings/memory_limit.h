/*
 * Reads how much memory this process may use: the limit of its cgroup, or the memory of the machine.
 */
#ifndef SETTINGS_MEMORY_LIMIT_H
#define SETTINGS_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes: the least limit of the cgroup and those above it (version 2 or 1), or else of the machine. 0 when
 * nothing says. */
uint64_t memory_limit(void);

/* The same, of files below another root than "/", and without the machine: for tests. */
uint64_t memory_limit_of_cgroup(const char *root);

#endif
