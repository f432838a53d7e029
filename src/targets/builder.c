#include "targets/builder.h"

#include "metrics/labels.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Longer label sets are refused: each sample of the target would carry them. */
#define LABELS_MAX (16 * 1024)

int target_set_builder_init(struct target_set_builder *builder, const struct target_set_builder_parts *parts,
                            void (*on_unused)(struct target_set *target_set), void *owner)
{
    *builder = (struct target_set_builder){.parts = *parts};
    set_init(&builder->addresses);
    set_init(&builder->labels);
    buffer_init(&builder->scratch, LABELS_MAX);
    builder->target_set = target_set_new(on_unused, owner);
    if (!builder->target_set) return UV_ENOMEM;
    for (size_t n = 0; n < parts->config->group_count; n++) {
        const struct config_group *group = &parts->config->groups[n];
        if (!target_set_add_group(builder->target_set, group->name, group->module->name)) return UV_ENOMEM;
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

/* An empty value is no label to Prometheus, and none is written. */
static void append_group_label(struct buffer *out, const struct config_label *label,
                               const struct results_target *found)
{
    struct buffer value;
    buffer_init(&value, LABELS_MAX);
    for (size_t n = 0; n < label->count; n++) {
        const struct config_label_part *part = &label->parts[n];
        const struct results_label *referred = part->reference ? find_label(found, part->text) : NULL;
        if (referred)
            buffer_append_string(&value, referred->value);
        else if (!part->reference)
            buffer_append_string(&value, part->text);
    }
    if (value.len) labels_append(out, label->name, buffer_slice(&value));
    if (value.failed) out->failed = true;
    buffer_deinit(&value);
}

static bool group_has_label(const struct config_group *group, const char *name)
{
    for (size_t n = 0; n < group->label_count; n++) {
        if (strcmp(group->labels[n].name, name) == 0) return true;
    }
    return false;
}

/* False when a label cannot be one of a sample. */
static bool append_found_labels(const struct target_set_builder *builder, struct buffer *out,
                                const struct config_group *group, const struct results_target *found)
{
    for (size_t n = 0; found && n < found->label_count; n++) {
        const struct results_label *label = &found->labels[n];
        if (strncmp(label->name, "__", 2) == 0 || group_has_label(group, label->name)) continue;
        if (strcmp(label->name, builder->parts.target_label) == 0 ||
            builder->parts.label_reserved(slice_of(label->name)))
            return false;
        if (label->value[0]) labels_append(out, label->name, slice_of(label->value));
    }
    return true;
}

/* Into the scratch; false when the target is to be refused. */
static bool render_labels(struct target_set_builder *builder, const struct config_group *group,
                          const char *name, const struct results_target *found)
{
    struct buffer *out = &builder->scratch;
    buffer_clear(out);
    labels_append(out, builder->parts.target_label, slice_of(name));
    for (size_t n = 0; n < group->label_count; n++) append_group_label(out, &group->labels[n], found);
    return append_found_labels(builder, out, group, found) && !out->failed;
}

/* --- Targets --- */

static void leave_out(struct target_set_builder *builder, size_t *count, const char *name)
{
    ++*count;
    snprintf(builder->example, sizeof(builder->example), "%s", name);
}

/* Targets of one module that stand together share a profile. NULL when out of memory. */
static struct profile *profile_of(struct target_set_builder *builder, const struct config_module *module)
{
    if (builder->module == module) return builder->profile;
    profile_release(builder->profile);
    builder->profile = profile_new(module->collectors, config_timeout_ms(module), NULL);
    builder->module = builder->profile ? module : NULL;
    return builder->profile;
}

static struct target *make_target(struct target_set_builder *builder, const struct config_group *group,
                                  const struct address *address, const char *name)
{
    struct slice labels = buffer_slice(&builder->scratch);
    struct profile *profile = profile_of(builder, group->module);
    struct target *target =
        profile ? target_new(builder->parts.fleet, address, profile, slice_of(name), labels) : NULL;
    if (target) target->group = (unsigned) builder->group;
    return target;
}

/*
 * The sets keep texts of targets: a client's name stays when its target is left out, for then another target
 * has the same labels, hence the same address and the same client.
 */
static int take(struct target_set_builder *builder, struct target *target)
{
    bool new_address = true, new_labels = true;
    if (!set_add(&builder->addresses, slice_of(target->client->key.name), &new_address)) return UV_ENOMEM;
    if (new_address && !set_add(&builder->labels, slice_of(target->labels), &new_labels)) return UV_ENOMEM;
    if (new_address && new_labels) return target_list_append(&builder->target_set->targets, target);
    leave_out(builder, &builder->duplicates, target->name);
    target_release(target);
    return 0;
}

/* `found` is NULL for a target of the group itself. */
static int add_target(struct target_set_builder *builder, const struct config_group *group,
                      const struct address *address, const char *name, const struct results_target *found)
{
    if (!shard_owns_address(builder->parts.shard, address)) return 0;
    if (!render_labels(builder, group, name, found)) {
        leave_out(builder, &builder->refused, name);
        return 0;
    }
    struct target *target = make_target(builder, group, address, name);
    if (!target) return UV_ENOMEM;
    int result = take(builder, target);
    if (result < 0) target_release(target);
    return result;
}

static int add_found(struct target_set_builder *builder, const struct config_group *group,
                     const struct results_target *found)
{
    struct address address;
    const char *expected = address_parse(&address, slice_of(found->address), MEMCACHED_PORT);
    assert(!expected); /* the source has seen to it */
    (void) expected;
    return add_target(builder, group, &address, found->address, found);
}

/* --- The walk --- */

/* The next list: of the group's first source, of its next one, or the next group's own. */
static void step_on(struct target_set_builder *builder, const struct config_group *group)
{
    builder->target = 0;
    if (builder->source) builder->found++;
    builder->source = builder->source ? builder->source->next : group->sources;
    if (builder->source) return;
    builder->group++;
    set_deinit(&builder->addresses);
    set_init(&builder->addresses);
}

/* One target, or the step to the next list. */
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
    buffer_deinit(&builder->scratch);
    target_set_release(builder->target_set);
    builder->target_set = NULL;
}
