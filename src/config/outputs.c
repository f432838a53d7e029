/*
 * Reads the outputs besides HTTP: textfile, push and remote write. Their keys and rules are the same as
 * those of the flags.
 */
#include "base/container.h"
#include "base/label_name.h"
#include "config/reading.h"

#include <uv.h>

/* --- Textfile --- */

/*
 * Reads the path of the textfile. The check sees the path as written; the stored path is relative to the
 * file's folder.
 */
static int read_textfile_path(struct reading *reading, const struct node *node, void *place)
{
    int result = read_path(reading, node, place);
    const char *expected = result == 0 ? reading->rules->check_textfile(node->text) : NULL;
    return expected ? reading_reject(reading, node, expected) : result;
}

static const struct field textfile_fields[] = {
    {"path", read_textfile_path, offsetof(struct config, textfile), false},
    {"interval", read_duration, offsetof(struct config, textfile_interval_ns), false},
};
static const struct schema textfile_schema = SCHEMA(textfile_fields);

static int read_textfile(struct reading *reading, const struct node *node, void *place)
{
    const struct config *config = place;
    int result = reading_mapping(reading, node, &textfile_schema, place);
    if (result < 0 || config->textfile[0]) return result;
    return reading_warn(reading, node, "has no effect without path, or --output.textfile");
}

/* --- Push --- */

static int read_method(struct reading *reading, const struct node *node, void *place)
{
    bool *post = place;
    bool is_post = slice_is_nocase(node->text, "post");
    if (!is_post && !slice_is_nocase(node->text, "put")) return reading_reject(reading, node, "put or post");
    *post = is_post;
    return 0;
}

/* Reads one label of the grouping. "job" is not allowed, because the job has its own key. */
static int read_push_label(struct reading *reading, const struct node *node, struct push_label *label)
{
    struct slice name = node->key->text;
    if (!label_name_is_valid(name) || slice_is(name, "job"))
        return reading_reject_key(reading, node,
                                  "a label name of letters, digits and _, not beginning with a digit or __, "
                                  "other than job");
    if (!node_is_text(node)) return reading_reject(reading, node, "a text");
    int result = copy_text(reading, name, &label->name);
    return result < 0 ? result : copy_text(reading, node->text, &label->value);
}

static int read_grouping(struct reading *reading, const struct node *node, void *place)
{
    struct push_labels *labels = place;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of labels to their values");
    *labels =
        (struct push_labels){arena_alloc(&reading->config->arena, node->count, sizeof(struct push_label)), 0};
    if (!labels->items) return UV_ENOMEM;
    for (const struct node *child = node->first; child; child = child->next) {
        int result = read_push_label(reading, child, &labels->items[labels->count++]);
        if (result < 0) return result;
    }
    return 0;
}

static const struct field push_fields[] = {
    {"url", read_url, offsetof(struct push_config, url), false},
    {"job", read_text, offsetof(struct push_config, job), false},
    {"grouping", read_grouping, offsetof(struct push_config, grouping), false},
    {"interval", read_duration, offsetof(struct push_config, interval_ns), false},
    {"timeout", read_duration, offsetof(struct push_config, timeout_ns), false},
    {"method", read_method, offsetof(struct push_config, post), false},
    {"delete_on_exit", read_switch, offsetof(struct push_config, delete_on_exit), false},
    {"username", read_text, offsetof(struct push_config, username), false},
    {"password_file", read_path, offsetof(struct push_config, password_file), false},
    {"bearer_token_file", read_path, offsetof(struct push_config, bearer_token_file), false},
    {"ca_file", read_path, offsetof(struct push_config, ca_file), false},
    {"cert_file", read_path, offsetof(struct push_config, cert_file), false},
    {"key_file", read_path, offsetof(struct push_config, key_file), false},
};
static const struct schema push_schema = SCHEMA(push_fields);

/* Notes where the checked settings are. */
static void note_places(struct config *config, enum push_kind kind, const struct node *node)
{
    for (size_t n = 0; node->kind == NODE_MAPPING && n < PUSH_CHECKED; n++) {
        const struct node *value = node_get(node, push_settings[kind][n].key);
        if (value) config->push_places[kind][n] = (struct config_place){value->line, value->column};
    }
}

static int read_push(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    note_places(config, PUSH_GATEWAY, node);
    int result = reading_mapping(reading, node, &push_schema, &config->push);
    if (result < 0 || push_is_given(config->push.url)) return result;
    return reading_warn(reading, node, "has no effect without url, or --push.url");
}

/* --- Remote write --- */

static const struct field remote_write_fields[] = {
    {"url", read_url, offsetof(struct push_config, url), false},
    {"job", read_text, offsetof(struct push_config, job), false},
    {"labels", read_grouping, offsetof(struct push_config, grouping), false},
    {"interval", read_duration, offsetof(struct push_config, interval_ns), false},
    {"timeout", read_duration, offsetof(struct push_config, timeout_ns), false},
    {"username", read_text, offsetof(struct push_config, username), false},
    {"password_file", read_path, offsetof(struct push_config, password_file), false},
    {"bearer_token_file", read_path, offsetof(struct push_config, bearer_token_file), false},
    {"ca_file", read_path, offsetof(struct push_config, ca_file), false},
    {"cert_file", read_path, offsetof(struct push_config, cert_file), false},
    {"key_file", read_path, offsetof(struct push_config, key_file), false},
};
static const struct schema remote_write_schema = SCHEMA(remote_write_fields);

static int read_remote_write(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    note_places(config, PUSH_REMOTE_WRITE, node);
    int result = reading_mapping(reading, node, &remote_write_schema, &config->remote_write);
    if (result < 0 || push_is_given(config->remote_write.url)) return result;
    return reading_warn(reading, node, "has no effect without url, or --remote-write.url");
}

/* --- All outputs --- */

static const struct field fields[] = {
    {"textfile", read_textfile, 0, false},
    {"push", read_push, 0, false},
    {"remote_write", read_remote_write, 0, false},
};
static const struct schema schema = SCHEMA(fields);

int read_outputs(struct reading *reading, const struct node *node, void *place)
{
    return reading_mapping(reading, node, &schema, place);
}
