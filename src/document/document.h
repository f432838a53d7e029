/*
 * The content of a YAML or JSON text as a tree: scalars, sequences and mappings, each with its place in the
 * text.
 *
 * Both readers refuse texts that could be misread: a key given twice, more than one document, and YAML tags.
 * YAML anchors and aliases are either refused or followed, as the caller chooses. DOCUMENT_COPIES_MAX keeps
 * aliases from turning a small text into a large tree. Scalars stay text; the caller interprets them. Pure.
 */
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
    enum node_kind kind;
    bool quoted;               /* scalar that is always a string, never a number, a boolean or null */
    unsigned line, column;     /* from 1; 0 if the reader does not know it (JSON) */
    struct slice text;         /* text of a scalar: valid UTF-8 without NUL bytes, followed by a NUL */
    struct node *key;          /* key of a value in a mapping, a scalar; otherwise NULL */
    struct node *parent;       /* NULL for the root and for keys */
    struct node *first, *last; /* children: items of a sequence, values of a mapping */
    struct node *next;         /* next sibling */
    size_t count;              /* number of children */
};

/*
 * Limits of a document. A larger text is refused, so that the time for reading is proportional to the text.
 */
#define DOCUMENT_DEPTH_MAX  32
#define DOCUMENT_KEYS_MAX   256 /* keys of one mapping */
#define DOCUMENT_NODES_MAX  2000000
#define DOCUMENT_COPIES_MAX 200000 /* nodes added by aliases */

enum document_aliases {
    DOCUMENT_NO_ALIASES, /* refuses anchors and aliases */
    DOCUMENT_ALIASES,    /* replaces an alias by a copy of the anchor's node; "<<" merges mappings */
};

struct document {
    struct node *root;  /* NULL if the text has no content */
    struct arena arena; /* memory of all nodes and texts */
    size_t nodes;
};

/*
 * Reads one text. Returns 0, UV_ENOMEM, or UV_EINVAL with one line in `error`, without a line end. That line
 * begins with line and column if they are known ("3:7: ..."), so that the caller can put a file name before
 * it. A byte order mark before YAML is skipped. Call document_deinit in any case. The document does not refer
 * to `text` afterwards.
 */
int document_read_yaml(struct document *document, struct slice text, enum document_aliases aliases,
                       struct buffer *error);
int document_read_json(struct document *document, struct slice text, struct buffer *error);

void document_deinit(struct document *document);

/* Returns the value of a key. Returns NULL if the key is missing, or if the node is not a mapping. */
const struct node *node_get(const struct node *mapping, const char *key);

/*
 * Append parts of messages.
 *
 * - place: "3:7: groups[2].dns.port: ". Line and column are left out if unknown; the root has no path.
 * - found: "a list", "a mapping", "nothing", "a URL" (if it may contain a secret), or the text in quotes,
 *   escaped and cut.
 * - fault: place, found, and what was expected: "3:7: groups[2].dns.port: "0": expected a port".
 */
void node_append_place(const struct node *node, struct buffer *out);
void node_append_key_place(const struct node *node, struct buffer *out); /* with the place of the key */
void node_append_found(const struct node *node, struct buffer *out);
void node_append_fault(const struct node *node, const char *expected, struct buffer *out);

/* --- For the two readers --- */

void document_init(struct document *document);

/* Creates a node that is in no tree yet. Returns NULL when out of memory. The document owns the node. */
struct node *document_add(struct document *document, enum node_kind kind, unsigned line, unsigned column);

/* Copies a text for node->text.data and adds a NUL. Returns NULL when out of memory. */
const char *document_copy(struct document *document, struct slice text);

/*
 * Puts `child` into the tree: as the root if `parent` is NULL, as the next item of a sequence, or under `key`
 * into a mapping. Returns NULL, or what was expected instead ("each key once"). In that case the child is not
 * in the tree, but knows its parent and key for node_append_fault.
 */
const char *document_append(struct document *document, struct node *parent, struct node *key,
                            struct node *child);

/* Removes a child from its mapping or sequence. */
void document_remove(struct node *child);

#endif
