/* A push, a scripted gateway and a log, for the tests of push. */
#ifndef SUPPORT_PUSH_WORLD_H
#define SUPPORT_PUSH_WORLD_H

#include "outputs/push.h"

#include "base/container.h"
#include "base/log.h"
#include "fake_gateway.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

#define ACCEPTED "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* How the owner answers a request to collect. */
enum answer {
    ANSWER_TEXT,   /* a producer of world.text */
    ANSWER_BROKEN, /* a producer that fails halfway */
    ANSWER_NONE,   /* no producer */
    ANSWER_LATER,  /* no answer yet */
};

struct push_world {
    uv_loop_t loop;
    struct fake_gateway gateway;
    bool gateway_stopped;
    struct push push;
    bool started;
    struct push_config config;
    char url[64];
    enum answer answer;
    const char *text;
    size_t len;
    size_t fill_max; /* most bytes that a producer returns at once; 0: no limit */
    unsigned collected, released, closed;
    unsigned given; /* number of producers created */
    uint64_t collected_ms[16];
    int log;
};

static struct push_world world;

/* A producer of world.text, in pieces of the requested size. */
struct text_producer {
    struct producer producer;
    size_t at;
    bool breaks;
};

static inline bool fill_text(struct producer *producer, struct buffer *out, size_t want)
{
    struct text_producer *text = container_of(producer, struct text_producer, producer);
    size_t left = world.len - text->at;
    size_t len = left < want ? left : want;
    if (world.fill_max && len > world.fill_max) len = world.fill_max;
    buffer_append(out, world.text + text->at, len);
    text->at += len;
    if (text->breaks && text->at > world.len / 2) out->failed = true;
    return text->at < world.len;
}

static inline void release_text(struct producer *producer)
{
    world.released++;
    free(container_of(producer, struct text_producer, producer));
}

static inline struct producer *text_producer(bool breaks)
{
    struct text_producer *text = malloc(sizeof(*text));
    assert_non_null(text);
    *text = (struct text_producer){.producer = {fill_text, release_text}, .breaks = breaks};
    world.given++;
    return &text->producer;
}

static inline void on_collect(struct push *push)
{
    assert_ptr_equal(push, &world.push);
    if (world.collected < ARRAY_LEN(world.collected_ms))
        world.collected_ms[world.collected] = uv_hrtime() / 1000000;
    world.collected++;
    if (world.answer == ANSWER_LATER) return;
    push_deliver(push, world.answer == ANSWER_NONE ? NULL : text_producer(world.answer == ANSWER_BROKEN));
}

static inline void on_push_closed(struct push *push)
{
    assert_ptr_equal(push, &world.push);
    world.closed++;
}

/* Sets up the world. start_push creates the push, so that a test can change the configuration before. */
static inline int set_up(void **state)
{
    (void) state;
    memset(&world, 0, sizeof(world));
    loop_open(&world.loop);
    fake_gateway_start(&world.gateway, &world.loop);
    world.gateway.reply = ACCEPTED;
    snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d", world.gateway.port);
    world.config = (struct push_config){
        .url = world.url,
        .job = "memcached",
        .interval_ns = 20 * MILLISECOND,
        .timeout_ns = 5000 * MILLISECOND,
    };
    world.text = "up 1\n";
    world.len = 5;
    world.log = memfd_create("log", 0);
    log_configure(LOG_INFO, LOG_LOGFMT, world.log);
    return 0;
}

static inline void start_push(void)
{
    push_start(&world.push, &world.loop, &world.config, on_collect, NULL);
    world.started = true;
}

static inline void stop_gateway(void)
{
    if (!world.gateway_stopped) fake_gateway_stop(&world.gateway);
    world.gateway_stopped = true;
}

/* Closes everything. Checks that nothing is left on the loop and that every producer was released once. */
static inline int tear_down(void **state)
{
    (void) state;
    if (world.started && world.closed == 0) {
        push_close(&world.push, on_push_closed);
        loop_run_until_count(&world.loop, &world.closed, 1);
    }
    stop_gateway();
    loop_close(&world.loop);
    fake_gateway_deinit(&world.gateway);
    assert_int_equal(world.released, world.given);
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(world.log);
    return 0;
}

/* Returns the number of lines of the log that contain `text`. */
static inline unsigned logged(const char *text)
{
    char bytes[16384];
    ssize_t len = pread(world.log, bytes, sizeof(bytes) - 1, 0);
    unsigned count = 0;
    assert_true(len >= 0);
    bytes[len] = '\0';
    for (char *rest = bytes, *line; (line = strsep(&rest, "\n"));) count += strstr(line, text) != NULL;
    return count;
}

/* Runs the loop until at least `attempts` pushes have ended. */
static inline void run_until_attempts(uint64_t attempts)
{
    for (unsigned n = 0; n < 2000 && world.push.counts.attempts < attempts; n++) loop_run_for(&world.loop, 2);
    assert_true(world.push.counts.attempts >= attempts);
}

static inline void assert_counts(uint64_t attempts, uint64_t failures)
{
    struct push_counts counts = world.push.counts;
    assert_int_equal(counts.attempts, attempts);
    assert_int_equal(counts.failures, failures);
}

#endif
