/*
 * c-ares on the loop: one question to the name servers, one message in answer. No search domains, no cache,
 * no limit on how many are under way. <ares.h> stays in dns_channel.c.
 *
 * A question is sent again after 0.3 s, 0.6 s and 1.2 s, to the next server each time, and given up after 4.5
 * s. An answer to any of the sends is taken. Answers that are too long for a datagram are fetched by TCP.
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include "net/closing.h"
#include "net/resolv_conf.h"

#include <stdint.h>
#include <uv.h>

struct dns_channel;

/* How a question ended. When several questions are combined, the later value in this list wins. */
enum dns_outcome {
    DNS_FOUND,      /* there is a message with records */
    DNS_NOT_FOUND,  /* there is no such name */
    DNS_NO_RECORDS, /* the name has no record of this type */
    DNS_NO_SERVER,  /* every server refused, failed or could not be reached */
    DNS_MALFORMED,
    DNS_NO_MEMORY,
    DNS_SILENT,  /* no server has answered any send */
    DNS_ABORTED, /* by dns_channel_configure or dns_channel_close */
};

/*
 * `message` is borrowed for the call; NULL unless the outcome is DNS_FOUND. May run inside dns_channel_ask,
 * dns_channel_configure and dns_channel_close; of these functions it may call dns_channel_ask alone, and that
 * not when the outcome is DNS_ABORTED.
 */
typedef void (*dns_channel_fn)(void *context, enum dns_outcome outcome, const uint8_t *message, size_t len);

/*
 * Allocates a channel to the servers of `conf`; `servers`, if not NULL, is a list "127.0.0.1:5353,[::1]:53"
 * that replaces them. 0 or a negative libuv code; UV_EINVAL for a bad list.
 */
int dns_channel_new(struct dns_channel **channel, uv_loop_t *loop, const struct resolv_conf *conf,
                    const char *servers);

/* Takes other servers and aborts what is under way. A negative libuv code: everything is as it was. */
int dns_channel_configure(struct dns_channel *channel, const struct resolv_conf *conf);

/* Asks for the records of one type (a number of RFC 1035) of a full name; on_message runs exactly once. */
void dns_channel_ask(struct dns_channel *channel, const char *name, int type, dns_channel_fn on_message,
                     void *context);

/*
 * The addresses of a name in /etc/hosts, of AF_INET or AF_INET6, with port 0; at most `size`. Reads the file
 * anew; blocks as long as that takes.
 */
size_t dns_channel_hosts(struct dns_channel *channel, const char *name, int family, union endpoint *endpoints,
                         size_t size);

/* What /etc/nsswitch.conf says: 'f' for /etc/hosts and 'b' for the name servers, in order. */
const char *dns_channel_sources(const struct dns_channel *channel);

/* Aborts what is under way and frees itself, as a part of its owner. */
void dns_channel_close(struct dns_channel *channel, struct closing *closing);

#endif
