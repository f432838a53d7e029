/*
 * What the last windows saw of each server: the page /hotkeys, and the same as JSON with
 * /hotkeys?format=json. This is the only place where keys appear, as far as the setting `keys` of `watch`
 * allows. The page asks no memcached.
 *
 *     {"shows":"prefix","servers":[{"target":"cache-1:11211","ended":1700000000.5,"window_seconds":2,
 *       "result":"complete","fetches":120,"distinct_keys":45,
 *       "keys":[{"rank":1,"prefix":"user","count":60,"error":0,"ratio":0.5}],"bytes":[],"prefixes":[]}]}
 *
 * `count` is at most `error` too high. A server that was not watched yet has no `ended`.
 */
#ifndef WEB_HOTKEYS_H
#define WEB_HOTKEYS_H

#include "base/producer.h"
#include "watch/watch.h"

#include <stdbool.h>

struct hotkeys_request {
    const struct watch *watch;
    struct slice
        target; /* name or address of the only server to show; data NULL for all; borrowed for the call */
    bool json;
};

/* Returns true if there is such a server, or if the request is for all servers. */
bool hotkeys_has_target(const struct hotkeys_request *request);

/*
 * Creates a producer. It holds references to the servers until its release. Returns NULL when out of memory.
 */
struct producer *hotkeys_producer(const struct hotkeys_request *request);

#endif
