/*
 * Keeps libuv from aborting the process. libuv calls abort() when it gets no memory for its own tables or no
 * thread for its pool, so both are reserved in advance:
 *
 * - Some memory is set aside. When an allocation of libuv fails, that memory is released and the allocation
 *   is tried again; it is set aside anew as soon as there is enough.
 * - The threads of the pool start with the program. Before that, as many threads are started and ended again.
 *   If they cannot be had, that is an error like any other; if they can, the C library keeps their stacks for
 *   the pool.
 *
 *     reserve_open -> uv_loop_init -> reserve_start_threads
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <uv.h>

/* To be called once, before any other function of libuv. 0 or a negative libuv code. */
int reserve_open(void);

/* Starts the threads of the pool. The request must stay in its place until the loop has ended. */
void reserve_start_threads(uv_loop_t *loop, uv_work_t *request);

/* Releases what is set aside; libuv goes on without it. Harmless when there is nothing. */
void reserve_close(void);

#endif
