#include "gather/series_feed.h"

#include "base/container.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* How many bytes of text a fill converts, and the most that may wait, which is a line at the most. */
#define PIECE     (32 * 1024)
#define PIECE_CAP (4 * 1024 * 1024)

/* A message of 2000 series with long labels. */
#define MESSAGE_CAP (32 * 1024 * 1024)

struct conversion {
    struct producer producer;
    struct series_feed *feed; /* borrowed */
    struct producer *text;    /* owned */
    bool ended;               /* `text` has no more bytes */
    struct buffer lines;      /* bytes of `text`; those before `taken` are converted */
    size_t taken;
    struct buffer message;
};

/* Moves the rest to the front and gets more text. */
static void refill_lines(struct conversion *conversion)
{
    struct buffer *lines = &conversion->lines;
    size_t rest = lines->len - conversion->taken;
    if (rest) memmove(lines->data, lines->data + conversion->taken, rest);
    lines->len = rest;
    conversion->taken = 0;
    conversion->ended = !conversion->text->fill(conversion->text, lines, PIECE);
}

static bool has_line(const struct conversion *conversion)
{
    const struct buffer *lines = &conversion->lines;
    size_t rest = lines->len - conversion->taken;
    return rest && memchr(lines->data + conversion->taken, '\n', rest);
}

static void flush_message(struct conversion *conversion, struct buffer *out)
{
    buffer_append_slice(out, buffer_slice(&conversion->message));
    buffer_clear(&conversion->message);
}

static bool fill_message(struct producer *producer, struct buffer *out, size_t want)
{
    struct conversion *conversion = container_of(producer, struct conversion, producer);
    struct remote_write *write = &conversion->feed->write;
    (void) want;
    if (!conversion->ended && !has_line(conversion)) refill_lines(conversion);
    struct slice rest = slice_from(buffer_slice(&conversion->lines), conversion->taken);
    bool full = remote_write_take(write, &rest, &conversion->message);
    conversion->taken = conversion->lines.len - rest.len;
    bool more = full || !conversion->ended;
    if (!more) {
        full = remote_write_end(write, &conversion->message);
        more = full;
    }
    if (conversion->lines.failed || conversion->message.failed) out->failed = true;
    if (full || !more) flush_message(conversion, out);
    return more;
}

static void release_conversion(struct producer *producer)
{
    struct conversion *conversion = container_of(producer, struct conversion, producer);
    conversion->text->release(conversion->text);
    buffer_deinit(&conversion->lines);
    buffer_deinit(&conversion->message);
    free(conversion);
}

struct producer *series_feed_convert(struct series_feed *feed, struct producer *text, int64_t timestamp_ms)
{
    struct conversion *conversion = calloc(1, sizeof(*conversion));
    if (!conversion) {
        text->release(text);
        return NULL;
    }
    conversion->producer = (struct producer){fill_message, release_conversion};
    conversion->feed = feed;
    conversion->text = text;
    buffer_init(&conversion->lines, PIECE_CAP);
    buffer_init(&conversion->message, MESSAGE_CAP);
    remote_write_begin(&feed->write, timestamp_ms);
    return &conversion->producer;
}

/* --- Life --- */

static bool has_instance(const struct push_labels *labels)
{
    for (size_t n = 0; n < labels->count; n++) {
        if (strcmp(labels->items[n].name, "instance") == 0) return true;
    }
    return false;
}

int series_feed_init(struct series_feed *feed, const struct push_config *config)
{
    size_t count = 0, size = sizeof(feed->host);
    *feed = (struct series_feed){0};
    feed->labels = calloc(config->grouping.count + 2, sizeof(feed->labels[0]));
    remote_write_init(&feed->write, feed->labels, 0);
    if (!feed->labels) return UV_ENOMEM;
    feed->labels[count++] = (struct remote_write_label){"job", config->job};
    for (size_t n = 0; n < config->grouping.count; n++) {
        const struct push_label *label = &config->grouping.items[n];
        feed->labels[count++] = (struct remote_write_label){label->name, label->value};
    }
    if (!has_instance(&config->grouping) && uv_os_gethostname(feed->host, &size) == 0)
        feed->labels[count++] = (struct remote_write_label){"instance", feed->host};
    feed->write.label_count = count;
    return 0;
}

void series_feed_deinit(struct series_feed *feed)
{
    remote_write_deinit(&feed->write);
    free(feed->labels);
    feed->labels = NULL;
}
