/*
 * Reads JSON with jansson, which is strict: no trailing bytes, no comments, UTF-8 only. jansson does not keep
 * the positions of values, so only syntax errors have a line and column. An error about a value names its
 * path.
 */
#include "document/document.h"

#include "base/number.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

/* The document to fill, and the buffer for an error. */
struct json_reading {
    struct document *document;
    struct buffer *error;
};

/* --- Errors --- */

/*
 * Appends jansson's message and replaces control characters. The message quotes the text, which is valid
 * UTF-8 but may contain control characters.
 */
static void append_printable(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        bool control = (unsigned char) *text < ' ' || *text == 0x7f;
        buffer_append_char(out, control ? '?' : *text);
    }
}

static int refuse_syntax(struct buffer *error, const json_error_t *fault)
{
    enum json_error_code code = json_error_code(fault);
    if (code == json_error_out_of_memory) return UV_ENOMEM;
    /* jansson gives column 0 for an empty line. */
    buffer_printf(error, "%d:%d: expected JSON: ", fault->line, fault->column > 0 ? fault->column : 1);
    /* jansson's own message would mention a flag that allows NUL. */
    if (code == json_error_null_character || code == json_error_null_byte_in_key)
        buffer_append_string(error, "a NUL in a string");
    else
        append_printable(error, fault->text);
    return UV_EINVAL;
}

/* --- The tree --- */

static struct node *make_text(struct json_reading *reading, struct slice text, bool quoted)
{
    struct node *node = document_add(reading->document, NODE_SCALAR, 0, 0);
    const char *copy = document_copy(reading->document, text);
    if (!node || !copy) return NULL;
    node->text = (struct slice){copy, text.len};
    node->quoted = quoted;
    return node;
}

static struct node *make_number(struct json_reading *reading, const json_t *json)
{
    struct buffer text;
    buffer_init(&text, 64);
    if (json_is_integer(json))
        buffer_printf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    else
        number_append_float(&text, json_real_value(json));
    struct node *node = text.failed ? NULL : make_text(reading, buffer_slice(&text), false);
    buffer_deinit(&text);
    return node;
}

/* Makes the node, without its children. */
static struct node *make_node(struct json_reading *reading, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return document_add(reading->document, NODE_MAPPING, 0, 0);
    case JSON_ARRAY:
        return document_add(reading->document, NODE_SEQUENCE, 0, 0);
    case JSON_STRING:
        return make_text(reading, (struct slice){json_string_value(json), json_string_length(json)}, true);
    case JSON_INTEGER:
    case JSON_REAL:
        return make_number(reading, json);
    case JSON_TRUE:
        return make_text(reading, SLICE("true"), false);
    case JSON_FALSE:
        return make_text(reading, SLICE("false"), false);
    case JSON_NULL:
        break;
    }
    return make_text(reading, SLICE("null"), false);
}

static int convert(struct json_reading *reading, struct node *parent, struct node *key, const json_t *json);

static int convert_items(struct json_reading *reading, struct node *sequence, const json_t *json)
{
    int result = 0;
    for (size_t n = 0; n < json_array_size(json) && result == 0; n++)
        result = convert(reading, sequence, NULL, json_array_get(json, n));
    return result;
}

/* Converts the members in the order of the text. */
static int convert_members(struct json_reading *reading, struct node *mapping, json_t *json)
{
    int result = 0;
    for (void *at = json_object_iter(json); at && result == 0; at = json_object_iter_next(json, at)) {
        struct node *key = make_text(reading, slice_of(json_object_iter_key(at)), true);
        result = key ? convert(reading, mapping, key, json_object_iter_value(at)) : UV_ENOMEM;
    }
    return result;
}

/*
 * Converts a value and its children. The recursion is limited: document_append refuses a tree that is too
 * deep.
 */
static int convert(struct json_reading *reading, struct node *parent, struct node *key, const json_t *json)
{
    struct node *node = make_node(reading, json);
    if (!node) return UV_ENOMEM;
    const char *expected = document_append(reading->document, parent, key, node);
    if (expected) {
        node_append_fault(node, expected, reading->error);
        return UV_EINVAL;
    }
    if (node->kind == NODE_SEQUENCE) return convert_items(reading, node, json);
    if (node->kind == NODE_MAPPING) return convert_members(reading, node, (json_t *) (uintptr_t) json);
    return 0;
}

/* --- Memory --- */

/*
 * Set when an allocation fails. jansson ignores a failed allocation while it reads a string, and continues
 * with a shortened string.
 */
static _Thread_local bool lacked_memory;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (!memory) lacked_memory = true;
    return memory;
}

/*
 * Sets the seed of jansson's hashes. Some builds of jansson set the seed without a lock, and several threads
 * read files.
 */
static void prepare_jansson(void)
{
    json_set_alloc_funcs(allocate, free);
    json_object_seed(0);
}

/* --- Reading --- */

/*
 * Estimates how many nodes the text has (keys, scalars, lists and mappings). jansson builds all of them
 * before this reader could stop it. Meaningless for a text that is not JSON.
 */
static size_t count_nodes(struct slice text)
{
    size_t nodes = 0;
    for (size_t at = 0; at < text.len;) {
        char c = text.data[at++];
        if (c == '"') {
            nodes++;
            while (at < text.len && text.data[at] != '"') at += text.data[at] == '\\' ? 2 : 1;
            at++;
        } else if (c == '[' || c == '{') {
            nodes++;
        } else if (c && !strchr(" \t\r\n,:]}", c)) {
            nodes++;
            while (at < text.len && text.data[at] && !strchr(" \t\r\n,:[]{}\"", text.data[at])) at++;
        }
    }
    return nodes;
}

int document_read_json(struct document *document, struct slice text, struct buffer *error)
{
    static pthread_once_t prepared = PTHREAD_ONCE_INIT;
    struct json_reading reading = {document, error};
    json_error_t fault;
    document_init(document);
    if (count_nodes(text) > DOCUMENT_NODES_MAX) {
        buffer_printf(error, "1:1: expected at most %d values", DOCUMENT_NODES_MAX);
        return UV_EINVAL;
    }
    pthread_once(&prepared, prepare_jansson);
    lacked_memory = false;
    json_t *json =
        json_loadb(text.len ? text.data : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    if (!json) return lacked_memory ? UV_ENOMEM : refuse_syntax(error, &fault);
    int result = lacked_memory ? UV_ENOMEM : convert(&reading, NULL, NULL, json);
    json_decref(json);
    return result;
}
