/*
 * Reads one line of memcached's log, as a watcher receives it. Pure.
 *
 *     ts=1.2 gid=3 type=item_get key=user%3A1 status=found clsid=1 cfd=30 size=100
 *
 * Facts: memcached's doc/protocol.txt, "Watchers", and logger.c. Keys are URI-encoded: letters, digits and
 * -._~ stand for themselves, every other byte is % and two hexadecimal digits. A line that breaks these rules
 * is malformed, whatever it contains.
 */
#ifndef WATCH_WATCH_EVENT_H
#define WATCH_WATCH_EVENT_H

#include "base/slice.h"
#include "watch/watch_config.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest key in bytes, and longest line without its end: larger than any that memcached writes. */
#define WATCH_KEY_MAX  250
#define WATCH_LINE_MAX 4096

enum watch_event_kind {
    WATCH_EVENT,     /* an event of a stream */
    WATCH_SKIPPED,   /* the server has left out events, because the reader was too slow */
    WATCH_UNKNOWN,   /* an event of another stream */
    WATCH_MALFORMED, /* not a line of the log */
};

/* Most statuses of a stream. */
#define WATCH_STATUSES_MAX 7

struct watch_event {
    enum watch_event_kind kind;
    enum watch_stream stream;
    unsigned status;  /* index of watch_status_name */
    size_t key_len;   /* 0 for requests to a proxy */
    bool has_size;    /* false if the server does not report sizes */
    uint64_t size;    /* bytes of the value */
    int64_t ttl_s;    /* time to live; -1: the item does not expire */
    uint64_t idle_s;  /* evictions: time since the last access */
    uint64_t skipped; /* WATCH_SKIPPED: number of events left out */
    uint64_t elapsed_us;
    struct slice backend; /* requests to a proxy: host:port of the backend; borrowed from the line */
    char key[WATCH_KEY_MAX];
};

/* Reads a line without its end into `event`. */
void watch_event_read(struct slice line, struct watch_event *event);

/* Returns the name of a status of that stream, or NULL if `status` is beyond the last one. */
const char *watch_status_name(enum watch_stream stream, unsigned status);

/* --- Parts, also for other lines of this form --- */

/* Takes the next `name=value` off the line. Returns false at the end, or if there is no "=". */
bool watch_take_pair(struct slice *line, struct slice *name, struct slice *value);

/*
 * Decodes a key into `key`, which has room for WATCH_KEY_MAX bytes. Returns its length, or 0 if the text is
 * empty, too long or not URI-encoded.
 */
size_t watch_decode_key(struct slice text, char *key);

#endif
