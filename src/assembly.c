#include "assembly.h"

#include "metrics/labels.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Longer label sets are refused: each sample of the target would carry them. */
#define LABELS_MAX (16 * 1024)

int assembly_init(struct assembly *assembly, const struct assembly_parts *parts,
                  void (*on_unused)(struct roster *roster), void *owner)
{
    *assembly = (struct assembly){.parts = *parts};
    set_init(&assembly->addresses);
    set_init(&assembly->labels);
    buffer_init(&assembly->scratch, LABELS_MAX);
    assembly->roster = roster_new(on_unused, owner);
    if (!assembly->roster) return UV_ENOMEM;
    for (size_t n = 0; n < parts->config->group_count; n++) {
        const struct config_group *group = &parts->config->groups[n];
        if (!roster_add_group(assembly->roster, group->name, group->module->name)) return UV_ENOMEM;
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
static bool append_found_labels(const struct assembly *assembly, struct buffer *out,
                                const struct config_group *group, const struct results_target *found)
{
    for (size_t n = 0; found && n < found->label_count; n++) {
        const struct results_label *label = &found->labels[n];
        if (strncmp(label->name, "__", 2) == 0 || group_has_label(group, label->name)) continue;
        if (strcmp(label->name, assembly->parts.target_label) == 0 ||
            assembly->parts.label_reserved(slice_of(label->name)))
            return false;
        if (label->value[0]) labels_append(out, label->name, slice_of(label->value));
    }
    return true;
}

/* Into the scratch; false when the target is to be refused. */
static bool render_labels(struct assembly *assembly, const struct config_group *group, const char *name,
                          const struct results_target *found)
{
    struct buffer *out = &assembly->scratch;
    buffer_clear(out);
    labels_append(out, assembly->parts.target_label, slice_of(name));
    for (size_t n = 0; n < group->label_count; n++) append_group_label(out, &group->labels[n], found);
    return append_found_labels(assembly, out, group, found) && !out->failed;
}

/* --- Targets --- */

static void leave_out(struct assembly *assembly, size_t *count, const char *name)
{
    ++*count;
    snprintf(assembly->example, sizeof(assembly->example), "%s", name);
}

static struct target *make_target(struct assembly *assembly, const struct config_group *group,
                                  const struct address *address, const char *name)
{
    struct slice labels = buffer_slice(&assembly->scratch);
    struct target *target = target_new(assembly->parts.fleet, address, NULL, slice_of(name), labels);
    if (!target) return NULL;
    target->group = (unsigned) assembly->group;
    target->commands = group->module->collectors;
    target->timeout_ms = config_timeout_ms(group->module);
    return target;
}

/*
 * The sets keep texts of targets: a client's name stays when its target is left out, for then another target
 * has the same labels, hence the same address and the same client.
 */
static int take(struct assembly *assembly, struct target *target)
{
    bool new_address = true, new_labels = true;
    if (!set_add(&assembly->addresses, slice_of(target->client->name), &new_address)) return UV_ENOMEM;
    if (new_address && !set_add(&assembly->labels, slice_of(target->labels), &new_labels)) return UV_ENOMEM;
    if (new_address && new_labels) return target_list_append(&assembly->roster->targets, target);
    leave_out(assembly, &assembly->duplicates, target->name);
    target_release(target);
    return 0;
}

/* `found` is NULL for a target of the group itself. */
static int add_target(struct assembly *assembly, const struct config_group *group,
                      const struct address *address, const char *name, const struct results_target *found)
{
    if (!shard_owns_address(assembly->parts.shard, address)) return 0;
    if (!render_labels(assembly, group, name, found)) {
        leave_out(assembly, &assembly->refused, name);
        return 0;
    }
    struct target *target = make_target(assembly, group, address, name);
    if (!target) return UV_ENOMEM;
    int result = take(assembly, target);
    if (result < 0) target_release(target);
    return result;
}

static int add_found(struct assembly *assembly, const struct config_group *group,
                     const struct results_target *found)
{
    struct address address;
    const char *expected = address_parse(&address, slice_of(found->address), MEMCACHED_PORT);
    assert(!expected); /* the source has seen to it */
    (void) expected;
    return add_target(assembly, group, &address, found->address, found);
}

/* --- The walk --- */

/* The next list: of the group's first source, of its next one, or the next group's own. */
static void step_on(struct assembly *assembly, const struct config_group *group)
{
    assembly->target = 0;
    if (assembly->source) assembly->found++;
    assembly->source = assembly->source ? assembly->source->next : group->sources;
    if (assembly->source) return;
    assembly->group++;
    set_deinit(&assembly->addresses);
    set_init(&assembly->addresses);
}

/* One target, or the step to the next list. */
static int step_once(struct assembly *assembly)
{
    const struct config_group *group = &assembly->parts.config->groups[assembly->group];
    size_t n = assembly->target++;
    if (!assembly->source && n < group->target_count) {
        const struct config_target *target = &group->targets[n];
        return add_target(assembly, group, &target->address, target->name, NULL);
    }
    if (assembly->source && n < assembly->parts.found[assembly->found]->count) {
        return add_found(assembly, group, &assembly->parts.found[assembly->found]->targets[n]);
    }
    step_on(assembly, group);
    return 0;
}

int assembly_step(struct assembly *assembly, size_t count)
{
    for (; count > 0; count--) {
        if (assembly->group == assembly->parts.config->group_count) return 1;
        int result = step_once(assembly);
        if (result < 0) return result;
    }
    return 0;
}

bool assembly_reads(const struct assembly *assembly, const struct results *found)
{
    return assembly->source && assembly->parts.found[assembly->found] == found;
}

struct roster *assembly_take(struct assembly *assembly)
{
    struct roster *roster = assembly->roster;
    assembly->roster = NULL;
    return roster;
}

void assembly_deinit(struct assembly *assembly)
{
    set_deinit(&assembly->addresses);
    set_deinit(&assembly->labels);
    buffer_deinit(&assembly->scratch);
    roster_release(assembly->roster);
    assembly->roster = NULL;
}
