#include "targets/list.h"

#include "metrics/encoder.h"

#include <stdlib.h>

/* A label set of one name: escaping may make a name of a few hundred bytes some times as long. */
#define LABELS_MAX 4096

void target_list_clear(struct target_list *list)
{
    for (size_t n = 0; n < list->count; n++) target_release(list->items[n]);
    free(list->items);
    *list = (struct target_list){0};
}

static bool has_name(const struct target_list *list, struct slice name)
{
    for (size_t n = 0; n < list->count; n++) {
        if (slice_is(name, list->items[n]->name)) return true;
    }
    return false;
}

static bool make_room(struct target_list *list)
{
    if (list->count < list->size) return true;
    size_t size = list->size ? 2 * list->size : 4;
    struct target **items = realloc(list->items, size * sizeof(*items));
    if (!items) return false;
    list->items = items;
    list->size = size;
    return true;
}

static struct target *make_target(struct fleet *fleet, const struct address *address, struct profile *profile,
                                  const char *label, struct slice name)
{
    struct buffer labels;
    struct target *target = NULL;
    buffer_init(&labels, LABELS_MAX);
    labels_append(&labels, label, name);
    if (!labels.failed) target = target_new(fleet, address, profile, name, buffer_slice(&labels));
    buffer_deinit(&labels);
    return target;
}

int target_list_add(struct target_list *list, struct fleet *fleet, const struct address *address,
                    struct profile *profile, const char *label, struct slice name)
{
    if (has_name(list, name)) return 0;
    struct target *target = make_target(fleet, address, profile, label, name);
    if (!target) return UV_ENOMEM;
    int result = target_list_append(list, target);
    if (result < 0) target_release(target);
    return result;
}

int target_list_append(struct target_list *list, struct target *target)
{
    if (!make_room(list)) return UV_ENOMEM;
    list->items[list->count++] = target;
    return 0;
}
