#include "web/hotkeys.h"

#include "base/container.h"
#include "base/number.h"
#include "base/readable.h"
#include "base/utf8.h"
#include "web/html.h"

#include <stdlib.h>

struct hotkeys {
    struct producer producer;
    struct watched **servers; /* owned array, with a reference to each */
    size_t count, next;       /* next: SIZE_MAX before the head is written */
    enum watch_keys shows;
    bool json;
};

static bool is_target(const struct watched *watched, struct slice target)
{
    return !target.data || slice_is(target, watched->name) || slice_is(target, watched->address);
}

bool hotkeys_has_target(const struct hotkeys_request *request)
{
    for (size_t n = 0; n < watch_count(request->watch); n++) {
        if (is_target(watch_server(request->watch, n), request->target)) return true;
    }
    return !request->target.data;
}

/* --- JSON --- */

static void append_json_string(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    utf8_append_escaped(out, text);
    buffer_append_char(out, '"');
}

static double ratio_of(const struct hot_list *list, const struct hot_key *key)
{
    return list->total ? (double) key->count / (double) list->total : 0;
}

static void append_json_list(struct buffer *out, const char *name, const struct hot_list *list,
                             const char *shown)
{
    buffer_printf(out, ",\"%s\":[", name);
    for (size_t n = 0; n < list->count; n++) {
        const struct hot_key *key = &list->items[n];
        buffer_printf(out, "%s{\"rank\":%zu", n ? "," : "", n + 1);
        if (shown) {
            buffer_printf(out, ",\"%s\":", shown);
            append_json_string(out, key->text);
        }
        buffer_append_string(out, ",\"count\":");
        buffer_append_u64(out, key->count);
        buffer_append_string(out, ",\"error\":");
        buffer_append_u64(out, key->error);
        buffer_append_string(out, ",\"ratio\":");
        number_append_double(out, ratio_of(list, key));
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

/* Returns the name of the member that shows a key, or NULL. */
static const char *shown_as(enum watch_keys shows)
{
    static const char *const names[] = {
        [WATCH_KEYS_NONE] = NULL,
        [WATCH_KEYS_PREFIX] = "prefix",
        [WATCH_KEYS_HASH] = "hash",
        [WATCH_KEYS_FULL] = "key",
    };
    return names[shows];
}

static void append_json_server(const struct hotkeys *hotkeys, const struct watched *watched,
                               struct buffer *out)
{
    const struct watch_report *report = &watched->record.report;
    const char *shown = shown_as(hotkeys->shows);
    buffer_append_string(out, "{\"target\":");
    append_json_string(out, slice_of(watched->name));
    buffer_append_string(out, ",\"result\":");
    append_json_string(out, slice_of(watch_result_name(watched->result)));
    if (report->exists) {
        buffer_append_string(out, ",\"ended\":");
        number_append_double(out, report->ended_s);
        buffer_append_string(out, ",\"window_seconds\":");
        number_append_double(out, (double) report->length_ms / 1000);
        buffer_append_string(out, ",\"fetches\":");
        buffer_append_u64(out, report->fetches);
        buffer_append_string(out, ",\"distinct_keys\":");
        buffer_append_u64(out, (uint64_t) (report->distinct + 0.5));
        append_json_list(out, "keys", &report->keys, shown);
        append_json_list(out, "bytes", &report->bytes, shown);
        append_json_list(out, "prefixes", &report->prefixes, "prefix");
    }
    buffer_append_char(out, '}');
}

/* --- The page --- */

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'\">\n"
    "<title>Hot keys</title>\n<style>\n"
    ":root { color-scheme: light dark; --back: #f6f7f9; --text: #1a2027; --link: #0b57a4; }\n"
    "@media (prefers-color-scheme: dark) { :root { --back: #12161b; --text: #e6eaef; --link: #86b7f5; } }\n"
    "body { margin: 1.25rem auto; max-width: 80rem; padding: 0 1.25rem; background: var(--back); "
    "color: var(--text); font: 15px/1.45 system-ui, sans-serif; }\n"
    "a { color: var(--link); }\n"
    ".lists { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }\n"
    "table { border-collapse: collapse; margin: 0.5rem 0 1rem; }\n"
    "caption { text-align: left; font-weight: 600; }\n"
    "th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; overflow-wrap: anywhere; }\n"
    "td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }\n"
    "</style>\n</head>\n<body>\n<main>\n<h1>Hot keys</h1>\n"
    "<p>What the last window in which each server was watched has seen. <a "
    "href=\"/hotkeys?format=json\">JSON</a> "
    "<a href=\"/\">All servers</a></p>\n";

static void append_table(struct buffer *out, const char *caption, const char *unit,
                         const struct hot_list *list, const char *shown)
{
    if (list->count == 0) return;
    buffer_printf(out,
                  "<table>\n<caption>%s</caption>\n<thead><tr><th scope=\"col\">Rank</th>%s%s%s<th "
                  "scope=\"col\">Share</th><th scope=\"col\">%s</th><th scope=\"col\">At most too "
                  "high by</th></tr></thead>\n<tbody>\n",
                  caption, shown ? "<th scope=\"col\">" : "", shown ? shown : "", shown ? "</th>" : "", unit);
    for (size_t n = 0; n < list->count; n++) {
        const struct hot_key *key = &list->items[n];
        buffer_printf(out, "<tr><td class=\"n\">%zu</td>", n + 1);
        if (shown) {
            buffer_append_string(out, "<td>");
            if (key->text.len)
                html_append(out, key->text);
            else
                buffer_append_string(out, "<i>no prefix</i>");
            buffer_append_string(out, "</td>");
        }
        buffer_printf(out, "<td class=\"n\">%.2f %%</td><td class=\"n\">", 100 * ratio_of(list, key));
        buffer_append_u64(out, key->count);
        buffer_append_string(out, "</td><td class=\"n\">");
        buffer_append_u64(out, key->error);
        buffer_append_string(out, "</td></tr>\n");
    }
    buffer_append_string(out, "</tbody>\n</table>\n");
}

static void append_server(const struct hotkeys *hotkeys, const struct watched *watched, struct buffer *out)
{
    static const char *const words[] = {
        [WATCH_KEYS_NONE] = NULL,
        [WATCH_KEYS_PREFIX] = "Prefix of the key",
        [WATCH_KEYS_HASH] = "Hash of the key",
        [WATCH_KEYS_FULL] = "Key",
    };
    const struct watch_report *report = &watched->record.report;
    buffer_append_string(out, "<section>\n<h2>");
    html_append(out, slice_of(watched->name));
    buffer_append_string(out, "</h2>\n<p>");
    if (!report->exists) {
        buffer_printf(out, "Nothing was seen yet%s%s.</p>\n</section>\n",
                      watched->result == WATCH_COMPLETE ? "" : "; the last window: ",
                      watched->result == WATCH_COMPLETE ? "" : watch_result_name(watched->result));
        return;
    }
    buffer_append_u64(out, report->fetches);
    buffer_printf(out, " fetches of about %.0f different keys in %.1f s, until ", report->distinct,
                  (double) report->length_ms / 1000);
    readable_time(out, report->ended_s);
    buffer_printf(out, "; the window was %s.</p>\n<div class=\"lists\">\n",
                  watch_result_name(watched->result));
    append_table(out, "By fetches", "Fetches", &report->keys, words[hotkeys->shows]);
    append_table(out, "By bytes", "Bytes", &report->bytes, words[hotkeys->shows]);
    append_table(out, "Prefixes", "Fetches", &report->prefixes, "Prefix");
    buffer_append_string(out, "</div>\n</section>\n");
}

/* --- Producing --- */

static void append_hotkeys_head(const struct hotkeys *hotkeys, struct buffer *out)
{
    if (hotkeys->json)
        buffer_printf(out, "{\"shows\":\"%s\",\"servers\":[", watch_keys_name(hotkeys->shows));
    else
        buffer_append_string(out, page_head);
}

static void append_next(struct hotkeys *hotkeys, struct buffer *out)
{
    const struct watched *watched = hotkeys->servers[hotkeys->next];
    if (hotkeys->json && hotkeys->next) buffer_append_char(out, ',');
    if (hotkeys->json)
        append_json_server(hotkeys, watched, out);
    else
        append_server(hotkeys, watched, out);
    hotkeys->next++;
}

static bool fill_hotkeys(struct producer *producer, struct buffer *out, size_t want)
{
    struct hotkeys *hotkeys = container_of(producer, struct hotkeys, producer);
    size_t start = out->len;
    if (hotkeys->next == SIZE_MAX) {
        append_hotkeys_head(hotkeys, out);
        hotkeys->next = 0;
        return true;
    }
    while (hotkeys->next < hotkeys->count && out->len - start < want && !out->failed)
        append_next(hotkeys, out);
    if (hotkeys->next < hotkeys->count) return true;
    buffer_append_string(out, hotkeys->json ? "]}\n" : "</main>\n</body>\n</html>\n");
    return false;
}

static void release_hotkeys(struct producer *producer)
{
    struct hotkeys *hotkeys = container_of(producer, struct hotkeys, producer);
    for (size_t n = 0; n < hotkeys->count; n++) watched_release(hotkeys->servers[n]);
    free(hotkeys->servers);
    free(hotkeys);
}

struct producer *hotkeys_producer(const struct hotkeys_request *request)
{
    size_t count = watch_count(request->watch);
    struct hotkeys *hotkeys = calloc(1, sizeof(*hotkeys));
    if (!hotkeys) return NULL;
    hotkeys->producer = (struct producer){fill_hotkeys, release_hotkeys};
    hotkeys->next = SIZE_MAX;
    hotkeys->shows = watch_config(request->watch)->keys;
    hotkeys->json = request->json;
    hotkeys->servers = calloc(count + 1, sizeof(struct watched *));
    if (!hotkeys->servers) {
        free(hotkeys);
        return NULL;
    }
    for (size_t n = 0; n < count; n++) {
        struct watched *watched = watch_server(request->watch, n);
        if (is_target(watched, request->target)) hotkeys->servers[hotkeys->count++] = watched_hold(watched);
    }
    return &hotkeys->producer;
}
