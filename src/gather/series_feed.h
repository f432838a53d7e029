/*
 * The messages of remote write that expositions become, with the labels that a scrape would add: job,
 * instance, and those of the configuration. Remembers the series of the last exposition, see
 * metrics/remote_write.h.
 */
#ifndef GATHER_SERIES_FEED_H
#define GATHER_SERIES_FEED_H

#include "base/producer.h"
#include "metrics/remote_write.h"
#include "outputs/push_config.h"

#include <stdint.h>

/* More than the name of a machine needs. */
#define SERIES_FEED_HOST_MAX 256

struct series_feed {
    struct remote_write write;
    struct remote_write_label *labels; /* owned array */
    char host[SERIES_FEED_HOST_MAX];   /* the label instance, unless the configuration has it */
};

/* Borrows the config. Returns 0 or UV_ENOMEM; series_feed_deinit may be called in either case. */
int series_feed_init(struct series_feed *feed, const struct push_config *config);
void series_feed_deinit(struct series_feed *feed);

/*
 * Makes a producer whose fills append one message each, or nothing. Takes ownership of `text`, which
 * produces text format 0.0.4. There may be one such producer at a time. Returns NULL, and releases `text`,
 * when out of memory.
 */
struct producer *series_feed_convert(struct series_feed *feed, struct producer *text, int64_t timestamp_ms);

#endif
