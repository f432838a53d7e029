/*
 * The terminal of the program, for a view that is drawn again and again. If standard output is a terminal,
 * the view has the whole screen, and keys are read from standard input. Otherwise frames are written as they
 * are.
 *
 *     terminal_start -> (terminal_show | on_key | on_resize)* -> terminal_close -> [on_close]
 *
 * The terminal gets its settings back at terminal_close, at quick_exit, at a fatal signal, and while the
 * program is suspended (Ctrl-Z). There is one terminal in a process.
 */
#ifndef OUTPUTS_TERMINAL_H
#define OUTPUTS_TERMINAL_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Keys other than characters. */
enum key { KEY_UP = 256, KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME, KEY_END };

struct terminal;

struct terminal_events {
    void (*on_key)(struct terminal *terminal, int key); /* a character, or enum key */
    void (*on_resize)(struct terminal *terminal);       /* the screen must be drawn again */
    void (*on_gone)(struct terminal *terminal);         /* nobody can press a key any more */
};

typedef void (*terminal_close_fn)(struct terminal *terminal);

struct terminal {
    const struct terminal_events *events; /* borrowed */
    bool has_screen, has_keys;
    uv_poll_t input;
    uv_signal_t signals[3];
    unsigned open; /* handles that are not closed yet */
    char escape[8];
    size_t escape_len;
    terminal_close_fn on_close;
};

/* Takes the screen, if there is one. Returns 0 or a negative libuv code; close it in either case. */
int terminal_start(struct terminal *terminal, uv_loop_t *loop, const struct terminal_events *events);

/* Returns the size of the screen: 80 by 24 if nobody knows. */
void terminal_size(unsigned *columns, unsigned *rows);

/*
 * Writes a frame: lines, each with its line end. On a screen it replaces the frame before; it must not be
 * higher than the screen. Blocks while the reader is slow, until a signal comes. Returns 0, or a negative
 * libuv code; UV_EINTR: a signal came, and a part of the frame is lost.
 */
int terminal_show(struct terminal *terminal, struct slice frame);

/*
 * Gives the screen back at once. on_close runs once, from the loop; inside this call if there is no screen.
 */
void terminal_close(struct terminal *terminal, terminal_close_fn on_close);

#endif
