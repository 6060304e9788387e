/*
 * Doubly linked lists, circular, with the node inside the object. An empty list is a head that
 * points to itself; so is a node after list_remove(), which may therefore be removed again.
 */
#ifndef CAISSON_LIB_LIST_H
#define CAISSON_LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev;
};

/* The object of `type` in which ptr is the node called `member`. */
#define LIST_ENTRY(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A head that needs no list_init(). */
#define LIST_INIT(head)                                                                            \
    {                                                                                              \
        &(head), &(head)                                                                           \
    }

static inline void list_init(struct list_node *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

/* As the last of the list: also, with any node for head, just before that node. */
static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* pos and next are struct list_node *. The safe form allows the removal of pos. */
#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, after, head)                                                       \
    for (pos = (head)->next, after = pos->next; pos != (head); pos = after, after = pos->next)

#endif
