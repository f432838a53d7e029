/*
 * A library for LD_PRELOAD that makes one allocation of a program fail. Environment variables control it:
 *
 *     FAILING_CALL     number of the allocation that fails; 0 for none
 *     FAILING_TRACE    if set, prints a backtrace of the failing call to stderr
 *     FAILING_COUNT    file that receives the number of allocations when the program exits normally
 *
 * Allocations by the C library itself (strdup, asprintf, pthread_create) count as well.
 */
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong calls;
static unsigned long failing_call;
static int traced;

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("FAILING_CALL");
    void *frame;
    traced = getenv("FAILING_TRACE") != NULL;
    if (traced) backtrace(&frame, 1); /* the first call loads a library */
    atomic_store(&calls, 0);
    failing_call = number ? strtoul(number, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void)
{
    unsigned long count = atomic_load(&calls);
    const char *name = getenv("FAILING_COUNT");
    FILE *file = name ? fopen(name, "w") : NULL;
    if (!file) return;
    fprintf(file, "%lu\n", count);
    fclose(file);
}

static int fails(void)
{
    void *frames[32];
    if (atomic_fetch_add(&calls, 1) + 1 != failing_call) return 0;
    if (traced) backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *made = memalign(alignment, size);
    if (!made) return ENOMEM;
    *memory = made;
    return 0;
}
