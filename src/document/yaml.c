/*
 * Turns libyaml's events into the tree. An event either opens or closes a node. A new node is added to the
 * innermost open list or mapping. In a mapping, scalars alternate between key and value.
 *
 * Why events, and not libyaml's own tree or a schema library such as libcyaml: those do not keep the
 * positions that error messages need, and they expand aliases before a limit can stop them. Reading stops at
 * the first event that is refused, so a text cannot build a tree that is too large or too deep.
 *
 * An alias becomes a copy of the anchor's node, at the place of the alias. The copies are counted, so that
 * nested aliases soon reach the limit. A merge key is an ordinary key until its mapping closes. Then the keys
 * of the merged mappings replace it.
 */
#include "document/document.h"

#include <uv.h>
#include <yaml.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A node that aliases can refer to. */
struct anchor {
    struct anchor *older;
    const char *name; /* in the document's arena */
    struct node *node;
};

struct yaml_reader {
    yaml_parser_t parser;
    struct document *document;
    struct slice text;
    struct buffer *error;
    struct node *open; /* innermost open list or mapping; NULL at the top level */
    struct node *key;  /* in a mapping: key of the next value; NULL if a key comes next */
    enum document_aliases aliases;
    struct anchor *anchors; /* in the document's arena; the newest first */
    size_t copies;          /* number of nodes that aliases have created */
};

static int reject(struct yaml_reader *reader, const struct node *node, const char *expected)
{
    node_append_fault(node, expected, reader->error);
    return UV_EINVAL;
}

/* --- Errors that libyaml finds --- */

/*
 * Returns the line and column of a byte, counted from 0 like libyaml's. For errors where libyaml knows only
 * the offset.
 */
static yaml_mark_t mark_of(struct slice text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t at = 0; at < offset && at < text.len; at++) {
        bool continues = ((unsigned char) text.data[at] & 0xc0) == 0x80;
        if (!continues) mark.column++;
        if (text.data[at] != '\n') continue;
        mark.line++;
        mark.column = 0;
    }
    return mark;
}

/* Writes libyaml's message about bytes that are not valid text, or about text that is not YAML. */
static int report_syntax(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) return UV_ENOMEM;
    if (parser->error == YAML_READER_ERROR) mark = mark_of(reader->text, parser->problem_offset);
    buffer_printf(reader->error, "%zu:%zu: expected YAML: %s", mark.line + 1, mark.column + 1,
                  parser->problem);
    if (parser->context) buffer_printf(reader->error, " %s", parser->context);
    return UV_EINVAL;
}

/* --- Nodes --- */

static struct slice text_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (struct slice){(const char *) event->data.scalar.value, event->data.scalar.length};
    if (event->type == YAML_ALIAS_EVENT) return slice_of((const char *) event->data.alias.anchor);
    return (struct slice){NULL, 0};
}

/* Returns true if the node has an explicit type (a tag). */
static bool has_type(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag ||
               (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.plain_implicit);
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag != NULL;
    default:
        return event->data.mapping_start.tag != NULL;
    }
}

static enum node_kind kind_of(const yaml_event_t *event)
{
    if (event->type == YAML_SEQUENCE_START_EVENT) return NODE_SEQUENCE;
    return event->type == YAML_MAPPING_START_EVENT ? NODE_MAPPING : NODE_SCALAR;
}

static struct node *make_node(struct yaml_reader *reader, const yaml_event_t *event)
{
    struct slice text = text_of(event);
    unsigned line = (unsigned) event->start_mark.line + 1, column = (unsigned) event->start_mark.column + 1;
    struct node *node = document_add(reader->document, kind_of(event), line, column);
    if (!node || node->kind != NODE_SCALAR) return node;
    node->quoted = event->type == YAML_SCALAR_EVENT && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = (struct slice){document_copy(reader->document, text), text.len};
    return node->text.data ? node : NULL;
}

/* Adds the node at the current place: as the next key, as a value, or as an item. */
static int place_node(struct yaml_reader *reader, struct node *node)
{
    bool is_key = reader->open && reader->open->kind == NODE_MAPPING && !reader->key;
    if (is_key && node->kind == NODE_SCALAR) {
        reader->key = node;
        return 0;
    }
    if (is_key) return reject(reader, node, "a text as the key");
    const char *expected = document_append(reader->document, reader->open, reader->key, node);
    if (expected) return reject(reader, node, expected);
    reader->key = NULL;
    if (node->kind != NODE_SCALAR) reader->open = node;
    return 0;
}

/* --- Anchors, aliases and merge keys --- */

static const char *anchor_of(const yaml_event_t *event)
{
    const yaml_char_t *name = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                              : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                                         : event->data.mapping_start.anchor;
    return (const char *) name;
}

static int remember_anchor(struct yaml_reader *reader, const char *name, struct node *node)
{
    struct anchor *anchor = arena_alloc(&reader->document->arena, 1, sizeof(*anchor));
    if (!anchor) return UV_ENOMEM;
    *anchor = (struct anchor){reader->anchors, document_copy(reader->document, slice_of(name)), node};
    reader->anchors = anchor;
    return anchor->name ? 0 : UV_ENOMEM;
}

/*
 * Returns the node of the newest anchor with this name. Returns NULL if there is none, or if its node is
 * still open.
 */
static struct node *find_anchor(const struct yaml_reader *reader, const char *name)
{
    const struct anchor *anchor = reader->anchors;
    while (anchor && strcmp(anchor->name, name) != 0) anchor = anchor->older;
    for (const struct node *at = reader->open; at && anchor; at = at->parent) {
        if (at == anchor->node) return NULL;
    }
    return anchor ? anchor->node : NULL;
}

/*
 * Adds a copy of `original` and all its descendants to `parent`. The copies get the line and column of
 * `place`, the alias.
 */
static int copy_tree(struct yaml_reader *reader, struct node *parent, struct node *key,
                     const struct node *original, const struct node *place)
{
    if (++reader->copies > DOCUMENT_COPIES_MAX)
        return reject(reader, place, "aliases of at most 200000 values");
    struct node *copy = document_add(reader->document, original->kind, place->line, place->column);
    if (!copy) return UV_ENOMEM;
    copy->text = original->text;
    copy->quoted = original->quoted;
    const char *expected = document_append(reader->document, parent, key, copy);
    if (expected) return reject(reader, copy, expected);
    int result = 0;
    for (const struct node *child = original->first; child && result == 0; child = child->next)
        result = copy_tree(reader, copy, child->key, child, place);
    return result;
}

static int take_alias(struct yaml_reader *reader, const yaml_event_t *event)
{
    struct node *node = make_node(reader, event);
    if (!node) return UV_ENOMEM;
    const struct node *original =
        reader->aliases == DOCUMENT_ALIASES ? find_anchor(reader, node->text.data) : NULL;
    bool is_key = reader->open && reader->open->kind == NODE_MAPPING && !reader->key;
    if (!original) {
        int result = place_node(reader, node);
        bool follows = reader->aliases == DOCUMENT_ALIASES;
        if (result < 0) return result;
        return reject(reader, node,
                      follows ? "an alias of what stands before it" : "no anchors, aliases and tags");
    }
    if (is_key && original->kind != NODE_SCALAR) return reject(reader, node, "a text as the key");
    if (is_key) {
        node->text = original->text;
        node->quoted = original->quoted;
        return place_node(reader, node);
    }
    struct node *key = reader->key;
    reader->key = NULL;
    return copy_tree(reader, reader->open, key, original, node);
}

static bool is_merge(const struct node *value)
{
    return value->key && !value->key->quoted && slice_is(value->key->text, "<<");
}

/*
 * Copies the keys of `value` that `mapping` does not have. Keys of the mapping itself, or of earlier merges,
 * take precedence.
 */
static int merge_mapping(struct yaml_reader *reader, struct node *mapping, const struct node *value)
{
    int result = 0;
    if (value->kind != NODE_MAPPING) return reject(reader, value, "a mapping to merge");
    for (const struct node *child = value->first; child && result == 0; child = child->next) {
        if (!node_get(mapping, child->key->text.data))
            result = copy_tree(reader, mapping, child->key, child, value);
    }
    return result;
}

static int close_node(struct yaml_reader *reader)
{
    struct node *closed = reader->open, *merge = NULL;
    int result = 0;
    reader->open = closed->parent;
    if (reader->aliases == DOCUMENT_NO_ALIASES || closed->kind != NODE_MAPPING) return 0;
    for (struct node *value = closed->first; value; value = value->next) {
        if (is_merge(value)) merge = value;
    }
    if (!merge) return 0;
    document_remove(merge);
    if (merge->kind != NODE_SEQUENCE) return merge_mapping(reader, closed, merge);
    for (const struct node *item = merge->first; item && result == 0; item = item->next)
        result = merge_mapping(reader, closed, item);
    return result;
}

static int open_node(struct yaml_reader *reader, const yaml_event_t *event)
{
    struct node *node = make_node(reader, event);
    if (!node) return UV_ENOMEM;
    int result = place_node(reader, node);
    if (result < 0) return result;
    const char *anchor = anchor_of(event);
    if (has_type(event) || (anchor && reader->aliases == DOCUMENT_NO_ALIASES))
        return reject(reader, node,
                      reader->aliases == DOCUMENT_ALIASES ? "no tags" : "no anchors, aliases and tags");
    if (anchor && (result = remember_anchor(reader, anchor, node)) < 0) return result;
    if (node->text.len && memchr(node->text.data, '\0', node->text.len))
        return reject(reader, node, "a text without NUL");
    return 0;
}

/* --- Events --- */

static int take_event(struct yaml_reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return take_alias(reader, event);
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return open_node(reader, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_node(reader);
    default:
        return 0;
    }
}

static int take_events(struct yaml_reader *reader)
{
    int result = 0;
    for (bool ended = false; result == 0 && !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) return report_syntax(reader);
        ended = event.type == YAML_STREAM_END_EVENT;
        result = take_event(reader, &event);
        yaml_event_delete(&event);
    }
    return result;
}

int document_read_yaml(struct document *document, struct slice text, enum document_aliases aliases,
                       struct buffer *error)
{
    if (slice_starts(text, BYTE_ORDER_MARK)) text = slice_from(text, strlen(BYTE_ORDER_MARK));
    struct yaml_reader reader = {.document = document, .text = text, .error = error, .aliases = aliases};
    document_init(document);
    if (!yaml_parser_initialize(&reader.parser)) return UV_ENOMEM;
    /* Sets the encoding to UTF-8, so that libyaml does not guess another one from a byte order mark. */
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *) (text.len ? text.data : ""),
                                 text.len);
    int result = take_events(&reader);
    yaml_parser_delete(&reader.parser);
    return result;
}
