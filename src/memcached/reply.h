/*
 * Splits bytes of memcached's text protocol into the lines of a stats reply. Pure and stateless.
 *
 * A reply is lines `STAT key value\r\n` up to `END\r\n`, or a single line with a refusal: ERROR, CLIENT_ERROR
 * text, SERVER_ERROR text (memcached's doc/protocol.txt, "Statistics" and "Error strings"). A bare \n counts
 * as \r\n. Only `stats detail dump` sends PREFIX instead of STAT.
 */
#ifndef MEMCACHED_REPLY_H
#define MEMCACHED_REPLY_H

#include "base/slice.h"

#include <stdbool.h>

/*
 * Longest line of a stats reply in bytes; no version sends a longer one. memcached cuts keys and values at
 * 128 bytes each. The value of a longer line is skipped.
 */
#define REPLY_LINE_MAX 2048

/* Forms of lines: where the key ends. */
enum reply_form {
    REPLY_PAIRS, /* STAT key value: the key ends at the first blank; the value may hold blanks */
    REPLY_NAMES, /* STAT key value: the key ends at the last blank; it holds a name that may hold blanks */
    /*
     * PREFIX key get 1 hit 1 set 1 del 1: the value is the last eight words. The key is any bytes, or empty
     */
    REPLY_PREFIXES,
};

enum reply_kind {
    REPLY_MORE, /* the line is not complete yet; nothing was taken */
    REPLY_STAT, /* key and value; the value may be empty */
    /*
     * a stat longer than REPLY_LINE_MAX; the key is cut at the first blank; nothing was taken, see reply_skip
     */
    REPLY_LONG,
    REPLY_END,       /* the reply is complete */
    REPLY_REFUSED,   /* the reply is complete and is a refusal: `value` is the line */
    REPLY_MALFORMED, /* not a stats reply: `value` is the line, or its first REPLY_LINE_MAX bytes */
};

/* Kinds of refusals. */
enum refusal {
    REFUSAL_COMMAND, /* the server does not serve this command */
    /* "ERROR Too many open connections": sent without a request, then the server closes */
    REFUSAL_OVERLOADED,
    REFUSAL_UNAUTHENTICATED, /* "CLIENT_ERROR unauthenticated": the server requires a login first (-Y) */
};
enum refusal reply_refusal(struct slice line);

struct reply_line {
    enum reply_kind kind;
    struct slice key, value; /* point into the input */
    enum refusal refusal;    /* set for REPLY_REFUSED */
    size_t len;              /* set for REPLY_LONG: bytes to skip, or 0 if a newline ends them */
};

struct reply_pair {
    struct slice key, value; /* point into the input */
};

/*
 * Takes a complete line "STAT key value" of REPLY_PAIRS off `input`. Nearly every line is one, so this does
 * not try the other words. Returns false, takes nothing and sets nothing for any other line; reply_next tells
 * what it is.
 */
bool reply_take_pair(struct slice *input, struct reply_pair *pair);

/*
 * Takes the value and the end of a line off `input`. The line's beginning, up to its value, is already taken
 * and had `head` bytes. Returns false and takes nothing if the line is not complete or is too long.
 */
bool reply_take_value(struct slice *input, size_t head, struct slice *value);

/*
 * Takes one line off `input`. Takes nothing for REPLY_MORE, REPLY_LONG and REPLY_MALFORMED. The key is empty
 * only in REPLY_PREFIXES. There, a line of less than eight words is all key.
 */
struct reply_line reply_next(struct slice *input, enum reply_form form);

/*
 * Skips the rest of a line and its newline. Returns false and takes the whole input if the newline is
 * missing. Ignores `left`, since the text protocol does not send lengths.
 */
bool reply_skip(struct slice *input, size_t *left);

#endif
