/*
 * The two protocols of memcached, each as a table of operations on bytes. A session knows no other difference
 * between them.
 *
 * The text protocol is what every server speaks, unless it was started with -S (SASL) or -B binary: these
 * speak the binary protocol alone (memcached's doc/protocol-binary.txt). Pure and stateless.
 */
#ifndef MEMCACHED_PROTOCOL_H
#define MEMCACHED_PROTOCOL_H

#include "base/buffer.h"
#include "base/slice.h"
#include "memcached/reply.h"
#include "memcached/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* What a server says to a login. */
enum login_answer {
    LOGIN_MORE,       /* it is not whole yet; nothing was taken */
    LOGIN_DONE,       /* the server has let us in, or wants no login */
    LOGIN_REFUSED,    /* user name or password are wrong */
    LOGIN_UNKNOWN,    /* the server takes no login of this kind */
    LOGIN_OVERLOADED, /* the server has too many connections */
    LOGIN_NONSENSE,   /* bytes that no memcached answers a login with; nothing was taken */
};

struct protocol {
    unsigned commands; /* set of commands that can be asked */

    /* Writes the request for one command, at most PROTOCOL_REQUEST_MAX bytes; returns its length. */
    size_t (*request)(enum command command, char *request);

    /* Appends a login. It has room before it is written, so that no copy of the password is left behind. */
    void (*append_login)(struct buffer *request, const char *username, const char *password);

    /* Takes the answer to a login off `input`. `said` is what the server said of it, or its first bytes. */
    enum login_answer (*take_login)(struct slice *input, struct slice *said);

    bool is_planned; /* its replies are lines that memcached/reply_plan knows */

    /* See reply_take_pair, reply_next and reply_skip, which are the text protocol's. */
    bool (*take_pair)(struct slice *input, struct reply_pair *pair);
    struct reply_line (*next)(struct slice *input, enum reply_form form);
    bool (*skip)(struct slice *input, size_t *left);
};

extern const struct protocol protocol_text, protocol_binary;

#define PROTOCOL_REQUEST_MAX 64

/* Room for all requests together. */
#define PROTOCOL_REQUESTS_MAX 384

/* Which of them a server is spoken to in, as the operator says. */
enum protocol_choice {
    PROTOCOL_AUTO, /* text; a server that ends the connection over a text login is tried in binary */
    PROTOCOL_TEXT,
    PROTOCOL_BINARY,
};

#define PROTOCOL_CHOICES "auto, text or binary"

/* False for other words. */
bool protocol_choice_parse(struct slice word, enum protocol_choice *choice);

#endif
