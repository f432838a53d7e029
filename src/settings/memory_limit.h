/* Finds out how much memory this process may use: the limit of its cgroup, or the memory of the machine. */
#ifndef SETTINGS_MEMORY_LIMIT_H
#define SETTINGS_MEMORY_LIMIT_H

#include <stdint.h>

/*
 * Returns the memory limit in bytes: the lowest limit of the cgroup and of the cgroups above it (version 2 or
 * 1). If there is none, or the machine has less memory, returns the memory of the machine. Returns 0 if
 * nothing is known.
 */
uint64_t memory_limit(void);

/*
 * For tests: like memory_limit, but reads files below `root` instead of "/", and ignores the machine's
 * memory.
 */
uint64_t memory_limit_of_cgroup(const char *root);

#endif
