/*
 * Bytes of the memcached ASCII protocol to the lines of a stats reply. Pure and stateless.
 *
 * A reply is lines `STAT key value\r\n` up to `END\r\n`, or one line of refusal that stands alone: ERROR,
 * CLIENT_ERROR text, SERVER_ERROR text (memcached's doc/protocol.txt, "Statistics" and "Error strings"). A
 * bare \n is taken for \r\n. Only `stats detail dump` says PREFIX instead of STAT.
 */
#ifndef MEMCACHED_REPLY_H
#define MEMCACHED_REPLY_H

#include "base/slice.h"

#include <stdbool.h>

/* No line of a stats reply of any version is longer (keys and values are cut at 128 bytes each); the value
 * of a longer one is not taken. */
#define REPLY_LINE_MAX 2048

/* Where the key of a line ends. */
enum reply_form {
    REPLY_PAIRS,    /* STAT key value: at the first blank; the value may hold blanks */
    REPLY_NAMES,    /* STAT key value: at the last blank; the key ends in a name that may hold blanks */
    REPLY_PREFIXES, /* PREFIX key get 1 hit 1 set 1 del 1: the value is the eight last words. The key is any
                       bytes, also none */
};

enum reply_kind {
    REPLY_MORE,      /* no whole line yet; nothing was taken */
    REPLY_STAT,      /* key and value; the value may be empty */
    REPLY_LONG,      /* a stat that is longer than REPLY_LINE_MAX, its key cut at the first blank: nothing was
                        taken, see reply_skip */
    REPLY_END,       /* the reply is whole */
    REPLY_REFUSED,   /* the reply is whole and is a refusal: value is the line */
    REPLY_MALFORMED, /* no stats reply: value is the line, or its first REPLY_LINE_MAX bytes */
};

/* How a session has to treat a refusal. */
enum refusal {
    REFUSAL_COMMAND,         /* this command is not served here */
    REFUSAL_OVERLOADED,      /* "ERROR Too many open connections": sent unasked, then the server closes */
    REFUSAL_UNAUTHENTICATED, /* "CLIENT_ERROR unauthenticated": the server wants a login first (-Y) */
};
enum refusal reply_refusal(struct slice line);

struct reply_line {
    enum reply_kind kind;
    struct slice key, value; /* point into the input */
    enum refusal refusal;    /* of REPLY_REFUSED */
    size_t len;              /* of REPLY_LONG: bytes to be skipped, 0 where they end with a newline */
};

struct reply_pair {
    struct slice key, value; /* point into the input */
};

/*
 * Takes a whole line "STAT key value" of REPLY_PAIRS off `input`, as nearly every line is, without trying one
 * word after the other. False, with nothing taken or set, for any other: reply_next tells what it is.
 */
bool reply_take_pair(struct slice *input, struct reply_pair *pair);

/*
 * The same for a line whose beginning, up to its value, is taken already and had `head` bytes: takes the
 * value and the end of the line. False, with nothing taken, when that is not there or the line is too long.
 */
bool reply_take_value(struct slice *input, size_t head, struct slice *value);

/*
 * Takes one line off `input`. On REPLY_MORE, REPLY_LONG and REPLY_MALFORMED the input is left as it was. The
 * key is never empty but in REPLY_PREFIXES, where a line of less than eight words is all key.
 */
struct reply_line reply_next(struct slice *input, enum reply_form form);

/* Takes the rest of a line, with its newline, off `input`; false, with all taken, when its end is not there.
 * A line counts no bytes: `left` stays as it is. */
bool reply_skip(struct slice *input, size_t *left);

#endif
