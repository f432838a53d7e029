#include "document/document.h"

#include "base/utf8.h"

#include <assert.h>

/* Most bytes of a text that a message quotes. */
#define LONGEST_QUOTE 200

void document_init(struct document *document)
{
    *document = (struct document){0};
    arena_init(&document->arena);
}

void document_deinit(struct document *document)
{
    arena_deinit(&document->arena);
    document_init(document);
}

struct node *document_add(struct document *document, enum node_kind kind, unsigned line, unsigned column)
{
    struct node *node = arena_alloc(&document->arena, 1, sizeof(*node));
    if (!node) return NULL;
    document->nodes++;
    node->kind = kind;
    node->line = line;
    node->column = column;
    return node;
}

const char *document_copy(struct document *document, struct slice text)
{
    return arena_copy(&document->arena, text);
}

static struct node *find_child(const struct node *mapping, struct slice key)
{
    struct node *child = mapping->first;
    while (child && !slice_equal(child->key->text, key)) child = child->next;
    return child;
}

static size_t depth_of(const struct node *node)
{
    size_t depth = 0;
    for (; node; node = node->parent) depth++;
    return depth;
}

/* Returns what was expected, if the child must not be added to `parent`. Returns NULL if it may be added. */
static const char *check(const struct document *document, const struct node *parent, const struct node *key)
{
    if (document->nodes > DOCUMENT_NODES_MAX) return "at most 2000000 values";
    if (!parent) return document->root ? "one document" : NULL;
    if (depth_of(parent) >= DOCUMENT_DEPTH_MAX) return "at most 32 levels of lists and mappings";
    if (parent->kind == NODE_SEQUENCE) return NULL;
    assert(key && parent->kind == NODE_MAPPING);
    if (parent->count >= DOCUMENT_KEYS_MAX) return "at most 256 keys in a mapping";
    return find_child(parent, key->text) ? "each key once" : NULL;
}

const char *document_append(struct document *document, struct node *parent, struct node *key,
                            struct node *child)
{
    const char *expected = check(document, parent, key);
    child->key = key;
    child->parent = parent;
    if (expected) return expected;
    if (!parent) {
        document->root = child;
        return NULL;
    }
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
    return NULL;
}

void document_remove(struct node *child)
{
    struct node *parent = child->parent, **at = &parent->first, *before = NULL;
    while (*at != child) {
        before = *at;
        at = &before->next;
    }
    *at = child->next;
    if (parent->last == child) parent->last = before;
    child->next = NULL;
    parent->count--;
}

const struct node *node_get(const struct node *mapping, const char *key)
{
    return mapping->kind == NODE_MAPPING ? find_child(mapping, slice_of(key)) : NULL;
}

/* Returns at most the first `most` bytes of `text`, without splitting a character. */
static struct slice cut(struct slice text, size_t most)
{
    if (text.len <= most) return text;
    while (((unsigned char) text.data[most] & 0xc0) == 0x80) most--;
    text.len = most;
    return text;
}

/*
 * Returns true for a URL with credentials or a query, which may contain a token. Messages are logged, so they
 * must not quote such URLs.
 */
static bool may_hold_secret(struct slice text)
{
    bool is_url = text.len && memmem(text.data, text.len, "://", 3);
    return is_url && (memchr(text.data, '@', text.len) || memchr(text.data, '?', text.len));
}

void node_append_found(const struct node *node, struct buffer *out)
{
    struct slice shown = cut(node->text, LONGEST_QUOTE);
    if (node->kind == NODE_SEQUENCE) {
        buffer_append_string(out, "a list");
    } else if (node->kind == NODE_MAPPING) {
        buffer_append_string(out, "a mapping");
    } else if (node->text.len == 0 && !node->quoted) {
        buffer_append_string(out, "nothing");
    } else if (may_hold_secret(node->text)) {
        buffer_append_string(out, "a URL");
    } else {
        buffer_append_char(out, '"');
        utf8_append_escaped(out, shown);
        buffer_append_string(out, shown.len < node->text.len ? "...\"" : "\"");
    }
}

/*
 * Returns the index of the node among its siblings. A node that document_append refused gets the index after
 * the last sibling.
 */
static size_t place_among_siblings(const struct node *node)
{
    size_t place = 0;
    for (const struct node *at = node->parent->first; at && at != node; at = at->next) place++;
    return place;
}

/* Appends the path from the root: groups[2].dns.port. */
static void append_path(const struct node *node, struct buffer *out)
{
    const struct node *parent = node->parent;
    if (!parent) return;
    append_path(parent, out);
    if (parent->kind == NODE_SEQUENCE) {
        buffer_printf(out, "[%zu]", place_among_siblings(node));
        return;
    }
    if (parent->parent) buffer_append_char(out, '.');
    utf8_append_escaped(out, cut(node->key->text, LONGEST_QUOTE));
}

static void append_place(const struct node *node, const struct node *at, struct buffer *out)
{
    if (at->line) buffer_printf(out, "%u:%u: ", at->line, at->column);
    append_path(node, out);
    if (node->parent) buffer_append_string(out, ": ");
}

void node_append_place(const struct node *node, struct buffer *out)
{
    append_place(node, node, out);
}

void node_append_key_place(const struct node *node, struct buffer *out)
{
    append_place(node, node->key, out);
}

void node_append_fault(const struct node *node, const char *expected, struct buffer *out)
{
    node_append_place(node, out);
    node_append_found(node, out);
    buffer_printf(out, ": expected %s", expected);
}
