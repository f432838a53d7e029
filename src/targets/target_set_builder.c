#include "targets/target_set_builder.h"

#include "metrics/labels.h"

#include <stdio.h>
#include <string.h>

/*
 * Most bytes of a target's labels. A target with longer labels is refused, because every sample would carry
 * them.
 */
#define LABELS_MAX (16 * 1024)

int target_set_builder_init(struct target_set_builder *builder, const struct target_set_builder_parts *parts,
                            void (*on_unused)(struct target_set *target_set), void *owner)
{
    *builder = (struct target_set_builder){.parts = *parts};
    set_init(&builder->addresses);
    set_init(&builder->labels);
    buffer_init(&builder->rendered, LABELS_MAX);
    buffer_init(&builder->value, LABELS_MAX);
    builder->target_set = target_set_new(on_unused, owner);
    if (!builder->target_set) return UV_ENOMEM;
    /* Both buffers get all their memory here. So they fail later only if labels are too long. */
    if (!buffer_reserve(&builder->rendered, LABELS_MAX) || !buffer_reserve(&builder->value, LABELS_MAX))
        return UV_ENOMEM;
    for (size_t n = 0; n < parts->config->group_count; n++) {
        const struct config_group *group = &parts->config->groups[n];
        unsigned number = fleet_group(parts->fleet, group->name);
        if (!target_set_add_group(builder->target_set, group->name, group->module->name, number))
            return UV_ENOMEM;
    }
    return 0;
}

/* --- Labels --- */

static const struct results_label *find_label(const struct results_target *found, const char *name)
{
    for (size_t n = 0; found && n < found->label_count; n++) {
        if (strcmp(found->labels[n].name, name) == 0) return &found->labels[n];
    }
    return NULL;
}

/* Appends a label of the group. A label with an empty value is left out: Prometheus treats both alike. */
static void append_group_label(struct target_set_builder *builder, const struct config_label *label,
                               const struct results_target *found)
{
    struct buffer *out = &builder->rendered, *value = &builder->value;
    buffer_clear(value);
    for (size_t n = 0; n < label->count; n++) {
        const struct config_label_part *part = &label->parts[n];
        const struct results_label *referred = part->reference ? find_label(found, part->text) : NULL;
        if (referred)
            buffer_append_string(value, referred->value);
        else if (!part->reference)
            buffer_append_string(value, part->text);
    }
    if (value->len) labels_append(out, label->name, buffer_slice(value));
    if (value->failed) out->failed = true;
}

static bool group_has_label(const struct config_group *group, const char *name)
{
    for (size_t n = 0; n < group->label_count; n++) {
        if (strcmp(group->labels[n].name, name) == 0) return true;
    }
    return false;
}

/* Returns false if a label is not allowed on a sample. */
static bool append_found_labels(struct target_set_builder *builder, const struct config_group *group,
                                const struct results_target *found)
{
    for (size_t n = 0; found && n < found->label_count; n++) {
        const struct results_label *label = &found->labels[n];
        if (strncmp(label->name, "__", 2) == 0 || group_has_label(group, label->name)) continue;
        if (strcmp(label->name, builder->parts.target_label) == 0 ||
            builder->parts.label_reserved(slice_of(label->name)) ||
            ((builder->parts.config->watch.enabled || builder->parts.config->census.enabled) &&
             watch_has_label(slice_of(label->name))))
            return false;
        if (label->value[0]) labels_append(&builder->rendered, label->name, slice_of(label->value));
    }
    return true;
}

/* Writes the labels of a target. Returns false if the target must be refused. */
static bool render_labels(struct target_set_builder *builder, const struct config_group *group,
                          const char *name, const struct results_target *found)
{
    struct buffer *out = &builder->rendered;
    buffer_clear(out);
    labels_append(out, builder->parts.target_label, slice_of(name));
    for (size_t n = 0; n < group->label_count; n++) append_group_label(builder, &group->labels[n], found);
    return append_found_labels(builder, group, found) && !out->failed;
}

/* --- Targets --- */

static void count_dropped(struct target_set_builder_dropped *dropped, const char *name)
{
    dropped->count++;
    snprintf(dropped->example, sizeof(dropped->example), "%s", name);
}

/*
 * Returns the policy for the current target. Users trust what they configure themselves, so it is NULL for
 * most sources. But the servers that an ElastiCache endpoint returns are checked.
 */
static struct policy *policy_of_source(const struct target_set_builder *builder)
{
    struct policy *policy = builder->parts.config->policy;
    if (!builder->source || builder->source->asks.kind != DISCOVERY_ELASTICACHE) return NULL;
    return policy ? policy : policy_none();
}

/*
 * Returns the profile for the current target; consecutive targets of a module share it. Returns NULL when out
 * of memory.
 */
static struct profile *profile_of(struct target_set_builder *builder, const struct config_module *module)
{
    struct policy *policy = policy_of_source(builder);
    if (builder->module == module && builder->profile->policy == policy) return builder->profile;
    profile_release(builder->profile);
    builder->profile = profile_new(module->collectors, config_timeout_ms(module), policy);
    if (builder->profile)
        profile_set_access(builder->profile, module->access, (struct profile_trust){true, true});
    builder->module = builder->profile ? module : NULL;
    return builder->profile;
}

static struct target *make_group_target(struct target_set_builder *builder, const struct config_group *group,
                                        const struct address *address, const char *name)
{
    struct slice labels = buffer_slice(&builder->rendered);
    struct profile *profile = profile_of(builder, group->module);
    struct target *target =
        profile ? target_new(builder->parts.fleet, address, profile, slice_of(name), labels) : NULL;
    if (!target) return NULL;
    target->group = (unsigned) builder->group;
    target->client->group = builder->target_set->groups[builder->group].number;
    return target;
}

/*
 * Appends the target unless it is a duplicate. Only then the sets may borrow its texts, because a duplicate
 * is released.
 */
static int append_unless_duplicate(struct target_set_builder *builder, struct target *target)
{
    struct slice address = slice_of(target->client->key.name), labels = slice_of(target->labels);
    bool is_new;
    if (set_has(&builder->addresses, address) || set_has(&builder->labels, labels)) {
        count_dropped(&builder->duplicates, target->name);
        target_release(target);
        return 0;
    }
    if (target_list_append(&builder->target_set->targets, target) < 0) {
        target_release(target);
        return UV_ENOMEM;
    }
    bool added = set_add(&builder->addresses, address, &is_new) && set_add(&builder->labels, labels, &is_new);
    return added ? 0 : UV_ENOMEM;
}

/* Adds a target. `found` is NULL if the group itself lists the target. */
static int add_target(struct target_set_builder *builder, const struct config_group *group,
                      const struct address *address, const char *name, const struct results_target *found)
{
    if (!shard_owns_address(builder->parts.shard, address)) {
        builder->target_set->elsewhere++;
        return 0;
    }
    if (!render_labels(builder, group, name, found)) {
        count_dropped(&builder->refused, name);
        return 0;
    }
    struct target *target = make_group_target(builder, group, address, name);
    if (!target) return UV_ENOMEM;
    return append_unless_duplicate(builder, target);
}

static int add_found(struct target_set_builder *builder, const struct config_group *group,
                     const struct results_target *found)
{
    struct address address;
    /* Sources leave out what is no address. A text that only they take for one costs itself alone, too. */
    if (address_parse(&address, slice_of(found->address), MEMCACHED_PORT)) {
        count_dropped(&builder->malformed, found->address);
        return 0;
    }
    const struct policy *policy = policy_of_source(builder);
    struct policy_refusal refusal;
    if (policy && policy_check(policy, &address, NULL, &refusal) == POLICY_FORBIDDEN) {
        count_dropped(&builder->forbidden, found->address);
        return 0;
    }
    return add_target(builder, group, &address, found->address, found);
}

/* --- Going through the groups --- */

/* Counts the targets that a source has left out. */
static void count_malformed(struct target_set_builder *builder, const struct results *found)
{
    if (found->dropped == 0) return;
    count_dropped(&builder->malformed, found->dropped_example);
    builder->malformed.count += found->dropped - 1;
}

/* Goes on to the next list: the next source of the group, or the targets listed in the next group. */
static void step_on(struct target_set_builder *builder, const struct config_group *group)
{
    builder->target = 0;
    if (builder->source) count_malformed(builder, builder->parts.found[builder->found++]);
    builder->source = builder->source ? builder->source->next : group->sources;
    if (builder->source) return;
    builder->group++;
    set_deinit(&builder->addresses);
    set_init(&builder->addresses);
}

/* Adds one target, or goes on to the next list. */
static int step_once(struct target_set_builder *builder)
{
    const struct config_group *group = &builder->parts.config->groups[builder->group];
    size_t n = builder->target++;
    if (!builder->source && n < group->target_count) {
        const struct config_target *target = &group->targets[n];
        return add_target(builder, group, &target->address, target->name, NULL);
    }
    if (builder->source && n < builder->parts.found[builder->found]->count) {
        return add_found(builder, group, &builder->parts.found[builder->found]->targets[n]);
    }
    step_on(builder, group);
    return 0;
}

int target_set_builder_step(struct target_set_builder *builder, size_t count)
{
    for (; count > 0; count--) {
        if (builder->group == builder->parts.config->group_count) return 1;
        int result = step_once(builder);
        if (result < 0) return result;
    }
    return 0;
}

bool target_set_builder_reads(const struct target_set_builder *builder, const struct results *found)
{
    return builder->source && builder->parts.found[builder->found] == found;
}

struct target_set *target_set_builder_take(struct target_set_builder *builder)
{
    struct target_set *target_set = builder->target_set;
    builder->target_set = NULL;
    return target_set;
}

void target_set_builder_deinit(struct target_set_builder *builder)
{
    profile_release(builder->profile);
    set_deinit(&builder->addresses);
    set_deinit(&builder->labels);
    buffer_deinit(&builder->rendered);
    buffer_deinit(&builder->value);
    target_set_release(builder->target_set);
    builder->target_set = NULL;
}
