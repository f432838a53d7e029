/* Modules: how servers are asked. What one leaves out is as the flags say. */
#include "base/container.h"
#include "base/nearest.h"
#include "config/reading.h"
#include "memcached/stats.h"

#include <uv.h>

static int read_collector(struct reading *reading, const struct node *node, unsigned *collectors)
{
    struct nearest nearest;
    nearest_init(&nearest, node->text);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        const char *name = command_info(command)->name;
        nearest_try(&nearest, name);
        if (!slice_is(node->text, name)) continue;
        *collectors |= COMMAND_BIT(command);
        return 0;
    }
    return reading_reject_name(reading, node, "a collector such as settings, items or slabs", nearest.name);
}

static int read_collectors(struct reading *reading, const struct node *node, void *place)
{
    unsigned *collectors = place;
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list of collectors");
    *collectors = COMMAND_BIT(COMMAND_STATS);
    for (const struct node *item = node->first; item; item = item->next) {
        int result = read_collector(reading, item, collectors);
        if (result < 0) return result;
    }
    return 0;
}

/* Keys that are reserved but not supported yet. They are refused rather than ignored. */
static int refuse(struct reading *reading, const struct node *node, void *place)
{
    (void) place;
    node_append_key_place(node, reading->error);
    buffer_append_string(reading->error, "is not supported yet");
    return UV_EINVAL;
}

static const struct field fields[] = {
    {"timeout", read_duration, offsetof(struct config_module, timeout_ns), false},
    {"collectors", read_collectors, offsetof(struct config_module, collectors), false},
    {"tls", refuse, 0, false},
    {"auth", refuse, 0, false},
};
static const struct schema schema = SCHEMA(fields);

int read_modules(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    const struct config_rules *rules = reading->rules;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of modules by their names");
    struct config_module *modules = arena_alloc(&config->arena, node->count + 1, sizeof(*modules));
    if (!modules) return UV_ENOMEM;
    modules[0] = config->modules[0];
    config->modules = modules;
    for (const struct node *child = node->first; child; child = child->next) {
        bool is_standard = slice_is(child->key->text, modules[0].name);
        struct config_module *module = is_standard ? modules : &modules[config->module_count++];
        *module = (struct config_module){NULL, rules->timeout_ns, rules->collectors};
        if (child->key->text.len == 0) return reading_reject_key(reading, child, "a name that is not empty");
        int result = copy_text(reading, child->key->text, &module->name);
        if (result == 0) result = reading_mapping(reading, child, &schema, module);
        if (result < 0) return result;
    }
    return 0;
}
