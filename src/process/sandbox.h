/*
 * Drops rights that the running exporter does not need, so that an attacker who takes it over gains little.
 * The layers are: no new privileges; files are read-only except in the directories of outputs (Landlock);
 * only system calls that the exporter and its libraries need (seccomp). sandbox_filter.c makes the seccomp
 * filter when the program is built.
 *
 *     sandbox_enter -> the first thread -> listening -> sandbox_filter_calls
 *
 * The sandbox never ends the program. A forbidden call fails with EPERM, an unknown call with ENOSYS;
 * libraries then behave as on an older kernel. Layers that the kernel lacks are left out. struct sandbox
 * shows which layers are active.
 */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
    bool no_new_privileges;
    bool files; /* Landlock */
    bool calls; /* seccomp */
};

/*
 * Enters the first layer and, if `files` is true, the second one. `writable` lists directories, borrowed for
 * the call; a missing directory is skipped. Call this before the program starts a thread: Landlock covers
 * only the calling thread and the threads it starts later. Landlock also blocks access to processes that
 * started earlier, such as their descriptors in /proc.
 */
void sandbox_enter(struct sandbox *sandbox, bool files, const char *const *writable, size_t count);

/* Enters the third layer, for all threads. No socket can be bound afterwards. */
void sandbox_filter_calls(struct sandbox *sandbox);

#endif
