#include "base/duration.h"
#include "base/label_name.h"
#include "base/number.h"
#include "config/reading.h"
#include "net/libcurl.h"

#include <uv.h>

#define MILLISECOND UINT64_C(1000000)

static const char expected_text[] = "a text that is not empty";
static const char expected_duration[] = "a duration such as 250ms, 1s or 1m30s";

/* YAML's null and the empty scalar count as texts only in quotes. */
bool node_is_text(const struct node *node)
{
    if (node->kind != NODE_SCALAR) return false;
    if (node->quoted) return true;
    return node->text.len && !slice_is(node->text, "~") && !slice_is_nocase(node->text, "null");
}

int copy_text(struct reading *reading, struct slice text, const char **place)
{
    *place = arena_copy(reading->arena, text);
    return *place ? 0 : UV_ENOMEM;
}

int read_text(struct reading *reading, const struct node *node, void *place)
{
    if (!node_is_text(node) || node->text.len == 0) return reading_reject(reading, node, expected_text);
    return copy_text(reading, node->text, place);
}

/*
 * Makes the path relative to the folder of the configuration file, like Prometheus. So the folder can be
 * moved together with all its files.
 */
int read_path(struct reading *reading, const struct node *node, void *place)
{
    int result = read_text(reading, node, place);
    if (result < 0 || slice_starts(node->text, "/") || strcmp(reading->directory, ".") == 0) return result;

    struct buffer joined;
    buffer_init(&joined, SIZE_MAX / 2);
    buffer_printf(&joined, "%s/", reading->directory);
    buffer_append_slice(&joined, node->text);
    result = joined.failed ? UV_ENOMEM : copy_text(reading, buffer_slice(&joined), place);
    buffer_deinit(&joined);
    return result;
}

/* Messages do not show the URL, because it may contain a password. */
int read_url(struct reading *reading, const struct node *node, void *place)
{
    const char **url = place;
    if (!node_is_text(node))
        return reading_reject_unseen(reading, node, "a URL of the form http[s]://host[:port][/path]");
    int result = copy_text(reading, node->text, url);
    const char *expected = result == 0 ? libcurl_url_fault(*url) : NULL;
    return expected ? reading_reject_unseen(reading, node, expected) : result;
}

int read_label_name(struct reading *reading, const struct node *node, void *place)
{
    if (!node_is_text(node) || !label_name_is_valid(node->text))
        return reading_reject(reading, node,
                              "a label name of letters, digits and _, not beginning with a digit or __");
    if (reading->rules->label_reserved(node->text))
        return reading_reject(reading, node, "a label name that no metric uses already");
    return copy_text(reading, node->text, place);
}

int read_duration(struct reading *reading, const struct node *node, void *place)
{
    uint64_t *nanoseconds = place;
    if (!node_is_text(node) || !duration_parse(node->text, nanoseconds))
        return reading_reject(reading, node, expected_duration);
    return *nanoseconds > 0 ? 0 : reading_reject(reading, node, "a duration above 0");
}

/* The least interval is 1s. A shorter interval would put load on the sources and gain nothing. */
int read_refresh(struct reading *reading, const struct node *node, void *place)
{
    uint64_t *milliseconds = place;
    uint64_t nanoseconds;
    if (!node_is_text(node) || !duration_parse(node->text, &nanoseconds))
        return reading_reject(reading, node, expected_duration);
    *milliseconds = nanoseconds / MILLISECOND;
    return *milliseconds >= 1000 ? 0 : reading_reject(reading, node, "a duration of 1s or more");
}

int read_port(struct reading *reading, const struct node *node, void *place)
{
    uint64_t port = 0;
    if (!node_is_text(node) || !number_parse_u64(node->text, &port) || port < 1 || port > UINT16_MAX)
        return reading_reject(reading, node, "a port from 1 to 65535");
    *(uint16_t *) place = (uint16_t) port;
    return 0;
}

int read_switch(struct reading *reading, const struct node *node, void *place)
{
    bool *value = place;
    bool on = slice_is(node->text, "true");
    if (node->kind != NODE_SCALAR || (!on && !slice_is(node->text, "false")))
        return reading_reject(reading, node, "true or false");
    *value = on;
    return 0;
}
