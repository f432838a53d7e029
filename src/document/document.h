/*
 * What a YAML or JSON text says, as a tree: scalars, sequences and mappings, each with its place in the text.
 *
 * Both readers refuse what would make a text mean more than it shows: a key given twice, more than one
 * document, and in YAML tags. Anchors and aliases of YAML are refused too, or followed up to a bound, as the
 * caller wishes, so that a small text cannot become a large tree. Scalars stay text; the caller decides what
 * they mean. Pure.
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
    bool quoted;           /* a scalar that can only be a string; never a number, a switch or null */
    unsigned line, column; /* from 1; 0 where the reader cannot tell (JSON) */
    struct slice text;     /* of a scalar: valid UTF-8 without NUL; also NUL-terminated behind its length */
    struct node *key;      /* of a mapping's value: its key, a scalar; else NULL */
    struct node *parent;   /* NULL for the root and for keys */
    struct node *first, *last; /* child: of a sequence the items, of a mapping the values */
    struct node *next;         /* sibling */
    size_t count;              /* of children */
};

/* Limits of a document. A larger text is refused, so that reading takes time in proportion to the text. */
#define DOCUMENT_DEPTH_MAX  32
#define DOCUMENT_KEYS_MAX   256 /* of one mapping */
#define DOCUMENT_NODES_MAX  2000000
#define DOCUMENT_COPIES_MAX 200000 /* nodes that aliases have added */

enum document_aliases {
    DOCUMENT_NO_ALIASES, /* anchors and aliases are refused */
    DOCUMENT_ALIASES,    /* an alias is a copy of what its anchor names; "<<" merges mappings */
};

struct document {
    struct node *root;  /* NULL for a text that says nothing */
    struct arena arena; /* all nodes and texts lie in it */
    size_t nodes;
};

/*
 * Reads one text. 0; UV_ENOMEM; or UV_EINVAL with one line in `error`, without a line end. The line begins
 * with line and column ("3:7: ..."), so that the caller can put the file's name before it. A byte order mark
 * before YAML is passed over. document_deinit follows in any case. The text is not needed any more then.
 */
int document_read_yaml(struct document *document, struct slice text, enum document_aliases aliases,
                       struct buffer *error);
int document_read_json(struct document *document, struct slice text, struct buffer *error);

void document_deinit(struct document *document);

/* The value of a key, or NULL: it is not there, or the node is no mapping. */
const struct node *node_get(const struct node *mapping, const char *key);

/*
 * For messages. A place is "3:7: groups[2].dns.port: ", without the numbers where the reader could not tell,
 * and without a path for the root. What was found is "a list", "a mapping", "nothing", "a URL" (that may hold
 * a secret), or the text in quotes, escaped and cut. A fault is both, and what was expected: "3:7:
 * groups[2].dns.port: "0": expected a port".
 */
void node_append_place(const struct node *node, struct buffer *out);
void node_append_key_place(const struct node *node, struct buffer *out); /* the line and column of its key */
void node_append_found(const struct node *node, struct buffer *out);
void node_append_fault(const struct node *node, const char *expected, struct buffer *out);

/* --- For the two readers --- */

void document_init(struct document *document);

/* A node that is in no tree yet; NULL when out of memory. It lives as long as the document. */
struct node *document_add(struct document *document, enum node_kind kind, unsigned line, unsigned column);

/* A copy of a text for node->text.data, with a NUL behind it; NULL when out of memory. */
const char *document_copy(struct document *document, struct slice text);

/*
 * Puts a node into the tree: as the root, if there is no parent; as the next item of a sequence; under its
 * key into a mapping. Returns NULL, or what was expected instead ("each key once"); then it is not in the
 * tree, but has its place for node_append_fault.
 */
const char *document_append(struct document *document, struct node *parent, struct node *key,
                            struct node *child);

/* Takes a child out of its mapping or sequence again. */
void document_remove(struct node *child);

#endif
