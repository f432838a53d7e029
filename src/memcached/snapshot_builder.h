/*
 * Collects the reply lines of one poll while they arrive, and keeps those that can become samples. Pure.
 *
 * Lines are kept in the order of arrival. At the end snapshot_order_sort puts them into the order of the
 * stats table, and they are packed into a snapshot.
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
 * What one server may add to an answer: so many series of its stats, of which half may be stats that the
 * table does not know, and so many bytes of names and values.
 */
#define SNAPSHOT_SERIES_MAX 20000
#define SNAPSHOT_TEXT_MAX   (1024 * 1024)

/* The longest value of an unknown stat that becomes a label. */
#define UNMAPPED_TEXT_MAX 256

/* One STAT line. */
struct snapshot_builder_entry {
    uint32_t text;    /* offset into the builder's text; the key, then the value */
    uint32_t number;  /* slab class or page, else 0 */
    uint16_t row;     /* of the stats table, or STAT_UNMAPPED */
    uint16_t key_len; /* unmapped: the whole key. SCOPE_NAME: the name, made valid UTF-8. Else 0 */
    uint16_t value_len;
    uint8_t command; /* enum command */
    bool is_plain;   /* see stats_traits */
};

/* What of a poll is worth a line of the log; the greater one is said. */
enum remark_kind {
    REMARK_NONE,
    REMARK_REPEATED,   /* a stat came twice */
    REMARK_UNREADABLE, /* the value of a known stat could not be read */
};

/*
 * The first of its kind in a poll. The key is as the server said it, cut at the end; that of a repeated stat
 * is without slab class or page, that of `stats conns` without the connection's number. The bytes behind the
 * key are zero, so that two remarks can be compared as bytes.
 */
struct snapshot_remark {
    uint8_t kind;    /* enum remark_kind */
    uint8_t command; /* enum command */
    char key[46];    /* NUL-terminated */
};

struct snapshot_builder {
    struct buffer text;
    struct snapshot_builder_entry *entries; /* owned */
    size_t count, size;
    size_t max_reply;                   /* bytes that the server may send */
    size_t unmapped;                    /* entries that the table does not know */
    size_t sorted;                      /* entries that had to be compared to be brought into order */
    unsigned cut;                       /* lines that were not kept, for these bounds */
    unsigned parse_errors;              /* values that could not be read; each costs its sample */
    struct snapshot_builder_entry last; /* the stat of the line that was added last, without its text */
    struct snapshot_remark remark;
};

/* `max_reply` is how much the server may send: what is kept takes no more, nor more than the bounds above.
 * Allocates nothing. */
void snapshot_builder_init(struct snapshot_builder *builder, size_t max_reply);

void snapshot_builder_deinit(struct snapshot_builder *builder);

/*
 * Keeps one line if it can become a sample: a known key whose value has its row's form, or an unknown key
 * with a number, a switch (yes, no, on, off) or a text. A known key whose value does not parse is counted in
 * parse_errors, and remarked; an unknown one without a value is dropped. What exceeds the bounds is counted
 * in `cut`. False when out of memory.
 */
bool snapshot_builder_add(struct snapshot_builder *builder, enum command command, struct slice key,
                          struct slice value);

/* The same for a key that has been found: `stat` is what it was found to be, and has no name. */
bool snapshot_builder_add_value(struct snapshot_builder *builder, const struct snapshot_builder_entry *stat,
                                struct slice key, struct slice value);

/* Forgets what a command said. */
void snapshot_builder_drop(struct snapshot_builder *builder, enum command command);

/* Into one that is initialised and empty. False when out of memory. */
bool snapshot_builder_copy(struct snapshot_builder *copy, const struct snapshot_builder *original);

/* Says something of a line, unless something greater was said before. The key is cut where it is too long. */
void snapshot_builder_remark(struct snapshot_builder *builder, enum remark_kind kind, unsigned command,
                             struct slice key);

/* Notes what is worth a line of the log, unless something greater or earlier is noted. */
void snapshot_builder_remark(struct snapshot_builder *builder, enum remark_kind kind, unsigned command,
                             struct slice key);

/* Counts a value that cannot be read, and remarks its key. */
void snapshot_builder_reject(struct snapshot_builder *builder, enum command command, struct slice key);

/* How many more entries of so many bytes of text, at most, have room in the memory that there is. */
static inline size_t snapshot_builder_room(const struct snapshot_builder *builder, size_t text)
{
    size_t most = builder->max_reply < SNAPSHOT_TEXT_MAX ? builder->max_reply : SNAPSHOT_TEXT_MAX;
    size_t end = builder->text.size < most ? builder->text.size : most;
    size_t texts = builder->text.len < end ? (end - builder->text.len) / text : 0;
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
