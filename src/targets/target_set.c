#include "targets/target_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct target_set *target_set_new(void (*on_unused)(struct target_set *target_set), void *owner)
{
    struct target_set *target_set = calloc(1, sizeof(*target_set));
    if (!target_set) return NULL;
    target_set->references = 1;
    target_set->on_unused = on_unused;
    target_set->owner = owner;
    return target_set;
}

bool target_set_add_group(struct target_set *target_set, const char *name, const char *module,
                          unsigned number)
{
    size_t size = (target_set->group_count + 1) * sizeof(target_set->groups[0]);
    struct target_set_group *groups = realloc(target_set->groups, size);
    if (!groups) return false;
    target_set->groups = groups;
    struct target_set_group *group = &groups[target_set->group_count++];
    *group = (struct target_set_group){strdup(name), strdup(module), number};
    return group->name && group->module;
}

struct target_set *target_set_hold(struct target_set *target_set)
{
    assert(target_set->references > 0);
    target_set->references++;
    return target_set;
}

void target_set_release(struct target_set *target_set)
{
    if (target_set && --target_set->references == 0) target_set->on_unused(target_set);
}

bool target_set_dismantle(struct target_set *target_set, size_t count)
{
    struct target_list *targets = &target_set->targets;
    assert(target_set->references == 0);
    for (; count > 0 && targets->count > 0; count--) target_release(targets->items[--targets->count]);
    if (targets->count > 0) return false;
    target_list_clear(targets);
    for (size_t n = 0; n < target_set->group_count; n++) {
        free(target_set->groups[n].name);
        free(target_set->groups[n].module);
    }
    free(target_set->groups);
    free(target_set);
    return true;
}
