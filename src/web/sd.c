#include "web/sd.h"

#include "base/container.h"
#include "base/utf8.h"
#include "metrics/labels.h"

#include <limits.h>
#include <stdlib.h>

/* More bytes than all labels of a target can have, see targets/target_set_builder.c. */
#define LABELS_ROOM (256 * 1024)

struct sd {
    struct producer producer;
    struct target_set *target_set; /* holds a reference */
    bool all;                      /* list all groups */
    unsigned group;                /* index of the only group to list, unless `all` */
    bool with_modules;
    struct buffer target_label; /* name of the label that holds the target's name */
    size_t next;                /* index of the next target to write */
    const struct target *open;  /* first target of the unfinished entry; NULL before the first entry */
};

static bool find_group(const struct target_set *target_set, struct slice name, unsigned *place)
{
    for (size_t n = 0; n < target_set->group_count; n++) {
        *place = (unsigned) n;
        if (slice_is(name, target_set->groups[n].name)) return true;
    }
    return false;
}

bool sd_has_group(const struct target_set *target_set, struct slice name)
{
    unsigned place;
    return find_group(target_set, name, &place);
}

/* --- JSON --- */

static void append_string(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    utf8_append_escaped(out, text);
    buffer_append_char(out, '"');
}

/* Appends a member of an object. `any` is true if the object already has a member; it becomes true. */
static void append_member(struct buffer *out, bool *any, struct slice name, struct slice value)
{
    if (*any) buffer_append_char(out, ',');
    *any = true;
    append_string(out, name);
    buffer_append_char(out, ':');
    append_string(out, value);
}

static void append_group(const struct sd *sd, const struct target *target, struct buffer *out, bool *any)
{
    const struct target_set_group *group = &sd->target_set->groups[target->group];
    if (group->name[0]) append_member(out, any, SLICE("__meta_memcached_group"), slice_of(group->name));
    if (!sd->with_modules) return;
    append_member(out, any, SLICE("__meta_memcached_module"), slice_of(group->module));
    append_member(out, any, SLICE("__param_module"), slice_of(group->module));
}

/*
 * Returns the labels of the target without the label that holds its name. That label, if present, comes
 * first.
 */
static struct slice labels_of(const struct sd *sd, const struct target *target)
{
    struct slice labels = slice_of(target->labels), rest = labels;
    struct label first;
    bool named = labels_next(&rest, &first) && slice_equal(first.name, buffer_slice(&sd->target_label));
    return named ? rest : labels;
}

/* Appends the JSON object with the labels of the target. */
static void append_labels(const struct sd *sd, const struct target *target, struct buffer *out)
{
    struct slice rest = labels_of(sd, target);
    struct label label;
    struct buffer value;
    bool any = false;
    buffer_init(&value, LABELS_ROOM);
    buffer_append_char(out, '{');
    while (labels_next(&rest, &label)) {
        buffer_clear(&value);
        label_append_value(&value, &label);
        append_member(out, &any, label.name, buffer_slice(&value));
        if (value.failed) out->failed = true;
    }
    append_group(sd, target, out, &any);
    buffer_append_char(out, '}');
    buffer_deinit(&value);
}

/* --- Entries --- */

/*
 * Compares the rendered labels as text. This is fast enough: a fleet has thousands of targets, but few
 * different sets of labels.
 */
static bool same_labels(const struct sd *sd, const struct target *a, const struct target *b)
{
    return a->group == b->group && slice_equal(labels_of(sd, a), labels_of(sd, b));
}

static void end_entry(struct sd *sd, struct buffer *out)
{
    if (!sd->open) return;
    buffer_append_string(out, "],\"labels\":");
    append_labels(sd, sd->open, out);
    buffer_append_char(out, '}');
}

static void append_target(struct sd *sd, const struct target *target, struct buffer *out)
{
    if (!sd->all && target->group != sd->group) return;
    if (sd->open && same_labels(sd, sd->open, target)) {
        buffer_append_char(out, ',');
    } else {
        end_entry(sd, out);
        buffer_append_string(out, sd->open ? ",\n{\"targets\":[" : "\n{\"targets\":[");
        sd->open = target;
    }
    append_string(out, slice_of(target->name));
}

static bool fill(struct producer *producer, struct buffer *out, size_t want)
{
    struct sd *sd = container_of(producer, struct sd, producer);
    const struct target_list *targets = &sd->target_set->targets;
    if (sd->next == 0) buffer_append_char(out, '[');
    size_t start = out->len;
    while (sd->next < targets->count && out->len - start < want && !out->failed)
        append_target(sd, targets->items[sd->next++], out);
    if (sd->next < targets->count) return true;
    end_entry(sd, out);
    buffer_append_string(out, sd->open ? "\n]\n" : "]\n");
    return false;
}

/* --- Creation and release --- */

static void release(struct producer *producer)
{
    struct sd *sd = container_of(producer, struct sd, producer);
    target_set_release(sd->target_set);
    buffer_deinit(&sd->target_label);
    free(sd);
}

struct producer *sd_producer(const struct sd_request *request)
{
    struct sd *sd = calloc(1, sizeof(*sd));
    if (!sd) return NULL;
    sd->producer = (struct producer){.fill = fill, .release = release};
    sd->target_set = target_set_hold(request->target_set);
    sd->with_modules = request->with_modules;
    sd->all = !request->group.data;
    if (!sd->all && !find_group(sd->target_set, request->group, &sd->group)) sd->group = UINT_MAX;
    buffer_init(&sd->target_label, LABELS_ROOM);
    buffer_append_string(&sd->target_label, request->target_label);
    if (!sd->target_label.failed) return &sd->producer;
    release(&sd->producer);
    return NULL;
}
