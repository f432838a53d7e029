/*
 * An event loop for tests. It runs until a condition holds, for at most a minute. When it is closed, nothing
 * may be left on it.
 */
#ifndef SUPPORT_LOOP_H
#define SUPPORT_LOOP_H

#include <stdbool.h>
#include <uv.h>

/* Initialises the loop. Fails the test on an error. */
void loop_open(uv_loop_t *loop);

/* Runs until *done. Fails the test after a minute. */
void loop_run_until(uv_loop_t *loop, const bool *done);

/* Runs until *count >= n. Fails the test after a minute. */
void loop_run_until_count(uv_loop_t *loop, const unsigned *count, unsigned n);

/* Runs `turns` turns without waiting for events. */
void loop_turn(uv_loop_t *loop, unsigned turns);

/* Runs for `ms` milliseconds. */
void loop_run_for(uv_loop_t *loop, unsigned ms);

/* Runs until nothing is left on the loop. Fails the test if uv_loop_close() does not return 0. */
void loop_close(uv_loop_t *loop);

#endif
