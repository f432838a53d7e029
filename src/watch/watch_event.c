#include "watch/watch_event.h"

#include "base/container.h"
#include "base/number.h"

/* The words of memcached. Evictions and requests to a proxy take theirs from `fetch` and `res`. */
static const char *const statuses[WATCH_STREAM_COUNT][WATCH_STATUSES_MAX] = {
    [WATCH_FETCHERS] = {"found", "not_found", "flushed", "expired"},
    [WATCH_MUTATIONS] = {"stored", "not_stored", "exists", "not_found", "too_large", "no_memory"},
    [WATCH_EVICTIONS] = {"no", "yes"},
    [WATCH_DELETIONS] = {"deleted"},
    [WATCH_PROXYREQS] = {"good", "ok", "any"},
};

/* What is shown instead of the words above, where those would say too little. */
static const char *const shown[WATCH_STREAM_COUNT][WATCH_STATUSES_MAX] = {
    [WATCH_EVICTIONS] = {"unfetched", "fetched"},
};

const char *watch_status_name(enum watch_stream stream, unsigned status)
{
    if (status >= WATCH_STATUSES_MAX) return NULL;
    return shown[stream][status] ? shown[stream][status] : statuses[stream][status];
}

static bool find_status(enum watch_stream stream, struct slice word, unsigned *status)
{
    for (unsigned n = 0; n < WATCH_STATUSES_MAX && statuses[stream][n]; n++) {
        *status = n;
        if (slice_is(word, statuses[stream][n])) return true;
    }
    return false;
}

/* --- Keys --- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t watch_decode_key(struct slice text, char *key)
{
    size_t len = 0;
    for (size_t n = 0; n < text.len; n++) {
        int high, low;
        if (len == WATCH_KEY_MAX) return 0;
        if (is_plain(text.data[n])) {
            key[len++] = text.data[n];
            continue;
        }
        if (text.data[n] != '%' || text.len - n < 3) return 0;
        high = hex_digit(text.data[n + 1]);
        low = hex_digit(text.data[n + 2]);
        if (high < 0 || low < 0) return 0;
        key[len++] = (char) (high << 4 | low);
        n += 2;
    }
    return len;
}

/* --- Fields --- */

bool watch_take_pair(struct slice *line, struct slice *name, struct slice *value)
{
    if (!line->len) return false;
    *value = slice_cut(line, ' ');
    *name = slice_cut(value, '=');
    return value->data != NULL;
}

static bool read_key(struct slice text, struct watch_event *event)
{
    event->key_len = watch_decode_key(text, event->key);
    return event->key_len > 0;
}

static bool read_size(struct slice text, struct watch_event *event)
{
    event->has_size = number_parse_u64(text, &event->size);
    return event->has_size;
}

/*
 * Stores report 0 for an item that does not expire, evictions -1. A store whose time is already over
 * reports a number below zero as one of 32 bits without a sign.
 */
static bool read_ttl(struct slice text, struct watch_event *event)
{
    if (!number_parse_i64(text, &event->ttl_s)) return false;
    if (event->stream != WATCH_MUTATIONS) return true;
    if (event->ttl_s == 0)
        event->ttl_s = -1;
    else if (event->ttl_s < 0 || event->ttl_s > INT32_MAX)
        event->ttl_s = 0;
    return true;
}

static bool read_idle(struct slice text, struct watch_event *event)
{
    return number_parse_u64(text, &event->idle_s);
}

static bool read_status(struct slice text, struct watch_event *event)
{
    return find_status(event->stream, text, &event->status);
}

static bool read_elapsed(struct slice text, struct watch_event *event)
{
    return number_parse_u64(text, &event->elapsed_us);
}

static bool read_backend(struct slice text, struct watch_event *event)
{
    event->backend = text;
    return true;
}

/* The fields of a line after its type. A required field appears exactly as often as memcached writes it. */
struct watch_field {
    const char *name;
    bool (*read)(struct slice text, struct watch_event *event);
    bool required;
};

static const struct watch_line {
    const char *type;
    enum watch_stream stream;
    struct watch_field fields[6];
} lines[] = {
    {"item_get",
     WATCH_FETCHERS,
     {{"key", read_key, true}, {"status", read_status, true}, {"size", read_size, false}}},
    {"item_store",
     WATCH_MUTATIONS,
     {{"key", read_key, true},
      {"status", read_status, true},
      {"ttl", read_ttl, true},
      {"size", read_size, false}}},
    {"eviction",
     WATCH_EVICTIONS,
     {{"key", read_key, true},
      {"fetch", read_status, true},
      {"ttl", read_ttl, true},
      {"la", read_idle, true},
      {"size", read_size, false}}},
    {"deleted", WATCH_DELETIONS, {{"key", read_key, true}, {"size", read_size, false}}},
    {"proxy_req",
     WATCH_PROXYREQS,
     {{"elapsed", read_elapsed, true}, {"res", read_status, false}, {"be", read_backend, true}}},
};

/*
 * Reads the fields. What follows `detail` is text of clients and of the proxy's configuration, which may look
 * like fields: it is not read.
 */
static bool read_fields(const struct watch_line *line, struct slice rest, struct watch_event *event)
{
    unsigned seen = 0;
    struct slice name, value;
    while (watch_take_pair(&rest, &name, &value) && !slice_is(name, "detail")) {
        const struct watch_field *field = line->fields;
        while (field->name && !slice_is(name, field->name)) field++;
        if (!field->name) continue;
        if (!field->read(value, event)) return false;
        seen |= 1u << (field - line->fields);
    }
    for (const struct watch_field *field = line->fields; field->name; field++) {
        if (field->required && !(seen & 1u << (field - line->fields))) return false;
    }
    return true;
}

/* Takes `name=` and its value off the line. Returns false if the next field has another name. */
static bool take_field(struct slice *line, const char *expected, struct slice *value)
{
    struct slice name;
    return watch_take_pair(line, &name, value) && slice_is(name, expected);
}

static enum watch_event_kind read_line(struct slice line, struct watch_event *event)
{
    struct slice value;
    if (slice_starts(line, "skipped="))
        return number_parse_u64(slice_from(line, 8), &event->skipped) ? WATCH_SKIPPED : WATCH_MALFORMED;
    if (!take_field(&line, "ts", &value) || !take_field(&line, "gid", &value) ||
        !take_field(&line, "type", &value))
        return WATCH_MALFORMED;
    for (size_t n = 0; n < ARRAY_LEN(lines); n++) {
        if (!slice_is(value, lines[n].type)) continue;
        event->stream = lines[n].stream;
        event->ttl_s = -1;
        return read_fields(&lines[n], line, event) ? WATCH_EVENT : WATCH_MALFORMED;
    }
    return WATCH_UNKNOWN;
}

void watch_event_read(struct slice line, struct watch_event *event)
{
    event->status = 0;
    event->key_len = 0;
    event->has_size = false;
    event->size = event->idle_s = event->skipped = event->elapsed_us = 0;
    event->backend = (struct slice){0};
    event->kind = read_line(line, event);
}
