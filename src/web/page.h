/*
 * The page at "/": an overview of the fleet, from the results of the last polls. It asks no memcached.
 *
 * The page is one HTML document with style and script inside. The script only adds sorting and filtering. A
 * page lists at most PAGE_SERVERS servers and links to the pages with the others.
 */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "base/producer.h"
#include "cli/options.h"
#include "targets/generation.h"
#include "targets/reload.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SERVERS 1000

/* What the page shows. The page copies it, and takes a reference to the target set. */
struct page_request {
    struct target_set *target_set;
    const struct options *options;     /* active options; borrowed for the call */
    const struct reload_state *reload; /* state of the last reload; NULL without a configuration file */
    struct generation *generation; /* active one, for its sources of targets; the page holds a reference */
    bool with_modules;             /* true if groups have modules that a URL can name */
    bool ready;                    /* true if discovery has found its targets */
    size_t from;     /* index of a server in the target set; the page with this server is shown */
    uint64_t now_ms; /* time on the clock of struct history */
    double now_s;    /* Unix time */
};

/* Creates a producer of the page. Returns NULL when out of memory. */
struct producer *page_producer(const struct page_request *request);

#endif
