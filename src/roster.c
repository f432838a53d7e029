#include "roster.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct roster *roster_new(void (*on_unused)(struct roster *roster), void *owner)
{
    struct roster *roster = calloc(1, sizeof(*roster));
    if (!roster) return NULL;
    roster->references = 1;
    roster->on_unused = on_unused;
    roster->owner = owner;
    return roster;
}

bool roster_add_group(struct roster *roster, const char *name, const char *module)
{
    size_t size = (roster->group_count + 1) * sizeof(roster->groups[0]);
    struct roster_group *groups = realloc(roster->groups, size);
    if (!groups) return false;
    roster->groups = groups;
    struct roster_group *group = &groups[roster->group_count++];
    *group = (struct roster_group){strdup(name), strdup(module)};
    return group->name && group->module;
}

struct roster *roster_hold(struct roster *roster)
{
    assert(roster->references > 0);
    roster->references++;
    return roster;
}

void roster_release(struct roster *roster)
{
    if (roster && --roster->references == 0) roster->on_unused(roster);
}

bool roster_dismantle(struct roster *roster, size_t count)
{
    struct target_list *targets = &roster->targets;
    assert(roster->references == 0);
    for (; count > 0 && targets->count > 0; count--) target_release(targets->items[--targets->count]);
    if (targets->count > 0) return false;
    target_list_clear(targets);
    for (size_t n = 0; n < roster->group_count; n++) {
        free(roster->groups[n].name);
        free(roster->groups[n].module);
    }
    free(roster->groups);
    free(roster);
    return true;
}
