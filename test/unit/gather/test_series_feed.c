/* The text of an exposition, in pieces of any size, as messages with the labels of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "gather/series_feed.h"

#include <stdlib.h>
#include <string.h>

struct text {
    struct producer producer;
    struct slice rest;
    size_t piece;
    unsigned released;
};

static bool fill(struct producer *producer, struct buffer *out, size_t want)
{
    struct text *text = container_of(producer, struct text, producer);
    size_t len = text->piece < text->rest.len ? text->piece : text->rest.len;
    (void) want;
    buffer_append(out, text->rest.data, len);
    text->rest = slice_from(text->rest, len);
    return text->rest.len > 0;
}

static void release(struct producer *producer)
{
    container_of(producer, struct text, producer)->released++;
}

/* Returns all messages one after the other, which together are one message with all series. */
static struct buffer convert(struct series_feed *feed, const char *bytes, size_t piece)
{
    struct text text = {{fill, release}, slice_of(bytes), piece, 0};
    struct producer *producer = series_feed_convert(feed, &text.producer, 5);
    struct buffer out;
    bool more = true;
    assert_non_null(producer);
    buffer_init(&out, SIZE_MAX / 2);
    while (more) more = producer->fill(producer, &out, 1);
    assert_false(out.failed);
    producer->release(producer);
    assert_int_equal(text.released, 1);
    return out;
}

static bool holds(const struct buffer *message, const char *text)
{
    return memmem(message->data, message->len, text, strlen(text)) != NULL;
}

static void test_pieces_of_any_size(void **state)
{
    static const char text[] = "# HELP a b\na{x=\"1\"} 1\nb 2\nc{y=\"long value\"} 3\n";
    struct push_config config = {.kind = PUSH_REMOTE_WRITE, .job = "j"};
    struct series_feed feed;
    (void) state;
    assert_int_equal(series_feed_init(&feed, &config), 0);
    struct buffer whole = convert(&feed, text, sizeof(text));
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct buffer parts = convert(&feed, text, piece);
        assert_int_equal(parts.len, whole.len);
        assert_memory_equal(parts.data, whole.data, whole.len);
        buffer_deinit(&parts);
    }
    assert_true(holds(&whole, "long value") && holds(&whole, "instance") && holds(&whole, feed.host));
    buffer_deinit(&whole);
    series_feed_deinit(&feed);
}

static void test_labels_of_the_configuration(void **state)
{
    struct push_label labels[] = {{"instance", "here"}, {"site", "far"}};
    struct push_config config = {.kind = PUSH_REMOTE_WRITE, .job = "jobname", .grouping = {labels, 2}};
    struct series_feed feed;
    (void) state;
    assert_int_equal(series_feed_init(&feed, &config), 0);
    assert_int_equal(feed.write.label_count, 3);
    struct buffer message = convert(&feed, "a{instance=\"own\"} 1\n", 7);
    assert_true(holds(&message, "jobname") && holds(&message, "far") && holds(&message, "own"));
    assert_false(holds(&message, "here"));
    buffer_deinit(&message);
    series_feed_deinit(&feed);
}

/* An exposition that nobody takes to its end marks nothing as stale. */
static void test_broken_off(void **state)
{
    struct push_config config = {.kind = PUSH_REMOTE_WRITE, .job = "j"};
    struct text text = {{fill, release}, SLICE("b 1\nb 2\n"), 2, 0};
    struct series_feed feed;
    struct buffer out;
    (void) state;
    assert_int_equal(series_feed_init(&feed, &config), 0);
    struct buffer first = convert(&feed, "a 1\nb 1\n", 100);
    struct producer *producer = series_feed_convert(&feed, &text.producer, 6);
    buffer_init(&out, 4096);
    assert_true(producer->fill(producer, &out, 1));
    producer->release(producer);
    assert_int_equal(text.released, 1);
    struct buffer second = convert(&feed, "a 1\nb 1\n", 100);
    assert_int_equal(second.len, first.len);
    buffer_deinit(&first);
    buffer_deinit(&second);
    buffer_deinit(&out);
    series_feed_deinit(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_any_size),
        cmocka_unit_test(test_labels_of_the_configuration),
        cmocka_unit_test(test_broken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
