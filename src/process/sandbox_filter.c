/*
 * Runs while the program is built: makes the filter of system calls with libseccomp, for the target
 * architecture, and prints it as a header for sandbox.c. So the running exporter needs neither the library
 * nor the memory to make a filter.
 *
 *     sandbox_filter [ARCHITECTURE]      name of a CPU family, as in meson; by default that of this machine
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- System calls --- */

/*
 * System calls that a running exporter needs: its own, and those of libuv, glibc, OpenSSL, c-ares, libcurl
 * and name services. A system call that this architecture lacks is skipped.
 */
static const char allowed[] =
    /* memory */
    "brk madvise mincore mlock mmap mmap2 mprotect mremap msync munlock munmap membarrier memfd_create "
    /* time */
    "clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
    "clock_nanosleep_time64 gettimeofday nanosleep time timerfd_create timerfd_gettime timerfd_settime "
    "times "
    /* threads and signals */
    "exit exit_group futex futex_time64 futex_waitv get_robust_list set_robust_list get_thread_area "
    "set_thread_area set_tid_address gettid getpid getppid getpgrp getpgid getsid tgkill "
    "pause restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait sigaction sigaltstack signalfd4 sigprocmask sigreturn "
    "sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min "
    "sched_yield getcpu wait4 waitid waitpid "
    /* waiting */
    "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll "
    "ppoll ppoll_time64 pselect6 pselect6_time64 select _newselect "
    /* files */
    "access chdir close close_range dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 "
    "fallocate fchmod fchmodat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 "
    "fsync ftruncate ftruncate64 getcwd getdents getdents64 inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch link linkat lseek _llseek lstat lstat64 mkdir mkdirat newfstatat "
    "open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
    "readlink readlinkat readv rename renameat renameat2 splice stat stat64 statfs statfs64 statx "
    "sync_file_range tee umask unlink unlinkat write writev ioctl "
    /* sockets; `socket` itself is allowed by address family, below */
    "accept accept4 connect getpeername getsockname getsockopt recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg send sendfile sendfile64 sendmmsg sendmsg sendto setsockopt shutdown socketpair "
    /* information about the process and the machine */
    "arch_prctl getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpriority "
    "getrandom getresgid getresuid getrlimit getrusage getuid getuid32 prctl prlimit64 ugetrlimit "
    "sysinfo uname capget "
#ifdef SANITIZED
    /* calls of the leak checker at exit */
    "clone clone3 process_vm_readv ptrace personality sched_setaffinity "
#endif
    "";

/* Known calls that the exporter never needs; they fail with EPERM. All other calls fail with ENOSYS. */
static const char forbidden[] =
    "bind execve execveat fork vfork listen mount umount2 pivot_root chroot setns unshare setuid "
    "setgid setresuid setresgid setreuid setregid setgroups capset kexec_load reboot init_module "
    "finit_module bpf userfaultfd perf_event_open keyctl add_key request_key mknod mknodat chown "
    "fchown lchown fchownat setdomainname sethostname syslog swapon swapoff acct settimeofday "
    "clock_settime adjtimex quotactl io_uring_setup "
#ifndef SANITIZED
    "ptrace process_vm_readv process_vm_writev "
#endif
    "";

static bool add_rules(scmp_filter_ctx filter, uint32_t action, const char *names)
{
    char name[32];
    int length;
    for (; sscanf(names, "%31s%n", name, &length) == 1; names += length) {
        int call = seccomp_syscall_resolve_name(name);
        if (call == __NR_SCMP_ERROR) continue; /* unknown to an older libseccomp */
        if (seccomp_rule_add(filter, action, call, 0) < 0) {
            fprintf(stderr, "sandbox_filter: libseccomp takes no rule for %s\n", name);
            return false;
        }
    }
    return true;
}

/*
 * Allows sockets to servers, name servers and journals, and AF_NETLINK, by which glibc asks the kernel for
 * addresses.
 */
static bool add_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    for (size_t n = 0; n < sizeof(families) / sizeof(families[0]); n++) {
        struct scmp_arg_cmp is_family = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[n]);
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, is_family) < 0) return false;
    }
    return true;
}

/*
 * Allows threads, but no processes. A filter cannot see the arguments of clone3, which are in memory. So
 * clone3 fails as unknown, and glibc falls back to clone.
 */
static bool add_threads(scmp_filter_ctx filter)
{
#ifdef SANITIZED
    (void) filter;
    return true;
#else
    struct scmp_arg_cmp is_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread) == 0;
#endif
}

/* Makes the filter for the target architecture only. */
static bool set_architecture(scmp_filter_ctx filter, const char *family)
{
    uint32_t wanted = seccomp_arch_resolve_name(family), own = seccomp_arch_native();
    if (wanted == own) return true;
    return wanted && seccomp_arch_remove(filter, own) == 0 && seccomp_arch_add(filter, wanted) == 0;
}

/*
 * Fills the filter. It is a binary tree, so that frequent calls take few steps. Calls of another architecture
 * fail as unknown.
 */
static bool fill(scmp_filter_ctx filter, const char *family)
{
    return (!family || set_architecture(filter, family)) &&
           seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) == 0 &&
           add_rules(filter, SCMP_ACT_ALLOW, allowed) &&
           add_rules(filter, SCMP_ACT_ERRNO(EPERM), forbidden) && add_sockets(filter) && add_threads(filter);
}

static bool print(FILE *program)
{
    struct sock_filter step;
    printf("/* Made by src/process/sandbox_filter.c. */\n#include <linux/filter.h>\n\n"
           "static const struct sock_filter sandbox_filter[] = {\n");
    rewind(program);
    while (fread(&step, sizeof(step), 1, program) == 1)
        printf("    {0x%x, %u, %u, 0x%x},\n", step.code, step.jt, step.jf, step.k);
    printf("};\n");
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    FILE *program = tmpfile();
    bool done = filter && program && fill(filter, argc > 1 ? argv[1] : NULL) &&
                seccomp_export_bpf(filter, fileno(program)) == 0 && print(program);
    if (filter) seccomp_release(filter);
    if (program) fclose(program);
    if (!done) fprintf(stderr, "sandbox_filter: no filter could be made\n");
    return done ? 0 : 1;
}
