/*
 * The two protocols of memcached, each as a table of functions on bytes. Sessions see no other difference
 * between them.
 *
 * Every server speaks the text protocol unless it was started with -S (SASL) or -B binary. Those servers
 * speak only the binary protocol (memcached's doc/protocol-binary.txt). Pure and stateless.
 */
#ifndef MEMCACHED_PROTOCOL_H
#define MEMCACHED_PROTOCOL_H

#include "base/buffer.h"
#include "base/slice.h"
#include "memcached/reply.h"
#include "memcached/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* Answers of a server to a login. */
enum login_answer {
    LOGIN_MORE,       /* the answer is not complete yet; nothing was taken */
    LOGIN_DONE,       /* the server accepts the login, or requires none */
    LOGIN_REFUSED,    /* user name or password is wrong */
    LOGIN_UNKNOWN,    /* the server does not know this kind of login */
    LOGIN_OVERLOADED, /* the server has too many connections */
    LOGIN_NONSENSE,   /* bytes that no memcached sends after a login; nothing was taken */
};

struct protocol {
    unsigned commands; /* set of commands that can be asked */

    /* Writes the request for one command, at most PROTOCOL_REQUEST_MAX bytes; returns its length. */
    size_t (*request)(enum command command, char *request);

    /*
     * Appends a login. Reserves memory first, so that a growing buffer leaves no copy of the password behind.
     */
    void (*append_login)(struct buffer *request, const char *username, const char *password);

    /* Takes the answer to a login off `input`. Sets `said` to the server's message, or to its first bytes. */
    enum login_answer (*take_login)(struct slice *input, struct slice *said);

    bool is_planned; /* replies are lines that memcached/reply_plan can follow */

    /* See reply_take_pair, reply_next and reply_skip, which implement these for the text protocol. */
    bool (*take_pair)(struct slice *input, struct reply_pair *pair);
    struct reply_line (*next)(struct slice *input, enum reply_form form);
    bool (*skip)(struct slice *input, size_t *left);
};

extern const struct protocol protocol_text, protocol_binary;

#define PROTOCOL_REQUEST_MAX 64

/* Bytes of all requests together. */
#define PROTOCOL_REQUESTS_MAX 384

/* Protocol to use with a server, as configured. */
enum protocol_choice {
    PROTOCOL_AUTO, /* text; after a server has ended the connection over a text login, binary */
    PROTOCOL_TEXT,
    PROTOCOL_BINARY,
};

#define PROTOCOL_CHOICES "auto, text or binary"

/* Returns false for any other word. */
bool protocol_choice_parse(struct slice word, enum protocol_choice *choice);

#endif
