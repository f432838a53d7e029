/*
 * Reports a crash: a fatal signal writes its name, the version and a backtrace to stderr, and then ends the
 * process as it would have without a report. For example:
 *
 *     memcached_fleet_exporter: crashed with SIGSEGV at address 0x10, version ..., revision ...
 *       memcached_fleet_exporter+0x2f3a1
 *       /lib/x86_64-linux-gnu/libc.so.6+0x3c050
 *
 * `addr2line -fe memcached_fleet_exporter 0x2f3a1` names the line. The report holds addresses and no other
 * contents of memory, so no secrets.
 */
#ifndef PROCESS_CRASH_H
#define PROCESS_CRASH_H

/*
 * Reports SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV and SIGSYS from now on, in all threads. A signal that
 * already has a handler keeps it, such as that of a sanitizer.
 */
void crash_report(void);

#endif
