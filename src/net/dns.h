/*
 * Names to records, as libc finds them: /etc/hosts and the name servers in the order of /etc/nsswitch.conf,
 * with the search domains of resolv.conf. One question, one answer. There is no cache and no limit on
 * concurrent questions; callers bring their own.
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
    DNS_ADDRESSES, /* A and AAAA, in the order in which they should be tried; one of them is enough */
    DNS_A,         /* in no order; also from /etc/hosts, as for AAAA */
    DNS_AAAA,
    DNS_SRV,
};

/*
 * The host and port of a service (RFC 2782). Priority and weight are left out: they help to choose one
 * server, and callers want all.
 */
struct dns_service {
    char
        host[ADDRESS_HOST_MAX + 1]; /* without a final dot; as the record has it, so it may be no host name */
    uint16_t port;
};

/* Either all records, or an error. */
struct dns_answer {
    const union endpoint *endpoints;    /* of addresses, with port 0 */
    const struct dns_service *services; /* of SRV */
    size_t count;
    const char *error; /* a constant, for people; NULL when there are records */
    bool partial;      /* only for DNS_ADDRESSES: the other family has not answered yet; more follows */
    bool incomplete;   /* the list may be incomplete, since one of the questions failed */
    bool absent;       /* the error is an answer: no such name, or no such record */
    bool no_service;   /* absent, because the domain states that it does not offer the service (SRV ".") */
    bool aborted;      /* by dns_refresh or dns_close: nothing is known */
    uint64_t ttl_ms;   /* how long the answer or the failure is valid: at most 1 h; 0 if the records say 0 */
};

/*
 * Borrowed for the call. May run inside dns_ask, dns_refresh and dns_close; of these functions it may call
 * dns_cancel alone. The query is not touched after the last call.
 */
typedef void (*dns_answer_fn)(struct dns_query *query, const struct dns_answer *answer);

/* Embedded in the caller, which keeps it until the whole answer has come or until dns_cancel. */
struct dns_query {
    struct dns_request *request; /* what is under way; NULL: nothing */
    dns_answer_fn on_answer;
};

typedef void (*dns_close_fn)(void *context);

/*
 * `servers` is NULL for the system's configuration, a path for another file of resolv.conf's form, or a list
 * "127.0.0.1:5353,[::1]:53", which has no search domains. 0 or a negative libuv code.
 */
int dns_new(struct dns **dns, uv_loop_t *loop, const char *servers);

/*
 * Asks for a name. on_answer runs exactly once with the whole answer. For DNS_ADDRESSES, when one family has
 * answered and the other says nothing for 50 ms (RFC 8305, 3), it runs once before that with a partial one.
 */
void dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type,
             dns_answer_fn on_answer);

/* on_answer will not run. For a query that was asked once; harmless when it is answered. */
void dns_cancel(struct dns_query *query);

/* Reads resolv.conf again if it has changed. Questions to the old servers are then aborted. */
void dns_refresh(struct dns *dns);

/* Aborts what is under way, frees itself and calls on_close once, from the loop. */
void dns_close(struct dns *dns, dns_close_fn on_close, void *context);

#endif
