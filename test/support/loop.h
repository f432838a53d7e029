/*
 * A bounded event loop for tests: it runs until a condition holds, never longer than a minute, and must close
 * with nothing left on it.
 */
#ifndef SUPPORT_LOOP_H
#define SUPPORT_LOOP_H

#include <stdbool.h>
#include <uv.h>

/* Initialises the loop; fails the test if that fails. */
void loop_open(uv_loop_t *loop);

/* Runs until *done, or fails the test when it takes too long. */
void loop_run_until(uv_loop_t *loop, const bool *done);

/* Runs until *count >= n, likewise. */
void loop_run_until_count(uv_loop_t *loop, const unsigned *count, unsigned n);

/* Runs so many turns without waiting for events. */
void loop_turn(uv_loop_t *loop, unsigned turns);

/* Runs for so many milliseconds. */
void loop_run_for(uv_loop_t *loop, unsigned ms);

/* Runs to the end and insists that uv_loop_close() returns 0. */
void loop_close(uv_loop_t *loop);

#endif
