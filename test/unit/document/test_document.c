#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct node *scalar(struct document *document, const char *text)
{
    struct node *node = document_add(document, NODE_SCALAR, 0, 0);
    node->text = slice_of(document_copy(document, slice_of(text)));
    return node;
}

static void assert_fault(const struct node *node, const char *expected, const char *line)
{
    struct buffer text;
    buffer_init(&text, 4096);
    node_append_fault(node, expected, &text);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, line);
    buffer_deinit(&text);
}

/* groups: [{name: a, dns: {port: 0}}] */
static void test_tree_and_faults(void **unused)
{
    struct document document;
    (void) unused;
    document_init(&document);
    struct node *root = document_add(&document, NODE_MAPPING, 1, 1);
    struct node *groups = document_add(&document, NODE_SEQUENCE, 1, 9);
    struct node *first = scalar(&document, "first"), *group = document_add(&document, NODE_MAPPING, 2, 5);
    struct node *dns = document_add(&document, NODE_MAPPING, 3, 7), *port = scalar(&document, "0");
    assert_null(document_append(&document, NULL, NULL, root));
    assert_null(document_append(&document, root, scalar(&document, "groups"), groups));
    assert_null(document_append(&document, groups, NULL, first));
    assert_null(document_append(&document, groups, NULL, group));
    assert_null(document_append(&document, group, scalar(&document, "dns"), dns));
    port->line = 4;
    port->column = 13;
    assert_null(document_append(&document, dns, scalar(&document, "port"), port));

    assert_ptr_equal(document.root, root);
    assert_ptr_equal(node_get(root, "groups"), groups);
    assert_null(node_get(root, "group"));
    assert_null(node_get(groups, "groups"));
    assert_int_equal(groups->count, 2);
    assert_ptr_equal(groups->first, first);
    assert_ptr_equal(first->next, group);
    assert_null(group->next);
    assert_fault(port, "a port", "4:13: groups[1].dns.port: \"0\": expected a port");
    assert_fault(dns, "x", "3:7: groups[1].dns: a mapping: expected x");
    assert_fault(first, "x", "groups[0]: \"first\": expected x");
    assert_fault(groups, "x", "1:9: groups: a list: expected x");
    assert_fault(root, "x", "1:1: a mapping: expected x");
    document_deinit(&document);
}

/* What is quoted is one line, cut, and does not end within a character. */
static void test_quotes(void **unused)
{
    struct document document;
    char text[500], line[600];
    (void) unused;
    document_init(&document);
    assert_fault(scalar(&document, "a\n\"\x1b"), "x", "\"a\\n\\\"\\u001b\": expected x");
    assert_fault(scalar(&document, ""), "x", "nothing: expected x");
    assert_fault(scalar(&document, "http://user:secret@host"), "x", "a URL: expected x");
    assert_fault(scalar(&document, "http://host/?token=secret"), "x", "a URL: expected x");
    assert_fault(scalar(&document, "http://host/"), "x", "\"http://host/\": expected x");
    struct node *quoted = scalar(&document, "");
    quoted->quoted = true;
    assert_fault(quoted, "x", "\"\": expected x");

    memset(text, 'a', 199);
    strcpy(text + 199, "\xc3\xa4 and more");
    snprintf(line, sizeof(line), "\"%.199s...\": expected x", text);
    assert_fault(scalar(&document, text), "x", line);
    document_deinit(&document);
}

static void test_refused_places(void **unused)
{
    struct document document;
    char key[16];
    (void) unused;
    document_init(&document);
    struct node *root = document_add(&document, NODE_MAPPING, 0, 0), *again = scalar(&document, "b");
    assert_null(document_append(&document, NULL, NULL, root));
    assert_string_equal(document_append(&document, NULL, NULL, scalar(&document, "a")), "one document");
    for (int i = 0; i < DOCUMENT_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_null(document_append(&document, root, scalar(&document, key), scalar(&document, "a")));
        if (i != 1) continue;
        assert_string_equal(document_append(&document, root, scalar(&document, "k1"), again),
                            "each key once");
        assert_fault(again, "each key once", "k1: \"b\": expected each key once");
    }
    assert_string_equal(
        document_append(&document, root, scalar(&document, "one more"), scalar(&document, "a")),
        "at most 256 keys in a mapping");
    assert_int_equal(root->count, DOCUMENT_KEYS_MAX);
    document_deinit(&document);
}

static void test_depth(void **unused)
{
    struct document document;
    struct node *parent = NULL;
    (void) unused;
    document_init(&document);
    for (int i = 0; i < DOCUMENT_DEPTH_MAX; i++) {
        struct node *child = document_add(&document, NODE_SEQUENCE, 0, 0);
        assert_null(document_append(&document, parent, NULL, child));
        parent = child;
    }
    struct node *deep = scalar(&document, "deep");
    assert_string_equal(document_append(&document, parent, NULL, deep),
                        "at most 32 levels of lists and mappings");
    assert_null(parent->first);
    document_deinit(&document);
}

static void test_too_many_nodes(void **unused)
{
    struct document document;
    (void) unused;
    document_init(&document);
    struct node *root = document_add(&document, NODE_SEQUENCE, 0, 0);
    assert_null(document_append(&document, NULL, NULL, root));
    document.nodes = DOCUMENT_NODES_MAX;
    assert_string_equal(document_append(&document, root, NULL, scalar(&document, "a")),
                        "at most 2000000 values");
    document_deinit(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_and_faults), cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_refused_places),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_too_many_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
