/*
 * resolv.conf(5), read as glibc reads it: which name servers to ask, and under which names. Pure.
 *
 * Understood are `nameserver` (IPv4 in any form of inet_aton; IPv6, also with a zone), `domain` and `search`
 * (the later one wins; "." stands for the name alone), and of `options`: ndots, rotate, use-vc and
 * no-tld-query. `timeout`, `attempts` and whatever else is written there change nothing. A line that is not
 * understood is passed over. Blanks before a keyword, CR at the end of a line and comments behind a value,
 * which glibc refuses or takes for a part of the value, are tolerated.
 */
#ifndef NET_RESOLV_CONF_H
#define NET_RESOLV_CONF_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>

#define RESOLV_CONF_SERVERS_MAX 8
#define RESOLV_CONF_SEARCH_MAX  16
#define RESOLV_CONF_NDOTS_MAX   15

struct resolv_conf {
    union endpoint servers[RESOLV_CONF_SERVERS_MAX]; /* with port 53; 127.0.0.1 if the file names none */
    size_t server_count;
    char search[RESOLV_CONF_SEARCH_MAX][ADDRESS_HOST_MAX + 1]; /* without final dots; "" is the root */
    size_t search_count;
    unsigned ndots;
    bool rotate, use_tcp, no_tld_query;
};

/*
 * What else decides, each NULL if it is not set: the environment's LOCALDOMAIN and RES_OPTIONS, and the name
 * of this host, whose domain is searched when nothing else is.
 */
struct resolv_conf_surroundings {
    const char *localdomain, *res_options, *host;
};

/* Reads the file's text; a missing file reads as an empty one. */
void resolv_conf_read(struct resolv_conf *conf, struct slice text,
                      const struct resolv_conf_surroundings *surroundings);

/* No search domain and no server: what dns_new makes of a list of servers. */
void resolv_conf_init(struct resolv_conf *conf);

/*
 * The full name to ask for in the given step (0, 1, ...) of the search for `name`, without a final dot:
 * `candidate` has room for ADDRESS_HOST_MAX + 1 bytes. False when there are no more steps. A candidate that
 * would be too long for a name is "".
 */
bool resolv_conf_candidate(const struct resolv_conf *conf, const char *name, size_t step, char *candidate);

#endif
