/*
 * The handler only calls what is async-signal-safe: after a crash, any lock may be held, and the heap may be
 * broken. The report is put together in a buffer on the stack for signals, and written at once.
 *
 * The unwinder is the compiler's. It is part of the program (-static-libgcc), because backtrace(3) of glibc
 * would load it as a library and allocate memory. The unwinder finds its tables by _dl_find_object, which
 * takes no lock. This file finds the names of libraries in the same way.
 */
#include "process/crash.h"

#include "base/container.h"
#include "base/version.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>
#ifdef HAS_DL_FIND_OBJECT
#include <link.h>
#endif

/* A shell reports 128 plus the signal number for a process that a signal has ended. */
#define EXIT_BY_SIGNAL 128

/* Enough for the innermost frames. All fits a pipe at once, see write_report. */
#define FRAMES_MAX  32
#define REPORT_SIZE 4096

/* How long to wait for the reader of a full pipe. */
#define PATIENCE_MS 1000

/* Stack of the handler. An overflow of the program's own stack leaves none there. */
#define STACK_SIZE (64 * 1024)

static const struct {
    int number;
    const char *name;
} fatal[] = {{SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
             {SIGILL, "SIGILL"},   {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"}};

/* --- Text --- */

struct crash_text {
    size_t len;
    unsigned frames;
    char text[REPORT_SIZE];
};

static void append_text(struct crash_text *report, const char *text)
{
    size_t room = sizeof(report->text) - report->len, len = strlen(text);
    if (len > room) len = room;
    memcpy(report->text + report->len, text, len);
    report->len += len;
}

static void append_hex(struct crash_text *report, uintptr_t number)
{
    char digits[2 + 2 * sizeof(number) + 1], *at = digits + sizeof(digits) - 1;
    *at = '\0';
    do *--at = "0123456789abcdef"[number & 15];
    while (number >>= 4);
    *--at = 'x';
    *--at = '0';
    append_text(report, at);
}

/* --- Frames --- */

/* The file of the program or library that has this address, and how far behind its beginning that is. */
static void append_place(struct crash_text *report, uintptr_t address)
{
#ifdef HAS_DL_FIND_OBJECT
    struct dl_find_object object;
    if (_dl_find_object((void *) address, &object) == 0) {
        const char *name = object.dlfo_link_map->l_name;
        append_text(report, name && name[0] ? name : PROGRAM_NAME);
        append_text(report, "+");
        address -= object.dlfo_link_map->l_addr;
    }
#endif
    append_hex(report, address);
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *argument)
{
    struct crash_text *report = argument;
    int is_exact = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &is_exact);
    if (!address || report->frames++ == FRAMES_MAX) return _URC_END_OF_STACK;
    /* A caller's address is the one behind the call, which may be on another line. */
    append_text(report, "  ");
    append_place(report, is_exact ? address : address - 1);
    append_text(report, "\n");
    return _URC_NO_REASON;
}

/* --- The end --- */

static const char *name_of(int number)
{
    for (size_t n = 0; n < ARRAY_LEN(fatal); n++)
        if (fatal[n].number == number) return fatal[n].name;
    return "a signal";
}

static bool has_address(int number, const siginfo_t *info)
{
    return (number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL) &&
           info->si_code > 0;
}

/* A pipe that nobody reads must not keep the process. */
static void write_report(const struct crash_text *report)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, PATIENCE_MS) <= 0) return;
    ssize_t written = write(STDERR_FILENO, report->text, report->len);
    (void) written; /* there is nobody left to tell */
}

/* Ends the process by the same signal, so that whoever started it sees how it ended. */
static void die_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    _exit(EXIT_BY_SIGNAL + number); /* the first process of a container survives its own signal */
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    struct crash_text report;
    (void) context;
    report.len = report.frames = 0;
    append_text(&report, PROGRAM_NAME ": crashed with ");
    append_text(&report, name_of(number));
    if (has_address(number, info)) {
        append_text(&report, " at address ");
        append_hex(&report, (uintptr_t) info->si_addr);
    }
    append_text(&report, ", version ");
    append_text(&report, build_info.version);
    append_text(&report, ", revision ");
    append_text(&report, build_info.revision);
    append_text(&report, "\n");
    write_report(&report);

    /* The unwinder itself may crash on a broken stack. The first line is out by then. */
    report.len = 0;
    _Unwind_Backtrace(on_frame, &report);
    write_report(&report);
    die_of(number);
}

void crash_report(void)
{
    static char stack[STACK_SIZE];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction old,
        action = {.sa_sigaction = on_crash, .sa_flags = (int) (SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
    sigfillset(&action.sa_mask);
    if (sigaltstack(&own, NULL) < 0) action.sa_flags &= ~SA_ONSTACK;
    for (size_t n = 0; n < ARRAY_LEN(fatal); n++) {
        if (sigaction(fatal[n].number, NULL, &old) < 0 || old.sa_handler != SIG_DFL) continue;
        sigaction(fatal[n].number, &action, NULL);
    }
}
