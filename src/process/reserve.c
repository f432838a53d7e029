#include "process/reserve.h"

#include "net/openssl.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* More than libuv allocates at once: its table has 8 bytes per descriptor, rounded up to a power of 2. */
#define RESERVED_BYTES ((size_t) 256 * 1024)

/* The number of threads in libuv's pool, unless $UV_THREADPOOL_SIZE changes it. */
#define POOL_THREADS 4

/*
 * --- Memory. Pool threads allocate, too, so `reserved` is atomic; the thread that takes it out owns it ---
 */

static _Atomic(void *) reserved;

static void set_aside(void)
{
    void *none = NULL, *memory;
    if (atomic_load_explicit(&reserved, memory_order_relaxed) || !(memory = malloc(RESERVED_BYTES))) return;
    if (!atomic_compare_exchange_strong(&reserved, &none, memory)) free(memory);
}

/* Releases the reserved memory. Returns true if there was any, so that another try may succeed. */
static bool release_reserved(void)
{
    void *memory = atomic_exchange(&reserved, NULL);
    bool any = memory != NULL;
    free(memory);
    return any;
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory && release_reserved()) memory = malloc(size);
    if (memory) set_aside();
    return memory;
}

static void *allocate_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory && release_reserved()) memory = calloc(count, size);
    if (memory) set_aside();
    return memory;
}

static void *reallocate(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (!memory && size > 0 && release_reserved()) memory = realloc(old, size);
    if (memory) set_aside();
    return memory;
}

/*
 * Limits malloc to one arena. The loop thread allocates nearly everything. An arena for each pool thread
 * would hold memory that is never given back.
 */
static void bound_arenas(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
}

/* --- Threads --- */

static void wait_at_gate(void *gate)
{
    uv_sem_wait(gate);
}

/* Starts all threads at the same time, so that the C library has a stack for each. */
static int rehearse_threads(void)
{
    uv_thread_t threads[POOL_THREADS];
    uv_sem_t gate;
    unsigned count = 0;
    int result = uv_sem_init(&gate, 0);
    if (result < 0) return result;
    while (count < POOL_THREADS && (result = uv_thread_create(&threads[count], wait_at_gate, &gate)) == 0)
        count++;
    for (unsigned n = 0; n < count; n++) uv_sem_post(&gate);
    for (unsigned n = 0; n < count; n++) uv_thread_join(&threads[n]);
    uv_sem_destroy(&gate);
    return result;
}

static void do_nothing(uv_work_t *request)
{
    (void) request;
}

void reserve_start_threads(uv_loop_t *loop, uv_work_t *request)
{
    uv_queue_work(loop, request, do_nothing, NULL);
}

/* --- Start and end --- */

int reserve_open(void)
{
    bound_arenas();
    set_aside();
    if (!atomic_load(&reserved)) return UV_ENOMEM;
    openssl_use_memory(allocate, reallocate);
    int result = uv_replace_allocator(allocate, reallocate, allocate_zeroed, free);
    return result < 0 ? result : rehearse_threads();
}

void reserve_close(void)
{
    release_reserved();
}
