/*
 * What one target said in one poll, kept as sent: digits, not doubles. Pure.
 *
 * A poll fills the snapshot line by line. Once finished, the snapshot is immutable and shared by all scrapes
 * that waited for it. Finishing packs the lines in the order of table row and number or name. One pass over
 * the records then yields the families in the table's order. Three commands have too many lines to keep, so
 * their lines are counted as they are read: sizes, conns and detail.
 */
#ifndef MEMCACHED_SNAPSHOT_H
#define MEMCACHED_SNAPSHOT_H

#include "base/buffer.h"
#include "base/memory_pool.h"
#include "base/slice.h"
#include "memcached/conn_stats.h"
#include "memcached/prefixes.h"
#include "memcached/probe.h"
#include "memcached/sizes.h"
#include "memcached/slab_summary.h"
#include "memcached/snapshot_builder.h"
#include "memcached/stats.h"
#include "memcached/tail_ages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum target_state {
    TARGET_UP,
    TARGET_REFUSED,        /* the connection was refused */
    TARGET_TIMEOUT,        /* no connection or no whole `stats` answer within the deadline */
    TARGET_UNRESOLVED,     /* the name has no address, or none was found in time */
    TARGET_UNREACHABLE,    /* no route, no socket file, or any other failure to connect */
    TARGET_PROTOCOL_ERROR, /* the peer does not speak memcached, or stopped in the middle */
    TARGET_AUTH_FAILED,    /* the server requires a login */
    TARGET_TLS_ERROR,
    TARGET_FORBIDDEN,
    TARGET_OVERLOADED, /* the server is at its connection limit */
    TARGET_STATE_COUNT,
};

/* Parts of a poll whose times are measured. A part that a poll does not have takes no time. */
enum poll_part {
    PART_CONNECT, /* from the start of the dial to a connection; a dial waits for its turn before it starts */
    PART_TLS,     /* the TLS handshake */
    PART_LOGIN,   /* from the login to its answer */
    PART_FIRST_BYTE, /* from the first stats command to the first byte of its answer */
    POLL_PARTS,
};

/* Longest error message of a target that is not up, with its NUL. */
#define TARGET_ERROR_MAX 256

/* Returns "up", "refused" and so on: the values of memcached_target_state. */
const char *target_state_name(enum target_state state);

/* One stat that becomes a sample, as read back from a finished snapshot. */
struct record {
    uint16_t row;         /* row of the stats table, or STAT_UNMAPPED or STAT_UNMAPPED_TEXT */
    bool superseded;      /* an earlier row has the same sample: see stats_preferred */
    enum command command; /* set for unmapped stats and SCOPE_NAME; else see the row */
    uint32_t number;      /* slab class or page, else 0 */
    struct slice key;   /* unmapped: the whole key. SCOPE_NAME: the name. Both made valid UTF-8. Else empty */
    struct slice value; /* FORM_TEXT and unmapped texts: as sent. Else the sample's number, in digits */
};

struct snapshot {
    unsigned references;
    enum target_state state;
    char error[TARGET_ERROR_MAX]; /* why the target is not up, for people; "" if it is up */
    uint64_t duration_ns;         /* from the start of the poll to its end */
    uint64_t part_ns[POLL_PARTS]; /* times of the parts, for the connection that answered; 0: no such part, or
                                     it did not end */
    unsigned asked;               /* set of commands; grows when the answers allow more commands */
    unsigned answered;            /* set of commands whose reply is complete and not a refusal */
    unsigned cut;                 /* lines beyond the limits for one server; set once finished */
    unsigned parse_errors; /* values that could not be read, each without a sample; set once finished */
    struct snapshot_remark remark; /* set once finished */
    uint32_t counters_since; /* time since which the counters count, in seconds since the unix epoch; 0: not
                                known; set once finished */
    bool reused;             /* the connection was kept from an earlier poll */
    bool finished;
    bool dropped;                    /* the pool was out of memory and has dropped the contents */
    struct memory_share memory;      /* the snapshot's share of a pool, if it has joined one */
    struct snapshot_builder builder; /* lines until the snapshot is finished */
    char *records;                   /* packed records in the order of their rows, once finished; owned; see
                                        snapshot_begin */
    size_t records_len;              /* bytes of all records */
    size_t count;                    /* number of records */
    struct probe_result probe;       /* zeros unless a probe was asked for */
    struct slab_summary slabs;       /* of `stats items` and `stats slabs`; zeros unless both have answered */
    struct tail_ages ages;           /* counts of the stats items:N:age, once finished */
    struct sizes sizes;              /* buckets of `stats sizes`; empty without an answer */
    struct conn_stats *connections;  /* counts of `stats conns`; owned; NULL if it listed none */
    struct prefixes prefixes;        /* counts of `stats detail dump`; empty without an answer */
};

/*
 * Creates a snapshot with one reference and the state TARGET_TIMEOUT. Returns NULL if out of memory.
 * `max_reply` and `max_prefixes` limit what is kept, see snapshot_builder.h and prefixes.h.
 */
struct snapshot *snapshot_new(unsigned asked, size_t max_reply, size_t max_prefixes);

struct snapshot *snapshot_hold(struct snapshot *snapshot);

/* NULL is allowed. */
void snapshot_release(struct snapshot *snapshot);

/*
 * Counts the snapshot's memory in the pool until it is released. The pool may drop the contents of an
 * unfinished snapshot. `pool` may be NULL.
 */
void snapshot_join(struct snapshot *snapshot, struct memory_pool *pool);

/*
 * Tells the pool how much memory the snapshot takes. Returns false if the pool has dropped the snapshot, now
 * or before. Its contents are freed then, and its target is overloaded, whatever snapshot_judge is told.
 */
bool snapshot_count_memory(struct snapshot *snapshot);

/*
 * Keeps one line, see snapshot_builder_add. Lines of sizes, connections and prefixes are counted instead.
 * Returns false if out of memory.
 */
bool snapshot_add(struct snapshot *snapshot, enum command command, struct slice key, struct slice value);

/* Removes the lines of a command whose reply is not complete. */
void snapshot_drop(struct snapshot *snapshot, enum command command);

/* Removes the lines of every command that has not answered. */
void snapshot_drop_unanswered(struct snapshot *snapshot);

/* Sets the state: up if the `stats` reply is complete, else `state` and `error`. */
void snapshot_judge(struct snapshot *snapshot, enum target_state state, const char *error);

/*
 * Sorts the lines, see snapshot_order.h, and packs them. Nothing may be added afterwards. If out of memory,
 * the target is down with a protocol error that says so. Returns how many lines had to be compared, since
 * comparing takes time. The number is 0 if the server sends its lines in memcached's order.
 */
size_t snapshot_finish(struct snapshot *snapshot);

/*
 * Returns a finished copy of an unfinished snapshot, or NULL if out of memory. Replies that are not complete
 * are left out. It is for a caller whose deadline is over while others still wait.
 */
struct snapshot *snapshot_copy(const struct snapshot *snapshot);

/* --- Reading a finished snapshot --- */

/*
 * Head of a packed record. The key and then the value follow. Scrapes of a fleet walk all its snapshots once
 * for every family. Small records let the CPU's caches hold more of them.
 */
struct record_head {
    uint16_t row; /* row and the two flags */
    uint16_t value_len;
    uint32_t detail; /* slab class or page; with RECORD_KEYED, the key's length and above it the command */
};

#define RECORD_KEYED         0x8000
#define RECORD_SUPERSEDED    0x4000
#define RECORD_FLAGS         (RECORD_KEYED | RECORD_SUPERSEDED)
#define RECORD_ROW(head_row) ((head_row) &0x3fff)
#define RECORD_COMMAND_SHIFT 16

/*
 * Behind the last record are this many readable bytes, so that values can be copied in blocks. The first of
 * them are a row above all others.
 */
#define RECORD_SPARE SLICE_BLOCK
#define RECORD_NONE  0x3fff

/* Returns the place of the first record, or of the bytes behind the last one if there is none. */
const char *snapshot_begin(const struct snapshot *snapshot);

static inline const char *snapshot_end(const struct snapshot *snapshot)
{
    return snapshot_begin(snapshot) + snapshot->records_len;
}

/* Returns the row of the record at `at`, which is RECORD_NONE at the end. */
static inline uint16_t record_row(const char *at)
{
    uint16_t row;
    memcpy(&row, at, sizeof(row));
    return RECORD_ROW(row);
}

static inline struct record_head record_head_at(const char *at)
{
    struct record_head head;
    memcpy(&head, at, sizeof(head));
    return head;
}

/* Reads the record at `at`. Returns the place of the next record. */
static inline const char *record_read(const char *at, struct record *record)
{
    const struct record_head head = record_head_at(at);
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

/*
 * Returns the place of the first record of the row, or of a later row if it has none. Takes time proportional
 * to the number of records before it.
 */
const char *snapshot_seek(const struct snapshot *snapshot, uint16_t row);

#endif
