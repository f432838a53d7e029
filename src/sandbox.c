#include "sandbox.h"

#include "base/container.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of later versions of Landlock than the headers may know. */
#define FILES_REFER    (UINT64_C(1) << 13) /* version 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14) /* version 3 */
#define FILES_V1       ((UINT64_C(1) << 13) - 1)

/* --- Files --- */

/* What a reader of files and directories needs; to execute is nowhere allowed. */
static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
/* What it takes to write a file beside its place and rename it, and to listen on a unix socket. */
static const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE | FILES_REFER |
                                FILES_TRUNCATE;

static void allow_below(int ruleset, const char *directory, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rule.parent_fd < 0) return;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

static bool restrict_files(const char *const *writable, size_t count)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t handled = FILES_V1 | (version >= 2 ? FILES_REFER : 0) | (version >= 3 ? FILES_TRUNCATE : 0);
    struct landlock_ruleset_attr attributes = {.handled_access_fs = handled};
    if (version < 1) return false;
    /* Only the part of the struct that the first version has: the rest is of later ones. */
    int ruleset =
        (int) syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
    if (ruleset < 0) return false;
    allow_below(ruleset, "/", reading & handled);
    for (size_t n = 0; n < count; n++) allow_below(ruleset, writable[n], (reading | writing) & handled);
    bool restricted = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return restricted;
}

void sandbox_enter(struct sandbox *sandbox, bool files, const char *const *writable, size_t count)
{
    *sandbox = (struct sandbox){0};
    sandbox->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    sandbox->files = files && sandbox->no_new_privileges && restrict_files(writable, count);
}

/* --- System calls --- */

/*
 * What the exporter, libuv, glibc, OpenSSL, c-ares, libcurl and the name services behind it call once the
 * exporter runs. A name that the machine's architecture does not have is passed over.
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
    /* sockets; `socket` itself by its family, below */
    "accept accept4 connect getpeername getsockname getsockopt recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg send sendfile sendfile64 sendmmsg sendmsg sendto setsockopt shutdown socketpair "
    /* who and where we are */
    "arch_prctl getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpriority "
    "getrandom getresgid getresuid getrlimit getrusage getuid getuid32 prctl prlimit64 ugetrlimit "
    "sysinfo uname capget "
#if defined(__SANITIZE_ADDRESS__)
    /* what looks for leaks at the end */
    "clone clone3 process_vm_readv ptrace personality sched_setaffinity "
#endif
    "";

/* Known and never wanted: a plain no. Everything else that is not named is unknown, and so says its error. */
static const char forbidden[] =
    "bind execve execveat fork vfork listen mount umount2 pivot_root chroot setns unshare setuid "
    "setgid setresuid setresgid setreuid setregid setgroups capset kexec_load reboot init_module "
    "finit_module bpf userfaultfd perf_event_open keyctl add_key request_key mknod mknodat chown "
    "fchown lchown fchownat setdomainname sethostname syslog swapon swapoff acct settimeofday "
    "clock_settime adjtimex quotactl io_uring_setup "
#if !defined(__SANITIZE_ADDRESS__)
    "ptrace process_vm_readv process_vm_writev "
#endif
    "";

static void add_rules(scmp_filter_ctx filter, uint32_t action, const char *names)
{
    struct slice rest = slice_of(names);
    while (rest.data) {
        char name[32];
        struct slice word = slice_cut(&rest, ' ');
        if (word.len == 0 || word.len >= sizeof(name)) continue;
        *slice_put(name, word) = '\0';
        int call = seccomp_syscall_resolve_name(name);
        if (call != __NR_SCMP_ERROR) seccomp_rule_add(filter, action, call, 0);
    }
}

/* Sockets to servers, name servers, journals, and the one by which glibc asks the kernel for addresses. */
static void add_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    for (size_t n = 0; n < ARRAY_LEN(families); n++)
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                         SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[n]));
}

/*
 * Threads, and no processes. What clone3 is to do lies in memory, where no filter can look: it is unknown,
 * and glibc then takes clone.
 */
static void add_threads(scmp_filter_ctx filter)
{
#if !defined(__SANITIZE_ADDRESS__)
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#else
    (void) filter;
#endif
}

void sandbox_filter_calls(struct sandbox *sandbox)
{
    scmp_filter_ctx filter = sandbox->no_new_privileges ? seccomp_init(SCMP_ACT_ERRNO(ENOSYS)) : NULL;
    if (!filter) return;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
                     2); /* a tree: the hot calls are found in a few steps */
    add_rules(filter, SCMP_ACT_ALLOW, allowed);
    add_rules(filter, SCMP_ACT_ERRNO(EPERM), forbidden);
    add_sockets(filter);
    add_threads(filter);
    sandbox->calls = seccomp_load(filter) == 0;
    seccomp_release(filter);
    malloc_trim(0); /* to make the filter took some hundred kilobytes */
}
