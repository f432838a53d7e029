/*
 * Keeps libuv from aborting the process. libuv calls abort() if it gets no memory for its own tables or no
 * thread for its pool, so both are reserved in advance:
 *
 * - Some memory is set aside. If an allocation of libuv fails, that memory is released and the allocation
 *   is tried again. Memory is set aside again as soon as there is enough. OpenSSL gets its memory in the same
 *   way, see net/openssl.
 * - The threads of the pool start with the program. Before that, the same number of threads is started and
 *   ended. If this fails, the error can be reported normally. If it works, the C library keeps their stacks
 *   for the pool.
 *
 *     reserve_open -> uv_loop_init -> reserve_start_threads
 */
#ifndef PROCESS_RESERVE_H
#define PROCESS_RESERVE_H

#include <uv.h>

/*
 * Reserves memory and threads. Call it once, before any other function of libuv. Returns 0 or a negative
 * libuv code.
 */
int reserve_open(void);

/* Starts the threads of the pool. `request` must stay valid until the loop has ended. */
void reserve_start_threads(uv_loop_t *loop, uv_work_t *request);

/* Releases the memory that is set aside; libuv works on without it. Does nothing if there is none. */
void reserve_close(void);

#endif
