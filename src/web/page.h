/*
 * The page at "/": the fleet at a glance, as the last polls saw it. No memcached is asked for it.
 *
 * The page is one HTML document with its style and its script inside. It works without the script, which adds
 * sorting and filtering. At most PAGE_SERVERS servers are on one page; links lead to the others.
 */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "base/producer.h"
#include "cli/options.h"
#include "targets/reload.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SERVERS 1000

/* What the page shows; copied, but for the target set, which is held. */
struct page_request {
    struct target_set *target_set;
    const struct options *options;     /* in force: paths; borrowed for the call */
    const struct reload_state *reload; /* NULL without a configuration file */
    bool ready;                        /* discovery has found its targets */
    size_t from;                       /* the first server, of the target set */
    uint64_t now_ms;                   /* on the clock of histories */
    double now_s;                      /* Unix time */
};

/* Makes the page. NULL when out of memory. */
struct producer *page_producer(const struct page_request *request);

#endif
