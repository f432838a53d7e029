#include "base/duration.h"
#include "base/label_name.h"
#include "base/number.h"
#include "config/reading.h"

#include <errno.h>

#define MILLISECOND UINT64_C(1000000)

static const char expected_text[] = "a text that is not empty";
static const char expected_duration[] = "a duration such as 250ms, 1s or 1m30s";

/* What YAML takes for nothing is no text, unless it stands in quotes. */
bool node_is_text(const struct node *node)
{
    if (node->kind != NODE_SCALAR) return false;
    if (node->quoted) return true;
    return node->text.len && !slice_is(node->text, "~") && !slice_is_nocase(node->text, "null");
}

int copy_text(struct reading *reading, struct slice text, const char **place)
{
    *place = arena_copy(&reading->config->arena, text);
    return *place ? 0 : -ENOMEM;
}

int read_text(struct reading *reading, const struct node *node, void *place)
{
    if (!node_is_text(node) || node->text.len == 0) return reading_reject(reading, node, expected_text);
    return copy_text(reading, node->text, place);
}

/* As Prometheus has it, so that a folder with all its files can be moved. */
int read_path(struct reading *reading, const struct node *node, void *place)
{
    const struct config *config = reading->config;
    int result = read_text(reading, node, place);
    if (result < 0 || slice_starts(node->text, "/") || strcmp(config->directory, ".") == 0) return result;

    struct buffer joined;
    buffer_init(&joined, SIZE_MAX / 2);
    buffer_printf(&joined, "%s/", config->directory);
    buffer_append_slice(&joined, node->text);
    result = joined.failed ? -ENOMEM : copy_text(reading, buffer_slice(&joined), place);
    buffer_deinit(&joined);
    return result;
}

/* Printable ASCII, so that neither a log line nor a request is broken by it. */
static bool is_url(struct slice url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char) url.data[i];
        if (c <= ' ' || c >= 0x7f) return false;
    }
    size_t scheme = slice_starts(url, "http://") ? 7 : slice_starts(url, "https://") ? 8 : 0;
    return scheme && url.len > scheme && !strchr("/?#", url.data[scheme]);
}

/* Whether something stands before an '@' in what names the host. */
static bool has_credentials(struct slice url)
{
    size_t slashes = 0;
    for (size_t i = 0; i < url.len && slashes < 3; i++) {
        if (url.data[i] == '/') slashes++;
        if (url.data[i] == '@') return true;
        if (url.data[i] == '?' || url.data[i] == '#') return false;
    }
    return false;
}

/* Shown in no message: it may hold a password. */
int read_url(struct reading *reading, const struct node *node, void *place)
{
    static const char form[] = "a URL of the form http[s]://host[:port][/path]";
    if (!node_is_text(node) || !is_url(node->text)) return reading_reject_unseen(reading, node, form);
    if (has_credentials(node->text)) return reading_reject_unseen(reading, node, "no credentials in the URL");
    return copy_text(reading, node->text, place);
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

/* More often would be a load for those who are asked, and of no use. */
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
    enum config_switch *value = place;
    bool on = slice_is(node->text, "true");
    if (node->kind != NODE_SCALAR || (!on && !slice_is(node->text, "false")))
        return reading_reject(reading, node, "true or false");
    *value = on ? CONFIG_ON : CONFIG_OFF;
    return 0;
}
