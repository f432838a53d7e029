/*
 * Sends messages of Prometheus' remote write 1.0 to a receiver, at a fixed interval or a single time.
 *
 * At every tick, a sender asks its owner to collect, takes the messages, compresses them and queues them.
 * One request at a time takes the oldest from the queue. So messages wait while the receiver is away, and
 * arrive in their order when it is back. A full queue loses its oldest messages. A tick is skipped while the
 * messages of the last one are still being made.
 *
 * No answer, a status of 5xx, or 429: the message is sent again after a growing delay, and not before the
 * time that Retry-After of a 429 or 503 names, up to ten minutes. Any other status but 2xx: the receiver
 * does not want the message, which is dropped. The first failure and the first success after failures are
 * logged.
 *
 * Source: https://prometheus.io/docs/specs/prw/remote_write_spec/, "Protocol" and "Retries & Backoff".
 */
#ifndef OUTPUTS_SENDER_H
#define OUTPUTS_SENDER_H

#include "base/list.h"
#include "base/producer.h"
#include "outputs/push_config.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Most bytes of compressed messages that wait. */
#define SENDER_QUEUE_MAX (32u * 1024 * 1024)

struct sender;
struct gateway;

/* Asks the owner for messages. The owner calls sender_deliver once, inside this call or later. */
typedef void (*sender_collect_fn)(struct sender *sender);

/* Tells the owner that all messages of the only collection are sent, or that one is not. */
typedef void (*sender_once_fn)(struct sender *sender, bool sent);

typedef void (*sender_close_fn)(struct sender *sender);

struct sender_counts {
    uint64_t attempts; /* requests that have ended */
    uint64_t failures; /* requests that have failed */
    uint64_t dropped;  /* messages that the receiver did not want, or that the queue had no room for */
};

/* Embedded in its owner, which may read only the counts. */
struct sender {
    struct sender_counts counts;
    const struct push_config *config; /* borrowed */
    uv_timer_t tick, retry;
    uv_idle_t taking;        /* active while the producer makes messages, one in a turn of the loop */
    struct gateway *gateway; /* NULL until a message has made it */
    sender_collect_fn collect;
    sender_once_fn on_once; /* NULL unless there is a single collection */
    bool collecting;
    struct producer *producer; /* owned; NULL if nothing is being made */
    struct list queue;         /* messages, the oldest first */
    size_t queued;             /* bytes of them */
    bool sending;              /* the first message is on its way */
    bool fails_once;           /* something of the only collection could not be sent */
    unsigned failing;          /* failures in a row */
    bool closing;
    unsigned parts; /* parts that are not closed yet */
    sender_close_fn on_close;
};

/* Starts sending; the first tick comes in the next turn of the loop. `config` is borrowed until on_close. */
void sender_start(struct sender *sender, uv_loop_t *loop, const struct push_config *config,
                  sender_collect_fn collect, sender_once_fn on_once);

/*
 * Delivers what `collect` asked for: each fill of the producer appends one message, or nothing. NULL means
 * that there is none. Takes ownership of the producer, which must not call back into the sender.
 */
void sender_deliver(struct sender *sender, struct producer *producer);

/*
 * Ends sending; what waits is lost. on_close runs once, from the loop. A collection that is under way need
 * not be delivered any more.
 */
void sender_close(struct sender *sender, sender_close_fn on_close);

#endif
