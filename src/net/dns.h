/*
 * c-ares on the loop: one question, one answer. No cache, no limit on how many are under way; that is the
 * resolver's. <ares.h> stays in dns.c.
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

/* At most so many addresses of a name are used. */
#define DNS_ADDRESSES_MAX 8

/* Either endpoints, in the order in which they should be tried and with port 0, or an error. */
struct dns_answer {
    union endpoint endpoints[DNS_ADDRESSES_MAX];
    size_t count;
    const char *error; /* a constant, for people; NULL when there are endpoints */
    uint64_t ttl_ms;   /* how long it holds, a failure too */
    bool aborted;      /* by dns_refresh or dns_close: nothing is known */
};

/* Borrowed for the call. May run inside dns_ask, dns_refresh and dns_close, which it must not call itself. */
typedef void (*dns_answer_fn)(struct dns_query *query, const struct dns_answer *answer);

/* Embedded in the one who asks, who keeps it until the answer. There is no way to take a question back. */
struct dns_query {
    struct dns *dns;
    dns_answer_fn on_answer;
};

typedef void (*dns_close_fn)(void *context);

/* `servers` as for resolver_new. 0 or a negative libuv code. */
int dns_new(struct dns **dns, uv_loop_t *loop, const char *servers);

/* Asks for A and AAAA; on_answer runs exactly once. */
void dns_ask(struct dns *dns, struct dns_query *query, const char *name, dns_answer_fn on_answer);

/* Takes over a resolv.conf that has changed, if it has; what was asked of the old servers is aborted. */
void dns_refresh(struct dns *dns);

/* Aborts what is under way, frees itself and calls on_close once, from the loop. */
void dns_close(struct dns *dns, dns_close_fn on_close, void *context);

#endif
