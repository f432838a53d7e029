/* What is given out beside HTTP: the keys are those of the flags, and so are the rules. */
#include "base/container.h"
#include "base/label_name.h"
#include "config/reading.h"

#include <uv.h>

/* --- Textfile --- */

/* The rule is about the name as it is written, the path is relative to the file's folder. */
static int read_textfile_path(struct reading *reading, const struct node *node, void *place)
{
    int result = read_path(reading, node, place);
    const char *expected = result == 0 ? reading->rules->check_textfile(node->text) : NULL;
    return expected ? reading_reject(reading, node, expected) : result;
}

static const struct field textfile_fields[] = {
    {"path", read_textfile_path, offsetof(struct config_textfile, path), false},
    {"interval", read_duration, offsetof(struct config_textfile, interval_ns), false},
};
static const struct schema textfile_schema = SCHEMA(textfile_fields);

static int read_textfile(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    config->has_textfile = true;
    config->textfile.place = reading_place(node);
    return reading_mapping(reading, node, &textfile_schema, &config->textfile);
}

/* --- Push --- */

static int read_method(struct reading *reading, const struct node *node, void *place)
{
    enum config_switch *post = place;
    bool is_post = slice_is_nocase(node->text, "post");
    if (!is_post && !slice_is_nocase(node->text, "put")) return reading_reject(reading, node, "put or post");
    *post = is_post ? CONFIG_ON : CONFIG_OFF;
    return 0;
}

/* The job has a key of its own. */
static int read_pair(struct reading *reading, const struct node *node, struct config_pair *pair)
{
    struct slice name = node->key->text;
    if (!label_name_is_valid(name) || slice_is(name, "job"))
        return reading_reject_key(reading, node,
                                  "a label name of letters, digits and _, not beginning with a digit or __, "
                                  "other than job");
    if (!node_is_text(node)) return reading_reject(reading, node, "a text");
    int result = copy_text(reading, name, &pair->name);
    return result < 0 ? result : copy_text(reading, node->text, &pair->value);
}

static int read_grouping(struct reading *reading, const struct node *node, void *place)
{
    struct config_push *push = place;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of labels to their values");
    struct config_pair *pairs = arena_alloc(&reading->config->arena, node->count, sizeof(*pairs));
    if (!pairs) return UV_ENOMEM;
    push->grouping = pairs;
    for (const struct node *child = node->first; child; child = child->next) {
        int result = read_pair(reading, child, &pairs[push->grouping_count++]);
        if (result < 0) return result;
    }
    return 0;
}

static const struct field push_fields[] = {
    {"url", read_url, offsetof(struct config_push, url), false},
    {"job", read_text, offsetof(struct config_push, job), false},
    {"grouping", read_grouping, 0, false},
    {"interval", read_duration, offsetof(struct config_push, interval_ns), false},
    {"timeout", read_duration, offsetof(struct config_push, timeout_ns), false},
    {"method", read_method, offsetof(struct config_push, post), false},
    {"delete_on_exit", read_switch, offsetof(struct config_push, delete_on_exit), false},
    {"username", read_text, offsetof(struct config_push, username), false},
    {"password_file", read_path, offsetof(struct config_push, password_file), false},
    {"ca_file", read_path, offsetof(struct config_push, ca_file), false},
    {"cert_file", read_path, offsetof(struct config_push, cert_file), false},
    {"key_file", read_path, offsetof(struct config_push, key_file), false},
};
static const struct schema push_schema = SCHEMA(push_fields);

static int read_push(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    config->has_push = true;
    config->push.place = reading_place(node);
    return reading_mapping(reading, node, &push_schema, &config->push);
}

/* --- Both --- */

static const struct field fields[] = {
    {"textfile", read_textfile, 0, false},
    {"push", read_push, 0, false},
};
static const struct schema schema = SCHEMA(fields);

int read_outputs(struct reading *reading, const struct node *node, void *place)
{
    return reading_mapping(reading, node, &schema, place);
}
