/*
 * A doubly linked ring. Members embed their link.
 *
 * The list owns nothing. A link that is in no list points at itself. So removing a link twice is harmless,
 * and link_is_linked can tell whether a link is in a list. Every link must be initialised before its first
 * use. container_of finds the member of a link.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next;
};

/* The head is a link that belongs to no member. */
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

/* Inserts `link`, which is in no list, after `before`: another link, or the head. */
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

/* Returns the first member, or NULL if the list is empty. */
static inline struct link *list_first(struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

/* Removes the first member and returns it. Returns NULL if the list is empty. */
static inline struct link *list_pop(struct list *list)
{
    struct link *first = list_first(list);
    if (first) link_remove(first);
    return first;
}

/* Iterates with `at`. `after` remembers the next link, so the loop may remove `at`. */
#define list_each(list, at, after)                                                                           \
    for (struct link *at = (list)->head.next, *after = at->next; at != &(list)->head;                        \
         at = after, after = at->next)

/* Moves all members of `from` to the end of `to`, in order. */
static inline void list_move(struct list *to, struct list *from)
{
    for (struct link *link; (link = list_pop(from));) list_append(to, link);
}

#endif
