#include "config/reading.h"

#include "base/nearest.h"
#include "base/utf8.h"

#include <uv.h>

/* --- Messages --- */

int reading_reject(struct reading *reading, const struct node *node, const char *expected)
{
    node_append_fault(node, expected, reading->error);
    return UV_EINVAL;
}

int reading_reject_key(struct reading *reading, const struct node *node, const char *expected)
{
    node_append_key_place(node, reading->error);
    buffer_printf(reading->error, "expected %s", expected);
    return UV_EINVAL;
}

int reading_reject_unseen(struct reading *reading, const struct node *node, const char *expected)
{
    node_append_place(node, reading->error);
    buffer_printf(reading->error, "expected %s", expected);
    return UV_EINVAL;
}

int reading_reject_missing(struct reading *reading, const struct node *node, const char *key)
{
    node_append_place(node, reading->error);
    buffer_printf(reading->error, "expected the key %s", key);
    return UV_EINVAL;
}

int reading_reject_name(struct reading *reading, const struct node *node, const char *expected,
                        const char *nearest)
{
    reading_reject(reading, node, expected);
    if (nearest) buffer_printf(reading->error, " (did you mean %s?)", nearest);
    return UV_EINVAL;
}

int config_warn(struct config *config, struct slice line)
{
    struct config_warning **last = &config->warnings;
    if (config->warning_count++ >= CONFIG_WARNINGS_MAX) return 0;
    struct config_warning *warning = arena_alloc(&config->arena, 1, sizeof(*warning));
    if (!warning) return UV_ENOMEM;
    warning->text = arena_copy(&config->arena, line);
    if (!warning->text) return UV_ENOMEM;
    while (*last) last = &(*last)->next;
    *last = warning;
    return 0;
}

int reading_warn(struct reading *reading, const struct node *node, const char *what)
{
    struct config *config = reading->config;
    struct buffer line;
    buffer_init(&line, SIZE_MAX / 2);
    utf8_append_escaped(&line, slice_of(config->file));
    buffer_append_char(&line, ':');
    node_append_place(node, &line);
    node_append_found(node, &line);
    buffer_printf(&line, ": %s", what);
    int result = line.failed ? UV_ENOMEM : config_warn(config, buffer_slice(&line));
    buffer_deinit(&line);
    return result;
}

/* --- Mappings --- */

static bool has_key(const struct schema *schema, struct slice key)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (slice_is(key, schema->fields[i].key)) return true;
    }
    return false;
}

/*
 * Reports an unknown key. The message suggests the nearest known key; if no key is near, it lists all keys.
 */
static int reject_key(struct reading *reading, const struct node *node, const struct schema *schema)
{
    struct nearest nearest;
    nearest_init(&nearest, node->key->text);
    for (size_t i = 0; i < schema->count; i++) nearest_try(&nearest, schema->fields[i].key);
    node_append_key_place(node, reading->error);
    buffer_append_string(reading->error, "unknown key");
    if (nearest.name) {
        buffer_printf(reading->error, " (did you mean %s?)", nearest.name);
        return UV_EINVAL;
    }
    for (size_t i = 0; i < schema->count; i++)
        buffer_printf(reading->error, "%s%s", i ? ", " : ", expected one of ", schema->fields[i].key);
    return UV_EINVAL;
}

int reading_mapping(struct reading *reading, const struct node *node, const struct schema *schema,
                    void *place)
{
    if (node->kind != NODE_MAPPING) return reading_reject(reading, node, "a mapping");
    for (const struct node *child = node->first; child; child = child->next) {
        if (!has_key(schema, child->key->text)) return reject_key(reading, child, schema);
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *field = &schema->fields[i];
        const struct node *value = node_get(node, field->key);
        if (!value && field->required) return reading_reject_missing(reading, node, field->key);
        int result = value ? field->read(reading, value, (char *) place + field->offset) : 0;
        if (result < 0) return result;
    }
    return 0;
}
