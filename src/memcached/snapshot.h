/*
 * What one target said in one poll, kept as it said it: digits, not doubles. Pure.
 *
 * A poll fills it, line by line; once finished it is immutable and shared by every scrape that waited for it.
 * The entries are then sorted by table row and number or name, so that a walk over the families in the
 * table's order is one pass over them. Three commands say more than can be kept line by line, and become
 * counts as they are read: sizes, conns and detail.
 */
#ifndef MEMCACHED_SNAPSHOT_H
#define MEMCACHED_SNAPSHOT_H

#include "base/buffer.h"
#include "base/slice.h"
#include "memcached/connections.h"
#include "memcached/prefixes.h"
#include "memcached/sizes.h"
#include "memcached/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum target_state {
    TARGET_UP,
    TARGET_REFUSED,        /* the connection was refused */
    TARGET_TIMEOUT,        /* no connection or no whole `stats` answer within the deadline */
    TARGET_UNRESOLVED,     /* the name has no address, or none was found in time */
    TARGET_UNREACHABLE,    /* no route, no socket file, any other failure to connect */
    TARGET_PROTOCOL_ERROR, /* what answered does not speak memcached, or stopped in the middle */
    TARGET_AUTH_FAILED,    /* the server wants a login */
    TARGET_TLS_ERROR,
    TARGET_FORBIDDEN,
    TARGET_OVERLOADED, /* the server is at its connection limit */
    TARGET_STATE_COUNT,
};

/* "up", "refused", ...: the values of memcached_target_state. */
const char *target_state_name(enum target_state state);

/* One STAT line. */
struct stat_entry {
    uint32_t text;    /* offset into the snapshot's text; the key, then the value */
    uint32_t number;  /* slab class or page, else 0 */
    uint16_t row;     /* of the stats table, or STAT_UNMAPPED */
    uint16_t key_len; /* unmapped: the whole key. SCOPE_NAME: the name, made valid UTF-8. Else 0 */
    uint16_t value_len;
    uint8_t command; /* enum command */
};

struct snapshot {
    unsigned references;
    enum target_state state;
    char error[128];       /* why it is not up, for people; "" when it is */
    uint64_t duration_ns;  /* from the start of the poll to its end */
    unsigned asked;        /* set of commands; grows when the answers allow to ask more */
    unsigned answered;     /* set of commands whose reply arrived whole and was not a refusal */
    unsigned parse_errors; /* values that could not be read; each costs its sample */
    bool reused;           /* the connection was kept from an earlier poll */
    bool finished;
    struct buffer text;
    struct stat_entry *stats; /* owned */
    size_t count, size;
    struct sizes sizes;              /* of `stats sizes`; empty unless it answered */
    struct connections *connections; /* of `stats conns`; owned; NULL unless it named any */
    struct prefixes prefixes;        /* of `stats detail dump`; empty unless it answered */
};

/*
 * NULL when out of memory; one reference. `text_cap` bounds the bytes kept, `max_prefixes` the key prefixes.
 * State is TARGET_TIMEOUT until it is set.
 */
struct snapshot *snapshot_new(unsigned asked, size_t text_cap, size_t max_prefixes);

struct snapshot *snapshot_hold(struct snapshot *snapshot);

/* NULL is taken. */
void snapshot_release(struct snapshot *snapshot);

/*
 * Keeps one line if it can become a sample: a known key whose value has its row's form, or an unknown key
 * with a number. A known key whose value does not parse is counted in parse_errors; an unknown one without a
 * number is dropped. Sizes, connections and prefixes are counted. False when out of memory or cap.
 */
bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value);

/* Forgets what a command said whose reply did not arrive whole. */
void snapshot_drop(struct snapshot *snapshot, enum command command);

/* Forgets what every command said that has not answered. */
void snapshot_drop_unanswered(struct snapshot *snapshot);

/* Up if the `stats` reply is whole; the state and the error are for one that is not. */
void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error);

/*
 * Sorts. Numbers of the same name are added up; of another stat given twice the first stays and the others
 * count as parse errors. Nothing may be added afterwards.
 */
void snapshot_finish(struct snapshot *snapshot);

/*
 * A finished copy of an unfinished snapshot, for the one whose deadline is over while others wait on: the
 * replies that are not whole are dropped. NULL when out of memory.
 */
struct snapshot *snapshot_copy(const struct snapshot *snapshot);

/* Of a finished one: the first entry of the row, or of a later row if it has none; `count` when there is
 * none. */
size_t snapshot_seek(const struct snapshot *snapshot, uint16_t row);

/* The entry of that row and number (of a SCOPE_NAME row the first one by name), or NULL. */
const struct stat_entry *snapshot_find(const struct snapshot *snapshot, uint16_t row, uint32_t number);

struct slice stat_key(const struct snapshot *snapshot, const struct stat_entry *stat);
struct slice stat_value(const struct snapshot *snapshot, const struct stat_entry *stat);

/*
 * Appends the number of the sample that this entry becomes (not for FORM_TEXT: there it is 1): digits exactly
 * as sent, or converted without passing through a double, or with the `minus` stats taken off.
 */
void stat_append_number(const struct snapshot *snapshot, const struct stat_entry *stat, struct buffer *out);

#endif
