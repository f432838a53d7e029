/*
 * What one target said in one poll, kept as it said it: digits, not doubles. Pure.
 *
 * A poll fills it, line by line; once finished it is immutable and shared by every scrape that waited for it.
 * What was said is then packed, in the order of table row and number or name, so that a walk over the
 * families in the table's order is one pass over it. Three commands say more than can be kept line by line,
 * and become counts as they are read: sizes, conns and detail.
 */
#ifndef MEMCACHED_SNAPSHOT_H
#define MEMCACHED_SNAPSHOT_H

#include "base/buffer.h"
#include "base/memory_pool.h"
#include "base/slice.h"
#include "memcached/conn_stats.h"
#include "memcached/prefixes.h"
#include "memcached/sizes.h"
#include "memcached/snapshot_builder.h"
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

/* Longer than what is said of a target that is not up, with its NUL. */
#define TARGET_ERROR_MAX 256

/* "up", "refused", ...: the values of memcached_target_state. */
const char *target_state_name(enum target_state state);

/* One stat that becomes a sample, as it is read back. */
struct record {
    uint16_t row;         /* of the stats table, STAT_UNMAPPED or STAT_UNMAPPED_TEXT */
    bool superseded;      /* an earlier row says the same of the same thing: see stats_preferred */
    enum command command; /* of unmapped stats and SCOPE_NAME; else that of the row */
    uint32_t number;      /* slab class or page, else 0 */
    struct slice key;   /* unmapped: the whole key. SCOPE_NAME: the name. Both made valid UTF-8. Else empty */
    struct slice value; /* FORM_TEXT and unmapped texts: as sent. Else the sample's number, in digits */
};

struct snapshot {
    unsigned references;
    enum target_state state;
    char error[TARGET_ERROR_MAX]; /* why it is not up, for people; "" when it is */
    uint64_t duration_ns;         /* from the start of the poll to its end */
    unsigned asked;               /* set of commands; grows when the answers allow to ask more */
    unsigned answered;            /* set of commands whose reply arrived whole and was not a refusal */
    unsigned cut;                 /* lines that are beyond the bounds of one server. Of a finished one */
    unsigned parse_errors; /* values that could not be read; each costs its sample. Of a finished one */
    struct snapshot_remark remark; /* of a finished one */
    bool reused;                   /* the connection was kept from an earlier poll */
    bool finished;
    bool dropped;                    /* the pool had no memory left for it */
    struct memory_share memory;      /* its part of a pool, if it has joined one */
    struct snapshot_builder builder; /* until it is finished */
    char *records;                   /* of a finished one, packed, in the order of their rows; owned */
    size_t records_len;              /* bytes */
    size_t count;                    /* of records */
    struct sizes sizes;              /* of `stats sizes`; empty unless it answered */
    struct conn_stats *connections;  /* of `stats conns`; owned; NULL unless it named any */
    struct prefixes prefixes;        /* of `stats detail dump`; empty unless it answered */
};

/*
 * NULL when out of memory; one reference. `max_reply` and `max_prefixes` bound what is kept, see
 * snapshot_builder.h and prefixes.h.
 * State is TARGET_TIMEOUT until it is set.
 */
struct snapshot *snapshot_new(unsigned asked, size_t max_reply, size_t max_prefixes);

struct snapshot *snapshot_hold(struct snapshot *snapshot);

/* NULL is taken. */
void snapshot_release(struct snapshot *snapshot);

/* Counts in the pool from now on, until it is released; once finished, it is not dropped. NULL is taken. */
void snapshot_join(struct snapshot *snapshot, struct memory_pool *pool);

/*
 * Tells the pool how much it holds. False when it has been dropped, now or before: its contents are freed, and
 * its target is overloaded, whatever is said afterwards.
 */
bool snapshot_count_memory(struct snapshot *snapshot);

/* Keeps one line, as snapshot_builder_add does; sizes, connections and prefixes are counted. False when out of memory. */
bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value);

/* Forgets what a command said whose reply did not arrive whole. */
void snapshot_drop(struct snapshot *snapshot, enum command command);

/* Forgets what every command said that has not answered. */
void snapshot_drop_unanswered(struct snapshot *snapshot);

/* Up if the `stats` reply is whole; the state and the error are for one that is not. */
void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error);

/*
 * Sorts, see snapshot_order.h, and packs. Nothing may be added afterwards. Without memory for that, the target is
 * down for a protocol error that says so. Returns how many lines had to be compared, which takes time: of a
 * server that keeps to the order of memcached, none.
 */
size_t snapshot_finish(struct snapshot *snapshot);

/*
 * A finished copy of an unfinished snapshot, for the one whose deadline is over while others wait on: the
 * replies that are not whole are dropped. NULL when out of memory.
 */
struct snapshot *snapshot_copy(const struct snapshot *snapshot);

/* --- Reading a finished one --- */

/*
 * A record is packed as this head and its texts, key before value: a fleet's snapshots are walked once for
 * every family, and the fewer bytes they take, the more of them the processor's caches hold.
 */
struct record_head {
    uint16_t row; /* and the two flags */
    uint16_t value_len;
    uint32_t detail; /* the number; with RECORD_KEYED the length of the key, and the command above it */
};

#define RECORD_KEYED         0x8000
#define RECORD_SUPERSEDED    0x4000
#define RECORD_ROW(head_row) ((head_row) &0x3fff)
#define RECORD_COMMAND_SHIFT 16

static inline const char *snapshot_end(const struct snapshot *snapshot)
{
    return snapshot->records + snapshot->records_len;
}

/* The row of the record there, or one beyond all rows at the end. */
static inline uint16_t record_row(const char *at, const char *end)
{
    uint16_t row;
    if (at == end) return UINT16_MAX;
    memcpy(&row, at, sizeof(row));
    return RECORD_ROW(row);
}

/* Reads the record there; returns the place of the next one. */
static inline const char *record_read(const char *at, struct record *record)
{
    struct record_head head;
    memcpy(&head, at, sizeof(head));
    at += sizeof(head);
    record->row = RECORD_ROW(head.row);
    record->superseded = head.row & RECORD_SUPERSEDED;
    record->number = head.detail;
    record->key = (struct slice){at, 0};
    if (head.row & RECORD_KEYED) {
        record->number = 0;
        record->command = (enum command)(head.detail >> RECORD_COMMAND_SHIFT);
        record->key.len = head.detail & 0xffff;
        at += record->key.len;
    }
    record->value = (struct slice){at, head.value_len};
    return at + head.value_len;
}

/* The place of the first record of the row, or of a later row if it has none. Takes as long as there are
 * records before it. */
const char *snapshot_seek(const struct snapshot *snapshot, uint16_t row);

#endif
