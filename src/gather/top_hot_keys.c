#include "gather/top_hot_keys.h"

#include "base/readable.h"
#include "base/utf8.h"

#include <inttypes.h>

/* Lines that are no keys: the first and the last one, and of each server its name and the titles. */
#define FRAME_LINES  2
#define SERVER_LINES 2

/* Keys of each server where there is no screen. */
#define PLAIN_KEYS 10

static void write_server(const struct top_view *view, const struct watched *watched, struct buffer *line,
                         struct buffer *out)
{
    const struct watch_report *report = &watched->record.report;
    buffer_clear(line);
    utf8_append_escaped(line, slice_of(watched->name));
    if (report->exists) {
        buffer_printf(line, "  %" PRIu64 " fetches of about %.0f keys in %.1f s", report->fetches,
                      report->distinct, (double) report->length_ms / 1000);
    }
    if (watched->result != WATCH_COMPLETE) {
        buffer_printf(line, "  %s%s", watch_result_name(watched->result), watched->why[0] ? ": " : "");
        utf8_append_escaped(line, slice_of(watched->why));
    } else if (!report->exists) {
        buffer_append_string(line, "  not seen yet");
    }
    top_append_line(out, view, "\x1b[1m", buffer_slice(line));
}

static const char *title_of(enum watch_keys keys)
{
    static const char *const titles[] = {
        [WATCH_KEYS_NONE] = "",
        [WATCH_KEYS_PREFIX] = "PREFIX",
        [WATCH_KEYS_HASH] = "HASH",
        [WATCH_KEYS_FULL] = "KEY",
    };
    return titles[keys];
}

/* Appends up to `most` keys with their share of all fetches, and by how much that may be too high. */
static void write_keys_of(const struct top_view *view, const struct watch *watch, const struct hot_list *list,
                          size_t most, struct buffer *line, struct buffer *out)
{
    buffer_clear(line);
    buffer_printf(line, "RANK   SHARE    FETCHES  TOO HIGH BY  %s", title_of(watch_config(watch)->keys));
    top_append_line(out, view, "\x1b[7m", buffer_slice(line));
    for (size_t n = 0; n < list->count && n < most; n++) {
        const struct hot_key *key = &list->items[n];
        buffer_clear(line);
        buffer_printf(line, "%4zu %6.2f %% %10" PRIu64 " %12" PRIu64 "  ", n + 1,
                      100 * (double) key->count / (double) list->total, key->count, key->error);
        utf8_append_escaped(line, key->text);
        top_append_line(out, view, "", buffer_slice(line));
    }
}

/* Returns how many keys of each server fit on the screen, at least one. */
static size_t fit_keys(const struct top_view *view, size_t servers)
{
    size_t room = view->rows > FRAME_LINES ? view->rows - FRAME_LINES : 0;
    if (!view->rows) return PLAIN_KEYS;
    if (servers == 0 || room / servers <= SERVER_LINES) return 1;
    return room / servers - SERVER_LINES;
}

void top_hot_keys_write(const struct top_view *view, const struct watch *watch, double now_s,
                        struct buffer *out)
{
    size_t servers = watch_count(watch), keys = fit_keys(view, servers);
    size_t used = FRAME_LINES;
    struct buffer line;
    buffer_init(&line, 64 * 1024);
    readable_time(&line, now_s);
    buffer_printf(&line, "  the hottest keys of %zu server%s", servers, servers == 1 ? "" : "s");
    top_append_line(out, view, "\x1b[1m", buffer_slice(&line));
    for (size_t n = 0; n < servers; n++) {
        const struct watched *watched = watch_server(watch, n);
        const struct hot_list *list = &watched->record.report.keys;
        used += (list->count ? 2 : 1) + (list->count < keys ? list->count : keys);
        if (view->rows && used > view->rows) break;
        write_server(view, watched, &line, out);
        if (list->count) write_keys_of(view, watch, list, keys, &line, out);
    }
    if (view->rows) {
        top_append_line(out, view, "\x1b[2m", SLICE("space: draw now  q: quit"));
        out->len--; /* the last line of a screen has no end */
    }
    if (line.failed) out->failed = true;
    buffer_deinit(&line);
}
