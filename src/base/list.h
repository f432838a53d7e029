/*
 * A doubly linked ring for members that embed their link.
 *
 * The list owns nothing. A link that is in no list points at itself, so that
 * removing twice is harmless and `link_is_linked` can tell; every link is
 * initialised before its first use. Find the member with container_of.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next;
};

/* The head of a list is a link that belongs to no member. */
struct list {
    struct link head;
};

static inline void link_init(struct link *link)
{
    link->previous = link->next = link;
}

static inline void list_init(struct list *list)
{
    link_init(&list->head);
}

static inline bool list_is_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

static inline bool link_is_linked(const struct link *link)
{
    return link->next != link;
}

static inline void list_append(struct list *list, struct link *link)
{
    link->previous = list->head.previous;
    link->next = &list->head;
    list->head.previous->next = link;
    list->head.previous = link;
}

/* Puts a link that is in no list behind another one, or behind the head. */
static inline void link_insert(struct link *before, struct link *link)
{
    link->previous = before;
    link->next = before->next;
    before->next->previous = link;
    before->next = link;
}

static inline void link_remove(struct link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link_init(link);
}

/* The oldest member, or NULL. */
static inline struct link *list_first(struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

/* Takes the oldest member out; NULL when there is none. */
static inline struct link *list_pop(struct list *list)
{
    struct link *first = list_first(list);
    if (first) link_remove(first);
    return first;
}

/* Walks with `at`; `after` keeps the place, so that `at` may be removed on the way. */
#define list_each(list, at, after)                                                                           \
    for (struct link *at = (list)->head.next, *after = at->next; at != &(list)->head;                        \
         at = after, after = at->next)

/* Moves all members of `from` to the end of `to`, in their order. */
static inline void list_move(struct list *to, struct list *from)
{
    for (struct link *link; (link = list_pop(from));) list_append(to, link);
}

#endif
