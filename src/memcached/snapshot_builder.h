/*
 * Collects the reply lines of one poll as they arrive, and keeps those that can become samples. Pure.
 *
 * Lines are kept in the order of arrival. At the end, snapshot_order_sort brings them into the order of the
 * stats table, and snapshot_finish packs them into a snapshot.
 */
#ifndef MEMCACHED_SNAPSHOT_BUILDER_H
#define MEMCACHED_SNAPSHOT_BUILDER_H

#include "base/buffer.h"
#include "base/slice.h"
#include "memcached/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Limits for one server in one poll: series of stats, and bytes of names and values. At most half of the
 * series may be stats that the table does not know.
 */
#define SNAPSHOT_SERIES_MAX 20000
#define SNAPSHOT_TEXT_MAX   (1024 * 1024)

/* Longest value of an unknown stat that becomes a label, in bytes. */
#define UNMAPPED_TEXT_MAX 256

/* A STAT line. It begins as the record that it becomes, see struct record_head. */
struct snapshot_builder_entry {
    uint16_t row; /* row of the stats table, or STAT_UNMAPPED */
    uint16_t value_len;
    uint32_t number; /* slab class or page, else 0 */
    uint32_t text;   /* offset of the key, followed by the value, in the builder's text */
    /* unmapped: length of the whole key. SCOPE_NAME: length of the name, made valid UTF-8. Else 0 */
    uint16_t key_len;
    uint8_t command; /* enum command */
    bool is_plain;   /* see stats_traits */
};

/* Remarks about a poll that are worth a line in the log. Only the one with the greatest kind is logged. */
enum remark_kind {
    REMARK_NONE,
    REMARK_REPEATED,   /* a stat was given twice */
    REMARK_UNREADABLE, /* the value of a known stat could not be read */
};

/*
 * The first remark of its kind in a poll. The key is as sent, but cut to fit. For a repeated stat it has no
 * slab class or page; for `stats conns` it has no connection number. The bytes after the key are zero, so
 * that remarks can be compared with memcmp.
 */
struct snapshot_remark {
    uint8_t kind;    /* enum remark_kind */
    uint8_t command; /* enum command */
    char key[46];    /* NUL-terminated */
};

struct snapshot_builder {
    struct buffer text; /* SLICE_BLOCK more bytes are allocated, unless a sum of values was appended last */
    struct snapshot_builder_entry *entries; /* owned */
    size_t count, size;
    size_t max_reply;                   /* most bytes that the server may send */
    size_t unmapped;                    /* entries of stats that the table does not know */
    size_t sorted;                      /* entries that had to be compared for sorting */
    unsigned cut;                       /* lines beyond these limits, which were not kept */
    unsigned parse_errors;              /* values that could not be read, each without a sample */
    struct snapshot_builder_entry last; /* stat of the line that was added last, without its text */
    struct snapshot_remark remark;
};

/*
 * Initialises. The server may send `max_reply` bytes, so the kept lines take no more than that, and no more
 * than the limits above. Allocates nothing.
 */
void snapshot_builder_init(struct snapshot_builder *builder, size_t max_reply);

void snapshot_builder_deinit(struct snapshot_builder *builder);

/*
 * Keeps one line if it can become a sample. Its key must be known and its value have the row's form. Or the
 * key is unknown and the value is a number, a switch (yes, no, on, off) or a text.
 *
 * Counts in parse_errors a known key whose value does not parse, and adds a remark. Drops an unknown key
 * without a value. Counts in `cut` what exceeds the limits. Returns false if out of memory.
 */
bool snapshot_builder_add(struct snapshot_builder *builder, enum command command, struct slice key,
                          struct slice value);

/*
 * Adds a line like snapshot_builder_add, for a key that was already looked up. `stat` is the result of the
 * look-up and has no name.
 */
bool snapshot_builder_add_value(struct snapshot_builder *builder, const struct snapshot_builder_entry *stat,
                                struct slice key, struct slice value);

/* Removes all lines of a command. */
void snapshot_builder_drop(struct snapshot_builder *builder, enum command command);

/* Copies `original` into `copy`, which must be initialised and empty. Returns false if out of memory. */
bool snapshot_builder_copy(struct snapshot_builder *copy, const struct snapshot_builder *original);

/* Adds a remark, unless there already is one of the same or a greater kind. Cuts a key that is too long. */
void snapshot_builder_remark(struct snapshot_builder *builder, enum remark_kind kind, unsigned command,
                             struct slice key);

/* Counts a value that cannot be read, and adds a remark with its key. */
void snapshot_builder_reject(struct snapshot_builder *builder, enum command command, struct slice key);

/* Returns how many more entries fit into the allocated memory, if each has at most `text` bytes. */
static inline size_t snapshot_builder_room(const struct snapshot_builder *builder, size_t text)
{
    size_t most = builder->max_reply < SNAPSHOT_TEXT_MAX ? builder->max_reply : SNAPSHOT_TEXT_MAX;
    size_t end = builder->text.size < most ? builder->text.size : most;
    size_t taken = builder->text.len + SLICE_BLOCK;
    size_t texts = taken < end ? (end - taken) / text : 0;
    size_t entries = builder->size - builder->count;
    return entries < texts ? entries : texts;
}

static inline struct slice snapshot_builder_key(const struct snapshot_builder *builder,
                                                const struct snapshot_builder_entry *entry)
{
    return (struct slice){builder->text.data + entry->text, entry->key_len};
}

static inline struct slice snapshot_builder_value(const struct snapshot_builder *builder,
                                                  const struct snapshot_builder_entry *entry)
{
    return (struct slice){builder->text.data + entry->text + entry->key_len, entry->value_len};
}

#endif
