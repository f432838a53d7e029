#include "config/config.h"

#include "base/container.h"
#include "base/duration.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "config/reading.h"

#include <inttypes.h>
#include <stdio.h>
#include <uv.h>

/* --- Top level --- */

static int read_shard(struct reading *reading, const struct node *node, void *place)
{
    const char *expected = node_is_text(node) ? shard_parse(place, node->text) : "a shard such as 0/4";
    return expected ? reading_reject(reading, node, expected) : 0;
}

static int read_rules(struct reading *reading, const struct node *node, void *place)
{
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list of rules");
    for (const struct node *item = node->first; item; item = item->next) {
        struct policy_rule rule;
        const char *expected = "a rule such as private, 10.0.0.0/8 or *.example.com";
        if (node_is_text(item)) expected = policy_rule_parse(&rule, item->text);
        if (expected) return reading_reject(reading, item, expected);
        if (!policy_add(place, &rule)) return UV_ENOMEM;
    }
    return 0;
}

/*
 * Warns about rules that may not deny what is meant. Runs after both lists are read, because two rules may
 * belong together.
 */
static int doubt_denied(struct reading *reading, const struct node *deny, const struct policy_rules *rules)
{
    const struct node *item = deny->first;
    for (size_t n = 0; n < rules->count; n++, item = item->next) {
        const char *doubt = policy_rule_doubt(&rules->items[n], rules->items, rules->count);
        if (doubt && reading_warn(reading, item, doubt) < 0) return UV_ENOMEM;
    }
    return 0;
}

static int read_policy(struct reading *reading, const struct node *node, void *place)
{
    static const struct field fields[] = {
        {"allow", read_rules, offsetof(struct policy, allow), false},
        {"deny", read_rules, offsetof(struct policy, deny), false},
    };
    static const struct schema schema = SCHEMA(fields);
    struct policy **policy = place;
    reading->config->has_policy = true;
    *policy = policy_new();
    int result = *policy ? reading_mapping(reading, node, &schema, *policy) : UV_ENOMEM;
    const struct node *allow = result == 0 ? node_get(node, "allow") : NULL;
    if (allow && !allow->first)
        result = reading_warn(reading, allow,
                              "is empty, so that private addresses are allowed, as without the list; "
                              "--no-scrape.endpoint forbids all");
    const struct node *deny = result == 0 ? node_get(node, "deny") : NULL;
    return deny ? doubt_denied(reading, deny, &(*policy)->deny) : result;
}

/* The order matters: groups refer to modules, and labels of groups must differ from the target label. */
static const struct field fields[] = {
    {"target_label", read_label_name, offsetof(struct config, target_label), false},
    {"shard", read_shard, offsetof(struct config, shard), false},
    {"scrape_policy", read_policy, offsetof(struct config, policy), false},
    {"watch", read_watch, 0, false},
    {"census", read_census, 0, false},
    {"outputs", read_outputs, 0, false},
    {"modules", read_modules, 0, false},
    {"groups", read_groups, 0, false},
};
static const struct schema schema = SCHEMA(fields);

static int read_root(struct reading *reading, const struct node *root)
{
    /* A text without any node, such as one of comments only, is reported at its first character. */
    static const struct node nothing = {.kind = NODE_SCALAR, .line = 1, .column = 1};
    if (!root) root = &nothing;
    if (root->kind != NODE_MAPPING) return reading_reject(reading, root, "a mapping with groups");
    return reading_mapping(reading, root, &schema, reading->config);
}

/* --- Texts --- */

static int set_names(struct config *config, struct slice file, struct slice text)
{
    const char *slash = memrchr(file.data, '/', file.len);
    struct slice directory = slash ? (struct slice){file.data, (size_t) (slash - file.data)} : SLICE(".");
    if (slash == file.data) directory.len = 1;
    snprintf(config->hash, sizeof(config->hash), "%016" PRIx64, hash_fnv1a(text));
    config->file = arena_copy(&config->arena, file);
    config->directory = arena_copy(&config->arena, directory);
    return config->file && config->directory ? 0 : UV_ENOMEM;
}

static int read_document(struct reading *reading, struct slice text)
{
    struct document document;
    int result = document_read_yaml(&document, text, DOCUMENT_NO_ALIASES, reading->error);
    if (result == 0) result = read_root(reading, document.root);
    document_deinit(&document);
    return result;
}

int config_init(struct config *config, const struct config_rules *rules)
{
    *config = (struct config){
        .directory = ".",
        .target_label = rules->target_label,
        .shard = rules->shard,
        .textfile = rules->textfile,
        .textfile_interval_ns = rules->textfile_interval_ns,
        .push = rules->push,
        .remote_write = rules->remote_write,
    };
    config->remote_write.kind = PUSH_REMOTE_WRITE;
    watch_config_init(&config->watch);
    census_config_init(&config->census);
    arena_init(&config->arena);
    struct config_module *module = arena_alloc(&config->arena, 1, sizeof(*module));
    if (!module) return UV_ENOMEM;
    *module = (struct config_module){.name = "default",
                                     .timeout_ns = rules->timeout_ns,
                                     .collectors = rules->collectors,
                                     .wants = rules->wants};
    config->modules = module;
    config->module_count = 1;
    return 0;
}

int config_read(struct config *config, const char *file, struct slice text, const struct config_rules *rules,
                struct buffer *error)
{
    struct reading reading = {.arena = &config->arena, .config = config, .rules = rules, .error = error};
    int result = config_init(config, rules);
    buffer_clear(error);
    utf8_append_escaped(error, slice_of(file));
    buffer_append_char(error, ':');
    size_t prefix = error->len;
    if (result == 0) result = set_names(config, slice_of(file), text);
    reading.directory = config->directory;
    if (result == 0) result = read_document(&reading, text);
    if (result == 0) buffer_clear(error);
    if (result == UV_ENOMEM) {
        error->len = prefix;
        buffer_append_string(error, " out of memory");
    }
    return result;
}

void config_deinit(struct config *config)
{
    for (size_t n = 0; n < config->module_count; n++) access_release(config->modules[n].access);
    policy_release(config->policy);
    arena_deinit(&config->arena);
    *config = (struct config){0};
}

uint64_t config_timeout_ms(const struct config_module *module)
{
    return duration_to_ms(module->timeout_ns);
}

const struct config_module *config_module(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->module_count; i++) {
        if (slice_is(name, config->modules[i].name)) return &config->modules[i];
    }
    return NULL;
}
