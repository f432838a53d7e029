/*
 * Parses resolv.conf(5) as glibc does: finds the name servers to ask and the names to ask for. Pure.
 *
 * Supports `nameserver` (IPv4 in any form of inet_aton; IPv6, also with a zone), `domain` and `search` (the
 * later line wins; "." means the name without a domain), and of `options`: ndots, rotate, use-vc and
 * no-tld-query. All other options, such as `timeout` and `attempts`, and all other keywords are ignored. A
 * malformed line is skipped. Unlike glibc, accepts blanks before a keyword, CR at the end of a line and
 * comments after a value.
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
    union endpoint servers[RESOLV_CONF_SERVERS_MAX]; /* port is 53; 127.0.0.1 if the file names no server */
    size_t server_count;
    char search[RESOLV_CONF_SEARCH_MAX][ADDRESS_HOST_MAX + 1]; /* without final dots; "" is the root domain */
    size_t search_count;
    unsigned ndots;
    bool rotate, use_tcp, no_tld_query;
};

/*
 * Inputs besides the file. Each is NULL if it is not set: the environment variables LOCALDOMAIN and
 * RES_OPTIONS, and the name of this host. The domain of that name is searched if no search list is set.
 */
struct resolv_conf_surroundings {
    const char *localdomain, *res_options, *host;
};

/* Parses the text of the file. For a missing file, pass an empty text. */
void resolv_conf_read(struct resolv_conf *conf, struct slice text,
                      const struct resolv_conf_surroundings *surroundings);

/* Sets no search domain and no server, for dns_new with a list of servers. */
void resolv_conf_init(struct resolv_conf *conf);

/*
 * Writes the full name to ask for in step `step` (0, 1, ...) of the search for `name`, without a final dot.
 * `candidate` has room for ADDRESS_HOST_MAX + 1 bytes. Returns false if there is no such step. A candidate
 * that would be too long for a name is "".
 */
bool resolv_conf_candidate(const struct resolv_conf *conf, const char *name, size_t step, char *candidate);

#endif
