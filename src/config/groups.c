/* Reads groups: their names, labels and targets. */
#include "base/container.h"
#include "base/label_name.h"
#include "base/nearest.h"
#include "base/set.h"
#include "config/reading.h"
#include "config/references.h"

#include <uv.h>

/* --- Module --- */

/* Finds a module by its name. `place` receives the pointer to the module. */
static int read_module(struct reading *reading, const struct node *node, void *place)
{
    const struct config *config = reading->config;
    const struct config_module **module = place;
    struct nearest nearest;
    *module = node->kind == NODE_SCALAR ? config_module(config, node->text) : NULL;
    if (*module) return 0;
    nearest_init(&nearest, node->text);
    for (size_t i = 0; i < config->module_count; i++) nearest_try(&nearest, config->modules[i].name);
    return reading_reject_name(reading, node, "the name of a module", nearest.name);
}

/* --- Labels --- */

static int read_label(struct reading *reading, const struct node *node, struct config_label *label)
{
    struct slice name = node->key->text;
    if (!label_name_is_valid(name))
        return reading_reject_key(reading, node,
                                  "a label name of letters, digits and _, not beginning with a digit or __");
    if (reading_label_is_taken(reading, name))
        return reading_reject_key(reading, node, "a label name that no metric uses already");
    if (slice_is(name, reading->config->target_label))
        return reading_reject_key(reading, node, "a label name that differs from the target label");
    if (!node_is_text(node)) return reading_reject(reading, node, "a text");

    int result = copy_text(reading, name, &label->name);
    return result < 0 ? result : read_references(reading, node, label);
}

static int read_labels(struct reading *reading, const struct node *node, void *place)
{
    struct config_group *group = place;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of labels to their values");
    struct config_label *labels = arena_alloc(&reading->config->arena, node->count, sizeof(*labels));
    if (!labels) return UV_ENOMEM;
    group->labels = labels;
    for (const struct node *child = node->first; child; child = child->next) {
        int result = read_label(reading, child, &labels[group->label_count++]);
        if (result < 0) return result;
    }
    return 0;
}

/* --- Targets --- */

/*
 * The targets of one group while they are read. `known` has their canonical addresses, whose texts are in the
 * arena.
 */
struct targets {
    struct config_group *group;
    struct config_target *items;
    struct set known;
    struct buffer address;
};

/* Appends the target. If the group already has its address, keeps the first target and adds a warning. */
static int add_target(struct reading *reading, const struct node *node, struct targets *targets,
                      struct config_target *target)
{
    const char *canonical;
    bool is_new;
    buffer_clear(&targets->address);
    address_format(&target->address, &targets->address);
    int result =
        targets->address.failed ? UV_ENOMEM : copy_text(reading, buffer_slice(&targets->address), &canonical);
    if (result < 0) return result;
    if (!set_add(&targets->known, slice_of(canonical), &is_new)) return UV_ENOMEM;
    if (!is_new) return reading_warn(reading, node, "is listed twice in this group and scraped once");
    targets->items[targets->group->target_count++] = *target;
    reading->config->target_count++;
    return 0;
}

static int read_target(struct reading *reading, const struct node *node, struct targets *targets)
{
    struct config_target target;
    if (!node_is_text(node)) return reading_reject(reading, node, "a text such as host:port");
    if (config_is_dns_target(node->text)) return read_dns_target(reading, node, targets->group);
    const char *expected = address_parse(&target.address, node->text, MEMCACHED_PORT);
    if (expected) return reading_reject(reading, node, expected);
    int result = copy_text(reading, node->text, &target.name);
    return result < 0 ? result : add_target(reading, node, targets, &target);
}

static int read_targets(struct reading *reading, const struct node *node, void *place)
{
    struct targets targets = {.group = place};
    int result = 0;
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list of targets");
    targets.items = arena_alloc(&reading->config->arena, node->count, sizeof(*targets.items));
    if (!targets.items) return UV_ENOMEM;
    targets.group->targets = targets.items;
    set_init(&targets.known);
    buffer_init(&targets.address, 1024);
    for (const struct node *item = node->first; item && result == 0; item = item->next)
        result = read_target(reading, item, &targets);
    buffer_deinit(&targets.address);
    set_deinit(&targets.known);
    return result;
}

/* --- Groups --- */

static const struct field fields[] = {
    {"name", read_text, offsetof(struct config_group, name), true},
    {"module", read_module, offsetof(struct config_group, module), false},
    {"labels", read_labels, 0, false},
    {"targets", read_targets, 0, false},
    {"dns", read_dns, 0, false},
    {"file_sd", read_file_sd, 0, false},
    {"http_sd", read_http_sd, 0, false},
    {"elasticache", read_elasticache, 0, false},
};
static const struct schema schema = SCHEMA(fields);

/* Reads one group. A group without targets and sources is an error; an empty list of targets is allowed. */
static int read_group(struct reading *reading, const struct node *node, struct set *names,
                      struct config_group *group)
{
    bool is_new;
    group->module = &reading->config->modules[0];
    int result = reading_mapping(reading, node, &schema, group);
    if (result < 0) return result;
    if (!group->targets && !group->sources)
        return reading_reject_missing(reading, node, "targets, dns, file_sd, http_sd or elasticache");
    if (!set_add(names, slice_of(group->name), &is_new)) return UV_ENOMEM;
    return is_new ? 0 : reading_reject(reading, node_get(node, "name"), "a name that no other group has");
}

int read_groups(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    struct set names;
    int result = 0;
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list of groups");
    if (node->count > CONFIG_GROUPS_MAX) return reading_reject(reading, node, "at most 10000 groups");
    struct config_group *groups = arena_alloc(&config->arena, node->count, sizeof(*groups));
    if (!groups) return UV_ENOMEM;
    config->groups = groups;
    config->has_groups = true;
    set_init(&names);
    for (const struct node *item = node->first; item && result == 0; item = item->next)
        result = read_group(reading, item, &names, &groups[config->group_count++]);
    set_deinit(&names);
    return result;
}
