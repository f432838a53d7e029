/*
 * Finds the DNS records of a name as libc does: asks /etc/hosts and the name servers in the order of
 * /etc/nsswitch.conf, with the search domains of resolv.conf. Has no cache and no limit on concurrent
 * queries; callers add these.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct dns;
struct dns_query;
struct dns_request;

enum dns_type {
    DNS_ADDRESSES, /* A and AAAA, in the order in which to try them; one family suffices */
    DNS_A,         /* in any order; DNS_A and DNS_AAAA also use /etc/hosts */
    DNS_AAAA,
    DNS_SRV,
};

/*
 * Host and port of a service (RFC 2782). Priority and weight are left out, because they help to choose one
 * server and callers want all servers.
 */
struct dns_service {
    /* Without a final dot. Copied from the record unchecked, so it may not be a valid host name. */
    char host[ADDRESS_HOST_MAX + 1];
    uint16_t port;
};

/* The answer to a query: records or an error. */
struct dns_answer {
    const union endpoint *endpoints;    /* for addresses; port is 0 */
    const struct dns_service *services; /* for DNS_SRV */
    size_t count;
    const char *error; /* constant text for people; NULL if there are records */
    bool partial;      /* DNS_ADDRESSES only: the other family has not answered yet; another answer follows */
    bool incomplete;   /* records may be missing, because one of the queries failed or is not answered yet */
    bool absent;       /* the servers have said that the name or the record does not exist */
    bool no_service;   /* `absent`, because the domain states that it does not offer the service (SRV ".") */
    bool aborted;      /* dns_refresh or dns_close ended the query, so there is no result */
    uint64_t ttl_ms;   /* validity of the answer or failure, at most 1 h; 0 if the records say 0 */
};

/*
 * Receives an answer, which is valid only during the call. May run inside dns_ask, dns_refresh and dns_close.
 * Of the functions of dns, the callback may only call dns_cancel. After the final answer, `query` is not used
 * any more.
 */
typedef void (*dns_answer_fn)(struct dns_query *query, const struct dns_answer *answer);

/* A query. Embedded in the caller, which must keep it until the final answer or dns_cancel. */
struct dns_query {
    struct dns_request *request; /* NULL if no query is under way */
    dns_answer_fn on_answer;
};

typedef void (*dns_close_fn)(void *context);

/*
 * Creates a resolver. `servers` is NULL for the system's configuration, the path of another file in the
 * format of resolv.conf, or a list "127.0.0.1:5353,[::1]:53", which has no search domains. Returns 0 or a
 * negative libuv code.
 */
int dns_new(struct dns **dns, uv_loop_t *loop, const char *servers);

/*
 * Asks for the records of a name. on_answer runs exactly once with the final answer. For DNS_ADDRESSES,
 * on_answer may run once before that with a partial answer: when one family has answered and the other has
 * not answered within the next 50 ms (RFC 8305, 3).
 */
void dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type,
             dns_answer_fn on_answer);

/*
 * Cancels a query; on_answer will not run. `query` must have been passed to dns_ask before. Does nothing if
 * the query has been answered.
 */
void dns_cancel(struct dns_query *query);

/* Reads resolv.conf again if it has changed. Then aborts the queries to the old servers. */
void dns_refresh(struct dns *dns);

/* Aborts all queries and frees `dns`. on_close runs once, from the loop. */
void dns_close(struct dns *dns, dns_close_fn on_close, void *context);

#endif
