/*
 * Gives up what the running exporter does not need, so that who takes it over gets little: no new privileges,
 * files only for reading but in the directories of its outputs (Landlock), and only the system calls that it
 * and its libraries make (seccomp; sandbox_filter.c makes the filter when the program is built).
 *
 *     sandbox_enter -> the first thread -> listening -> sandbox_filter_calls
 *
 * Nothing here ends the program: a forbidden call fails with EPERM, an unknown one with ENOSYS, so that
 * libraries fall back as they do on an older kernel. What the kernel does not offer is left out; the struct
 * says what is in force.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
    bool no_new_privileges;
    bool files; /* Landlock */
    bool calls; /* seccomp */
};

/*
 * The first two, the second only if `files` is set. `writable` are directories, borrowed for the call; one
 * that is not there is passed over. Before the program has any other thread: Landlock holds for the thread
 * that asks for it, and for those that it starts. Landlock also forbids to look into processes that started
 * before, such as at their descriptors in /proc.
 */
void sandbox_enter(struct sandbox *sandbox, bool files, const char *const *writable, size_t count);

/* The third, for all threads. No socket can be bound afterwards. */
void sandbox_filter_calls(struct sandbox *sandbox);

#endif
