/*
 * The happy path: on_tick -> the owner's collect -> sender_deliver -> take_message, once in a turn of the
 * loop -> send_first -> on_done -> send_first, until the queue is empty.
 *
 * What can go wrong: the producer fails, which ends its messages; libcurl cannot be set up, or the request
 * fails, which is tried again (on_retry); the receiver does not want the message, which is dropped; the
 * queue is full, which drops its oldest messages.
 */
#include "outputs/sender.h"

#include "base/container.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/snappy.h"
#include "outputs/gateway.h"

#include <assert.h>
#include <stdlib.h>

#define RETRY_FIRST_MS    1000
#define RETRY_LONGEST_MS  (UINT64_C(60) * 1000)
#define RETRY_AFTER_MAX_S (UINT64_C(10) * 60) /* most that a receiver gets by Retry-After */
/* Per cent that a delay may grow, so that exporters do not all return to a receiver at once. */
#define RETRY_SPREAD 25

/*
 * Remote write 1.0 calls itself 0, with this behind it. The lint takes the whole for the version of this
 * program.
 */
#define PROTOCOL_MINOR ".1.0"

static const char *const headers[] = {"Expect:", "Content-Type: application/x-protobuf",
                                      "Content-Encoding: snappy",
                                      "X-Prometheus-Remote-Write-Version: 0" PROTOCOL_MINOR, NULL};
static const struct gateway_protocol protocol = {headers, false};

struct queued_message {
    struct link link;
    size_t len;
    char data[];
};

static void send_first(struct sender *sender);

/* --- The queue --- */

static void drop_first(struct sender *sender)
{
    struct queued_message *message = container_of(list_pop(&sender->queue), struct queued_message, link);
    sender->queued -= message->len;
    free(message);
}

/* Makes room for `len` bytes. The message on its way stays, whatever its length. */
static void shorten_queue(struct sender *sender, size_t len)
{
    while (sender->queued + len > SENDER_QUEUE_MAX) {
        struct link *first = list_first(&sender->queue);
        struct link *oldest = first && sender->sending ? first->next : first;
        if (!oldest || oldest == &sender->queue.head) return;
        struct queued_message *message = container_of(oldest, struct queued_message, link);
        link_remove(oldest);
        sender->queued -= message->len;
        sender->counts.dropped++;
        free(message);
    }
}

/* Compresses a message and appends it to the queue. Without memory it is dropped. */
static void queue_message(struct sender *sender, struct slice message)
{
    struct buffer packed;
    buffer_init(&packed, SNAPPY_TEXT_MAX);
    snappy_append(&packed, message);
    struct queued_message *queued = packed.failed ? NULL : malloc(sizeof(*queued) + packed.len);
    if (queued) {
        shorten_queue(sender, packed.len);
        link_init(&queued->link);
        queued->len = packed.len;
        memcpy(queued->data, packed.data, packed.len);
        list_append(&sender->queue, &queued->link);
        sender->queued += packed.len;
    } else {
        sender->counts.dropped++;
        sender->fails_once = true;
    }
    buffer_deinit(&packed);
}

/* --- Making messages --- */

static void finish_once(struct sender *sender)
{
    bool idle = list_is_empty(&sender->queue) && !sender->producer && !sender->collecting;
    if (sender->on_once && !sender->closing && idle) sender->on_once(sender, !sender->fails_once);
}

static void end_producer(struct sender *sender)
{
    struct producer *producer = sender->producer;
    sender->producer = NULL;
    uv_idle_stop(&sender->taking);
    if (producer) producer->release(producer);
}

static void take_message(uv_idle_t *taking)
{
    struct sender *sender = container_of(taking, struct sender, taking);
    struct buffer message;
    buffer_init(&message, SNAPPY_TEXT_MAX);
    bool more = sender->producer->fill(sender->producer, &message, 1);
    bool failed = message.failed;
    if (!failed && message.len) queue_message(sender, buffer_slice(&message));
    buffer_deinit(&message);
    if (failed) {
        sender->fails_once = true;
        log_line(LOG_WARN, "remote write lacks series, there was no memory for them",
                 LOG_FIELD("url", sender->config->url));
    }
    if (!more || failed) end_producer(sender);
    send_first(sender);
    finish_once(sender);
}

static void on_tick(uv_timer_t *tick)
{
    struct sender *sender = container_of(tick, struct sender, tick);
    if (sender->collecting || sender->producer) return;
    sender->collecting = true;
    sender->collect(sender);
}

void sender_deliver(struct sender *sender, struct producer *producer)
{
    assert(sender->collecting && !sender->producer && !sender->closing);
    sender->collecting = false;
    if (!producer) {
        sender->fails_once = true;
        log_line(LOG_WARN, "remote write has nothing to send, the exposition could not be made",
                 LOG_FIELD("url", sender->config->url));
        finish_once(sender);
        return;
    }
    sender->producer = producer;
    uv_idle_start(&sender->taking, take_message);
}

/* --- Sending --- */

static void on_retry(uv_timer_t *retry)
{
    send_first(container_of(retry, struct sender, retry));
}

static void log_failure(const struct sender *sender, const char *what, const char *error)
{
    log_line(sender->failing == 1 ? LOG_WARN : LOG_DEBUG, what, LOG_FIELD("url", sender->config->url),
             LOG_FIELD("err", error));
}

/* Sends the first message again later. With a single collection, there is no second try. */
static void try_later(struct sender *sender, const char *error)
{
    uint32_t random = 0;
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    log_failure(sender, sender->on_once ? "remote write failed" : "remote write failed, trying again later",
                error);
    if (sender->on_once) {
        while (!list_is_empty(&sender->queue)) drop_first(sender);
        end_producer(sender);
        sender->fails_once = true;
        return;
    }
    uint64_t delay_ms = retry_delay_ms(RETRY_FIRST_MS, RETRY_LONGEST_MS, sender->failing);
    uint64_t wished_s = sender->gateway ? gateway_retry_after_s(sender->gateway) : 0;
    if (wished_s > RETRY_AFTER_MAX_S) wished_s = RETRY_AFTER_MAX_S;
    if (delay_ms < wished_s * 1000) delay_ms = wished_s * 1000;
    uv_timer_start(&sender->retry, on_retry, retry_spread_ms(delay_ms, 0, RETRY_SPREAD, random), 0);
}

/*
 * Ends one request. `error` is NULL after a success. `status` is the HTTP status of the answer, 0 for none.
 */
static void record(struct sender *sender, long status, const char *error)
{
    bool unwanted = error && status >= 300 && status < 500 && status != 429;
    sender->sending = false;
    sender->counts.attempts++;
    sender->counts.failures += error != NULL;
    if (!error && sender->failing)
        log_line(LOG_INFO, "remote write works again", LOG_FIELD("url", sender->config->url));
    sender->failing = error ? sender->failing + 1 : 0;
    if (error && !unwanted) {
        try_later(sender, error);
        return;
    }
    drop_first(sender);
    if (!unwanted) return;
    sender->counts.dropped++;
    sender->fails_once = true;
    log_failure(sender, "remote write was refused, the message is dropped", error);
}

static void on_done(void *context, const char *error)
{
    struct sender *sender = context;
    record(sender, gateway_status(sender->gateway), error);
    send_first(sender);
    finish_once(sender);
}

static void send_first(struct sender *sender)
{
    struct link *first = list_first(&sender->queue);
    if (!first || sender->sending || sender->closing || uv_is_active((uv_handle_t *) &sender->retry)) return;
    struct queued_message *message = container_of(first, struct queued_message, link);
    uv_loop_t *loop = sender->tick.loop;
    const char *error = NULL;
    if (!sender->gateway) {
        int result = gateway_new(&sender->gateway, loop, sender->config, &protocol, on_done, sender);
        if (result < 0) error = uv_strerror(result);
    }
    sender->sending = true;
    if (!error) error = gateway_post(sender->gateway, (struct slice){message->data, message->len});
    if (error) record(sender, 0, error);
}

/* --- Life --- */

void sender_start(struct sender *sender, uv_loop_t *loop, const struct push_config *config,
                  sender_collect_fn collect, sender_once_fn on_once)
{
    *sender = (struct sender){.config = config, .collect = collect, .on_once = on_once};
    list_init(&sender->queue);
    uv_timer_init(loop, &sender->tick);
    uv_timer_init(loop, &sender->retry);
    uv_idle_init(loop, &sender->taking);
    uv_timer_start(&sender->tick, on_tick, 0, on_once ? 0 : duration_to_ms(config->interval_ns));
}

static void part_closed(struct sender *sender)
{
    if (--sender->parts == 0) sender->on_close(sender);
}

static void on_tick_closed(uv_handle_t *handle)
{
    part_closed(container_of(handle, struct sender, tick));
}

static void on_retry_closed(uv_handle_t *handle)
{
    part_closed(container_of(handle, struct sender, retry));
}

static void on_taking_closed(uv_handle_t *handle)
{
    part_closed(container_of(handle, struct sender, taking));
}

static void on_gateway_closed(void *context)
{
    part_closed(context);
}

void sender_close(struct sender *sender, sender_close_fn on_close)
{
    assert(!sender->closing);
    sender->closing = true;
    sender->on_close = on_close;
    end_producer(sender);
    while (!list_is_empty(&sender->queue)) drop_first(sender);
    sender->parts = sender->gateway ? 4 : 3;
    if (sender->gateway) gateway_close(sender->gateway, on_gateway_closed, sender);
    uv_close((uv_handle_t *) &sender->tick, on_tick_closed);
    uv_close((uv_handle_t *) &sender->retry, on_retry_closed);
    uv_close((uv_handle_t *) &sender->taking, on_taking_closed);
}
