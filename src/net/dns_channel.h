/*
 * Runs c-ares on the loop: sends one question to the name servers and returns the message of the answer. Has
 * no search domains, no cache and no limit on concurrent questions. Only dns_channel.c includes <ares.h>.
 *
 * An unanswered question is repeated after 0.3 s, 0.6 s and 1.2 s, each time to the next server. The question
 * fails after 4.5 s. An answer to any repetition counts. Answers that are too long for a datagram are fetched
 * by TCP.
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include "net/closing.h"
#include "net/resolv_conf.h"

#include <stdint.h>
#include <uv.h>

struct dns_channel;

/*
 * How a question ended. When several questions are combined, the outcome that comes later in this list wins.
 */
enum dns_outcome {
    DNS_FOUND,      /* the server sent a message with records */
    DNS_NOT_FOUND,  /* the name does not exist */
    DNS_NO_RECORDS, /* the name has no record of this type */
    DNS_NO_SERVER,  /* every server refused, failed or could not be reached */
    DNS_MALFORMED,
    DNS_NO_MEMORY,
    DNS_SILENT,  /* no server has answered */
    DNS_ABORTED, /* dns_channel_configure or dns_channel_close ended the question */
};

/*
 * Receives the outcome of a question. `message` is valid only during the call, and NULL unless the outcome is
 * DNS_FOUND. May run inside dns_channel_ask, dns_channel_configure and dns_channel_close. Of these functions,
 * the callback may only call dns_channel_ask, and only if the outcome is not DNS_ABORTED.
 */
typedef void (*dns_channel_fn)(void *context, enum dns_outcome outcome, const uint8_t *message, size_t len);

/*
 * Creates a channel to the servers of `conf`. If `servers` is not NULL, it is a list
 * "127.0.0.1:5353,[::1]:53" that replaces them, and the channel is open. Returns 0 or a negative libuv code;
 * UV_EINVAL for a malformed list.
 */
int dns_channel_new(struct dns_channel **channel, uv_loop_t *loop, const struct resolv_conf *conf,
                    const char *servers);

/*
 * Opens the channel unless it is open. c-ares takes 75 KB for it, and many exporters ask for no name. Returns
 * 0 or a negative libuv code. Call it before the functions that ask or return something.
 */
int dns_channel_open(struct dns_channel *channel);

/*
 * Switches to the servers of `conf` and aborts all questions. Returns 0, or a negative libuv code and changes
 * nothing.
 */
int dns_channel_configure(struct dns_channel *channel, const struct resolv_conf *conf);

/* Asks for the records of one type (a number from RFC 1035) of a full name. on_message runs exactly once. */
void dns_channel_ask(struct dns_channel *channel, const char *name, int type, dns_channel_fn on_message,
                     void *context);

/*
 * Finds the addresses of a name in /etc/hosts. `family` is AF_INET or AF_INET6. Writes at most `size`
 * endpoints, with port 0, and returns their number. Reads the file on each call and blocks meanwhile.
 */
size_t dns_channel_hosts(struct dns_channel *channel, const char *name, int family, union endpoint *endpoints,
                         size_t size);

/* Returns the sources that /etc/nsswitch.conf lists, in order: 'f' is /etc/hosts and 'b' the name servers. */
const char *dns_channel_sources(const struct dns_channel *channel);

/* Aborts all questions and frees the channel, as a part of `closing`. */
void dns_channel_close(struct dns_channel *channel, struct closing *closing);

#endif
