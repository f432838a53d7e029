#include "targets/target_list.h"

#include "base/array.h"
#include "metrics/encoder.h"

#include <stdint.h>
#include <stdlib.h>

/*
 * Most bytes of a label set with one name. Escaping may multiply the length of a name of a few hundred bytes.
 */
#define LABELS_MAX 4096

void target_list_clear(struct target_list *list)
{
    for (size_t n = 0; n < list->count; n++) target_release(list->items[n]);
    free(list->items);
    set_deinit(&list->names);
    *list = (struct target_list){0};
}

static bool reserve_item(struct target_list *list)
{
    return array_reserve(&list->items, list->count, &list->size, 4, SIZE_MAX);
}

static struct target *make_named_target(struct fleet *fleet, const struct address *address,
                                        struct profile *profile, const char *label, struct slice name)
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
    bool is_new;
    if (!reserve_item(list)) return UV_ENOMEM;
    struct target *target = make_named_target(fleet, address, profile, label, name);
    if (!target) return UV_ENOMEM;
    if (!set_add(&list->names, slice_of(target->name), &is_new)) {
        target_release(target);
        return UV_ENOMEM;
    }
    if (is_new)
        list->items[list->count++] = target;
    else
        target_release(target);
    return 0;
}

int target_list_append(struct target_list *list, struct target *target)
{
    if (!reserve_item(list)) return UV_ENOMEM;
    list->items[list->count++] = target;
    return 0;
}
