/*
 * libyaml's events to the tree. Each event either opens a node, which goes into the innermost open list or
 * mapping, or closes that one; in a mapping a scalar is in turn a key and its value.
 *
 * Events, and neither libyaml's own tree nor a reader of schemas such as libcyaml: those keep no places by
 * which a wrong value could be named, and would expand aliases before anybody could object. Reading stops at
 * the first event that is refused, so that a text which would become large or deep does not.
 */
#include "document/document.h"

#include <errno.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    struct document *document;
    struct slice text;
    struct buffer *error;
    struct node *open; /* the innermost list or mapping; NULL outside of all */
    struct node *key;  /* in a mapping: what the next value belongs to; else NULL */
};

static int reject(struct reader *reader, const struct node *node, const char *expected)
{
    node_append_fault(node, expected, reader->error);
    return -EINVAL;
}

/* --- What libyaml itself refuses --- */

/* The line and column of a byte of which libyaml only knows the offset, as it counts them: from 0. */
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

/* Bytes that are no text at all, or a text that is no YAML; in libyaml's words. */
static int report(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) return -ENOMEM;
    if (parser->error == YAML_READER_ERROR) mark = mark_of(reader->text, parser->problem_offset);
    buffer_printf(reader->error, "%zu:%zu: expected YAML: %s", mark.line + 1, mark.column + 1,
                  parser->problem);
    if (parser->context) buffer_printf(reader->error, " %s", parser->context);
    return -EINVAL;
}

/* --- Nodes --- */

static struct slice text_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (struct slice){(const char *) event->data.scalar.value, event->data.scalar.length};
    if (event->type == YAML_ALIAS_EVENT) return slice_of((const char *) event->data.alias.anchor);
    return (struct slice){NULL, 0};
}

/* Whether it says more than its text: it could be referred to, refers, or gives itself a type. */
static bool is_decorated(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor || event->data.scalar.tag ||
               (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.plain_implicit);
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default:
        return true;
    }
}

static enum node_kind kind_of(const yaml_event_t *event)
{
    if (event->type == YAML_SEQUENCE_START_EVENT) return NODE_SEQUENCE;
    return event->type == YAML_MAPPING_START_EVENT ? NODE_MAPPING : NODE_SCALAR;
}

static struct node *make_node(struct reader *reader, const yaml_event_t *event)
{
    struct slice text = text_of(event);
    unsigned line = (unsigned) event->start_mark.line + 1, column = (unsigned) event->start_mark.column + 1;
    struct node *node = document_add(reader->document, kind_of(event), line, column);
    if (!node || node->kind != NODE_SCALAR) return node;
    node->quoted = event->type == YAML_SCALAR_EVENT && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = (struct slice){document_copy(reader->document, text), text.len};
    return node->text.data ? node : NULL;
}

/* Puts it where the events have come to. */
static int place_node(struct reader *reader, struct node *node)
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

static int open_node(struct reader *reader, const yaml_event_t *event)
{
    struct node *node = make_node(reader, event);
    if (!node) return -ENOMEM;
    int result = place_node(reader, node);
    if (result < 0) return result;
    if (is_decorated(event)) return reject(reader, node, "no anchors, aliases and tags");
    if (node->text.len && memchr(node->text.data, '\0', node->text.len))
        return reject(reader, node, "a text without NUL");
    return 0;
}

/* --- Events --- */

static int take_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return open_node(reader, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->open = reader->open->parent;
        return 0;
    default:
        return 0;
    }
}

static int take_events(struct reader *reader)
{
    int result = 0;
    for (bool ended = false; result == 0 && !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) return report(reader);
        ended = event.type == YAML_STREAM_END_EVENT;
        result = take_event(reader, &event);
        yaml_event_delete(&event);
    }
    return result;
}

int document_read_yaml(struct document *document, struct slice text, struct buffer *error)
{
    struct reader reader = {.document = document, .text = text, .error = error};
    document_init(document);
    if (!yaml_parser_initialize(&reader.parser)) return -ENOMEM;
    /* Said, and not left to be guessed from a byte order mark: the places are those of UTF-8. */
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *) (text.len ? text.data : ""),
                                 text.len);
    int result = take_events(&reader);
    yaml_parser_delete(&reader.parser);
    return result;
}
