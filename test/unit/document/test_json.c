#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document/document.h"
#include "failing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static struct document document;
static struct buffer error;

/* From memory of just that size, so that a read behind the text is seen. */
static int read_bytes(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    buffer_init(&error, 4096);
    int result = document_read_json(&document, (struct slice){copy, len}, &error);
    free(copy);
    return result;
}

static void release(void)
{
    document_deinit(&document);
    buffer_deinit(&error);
}

static void assert_refused(const char *text, size_t len, const char *expected)
{
    assert_int_equal(read_bytes(text, len), -EINVAL);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, expected);
    release();
}

#define REFUSED(text, expected) assert_refused(text, sizeof(text) - 1, expected)

static void assert_scalar(const struct node *node, const char *text, bool quoted)
{
    assert_non_null(node);
    assert_int_equal(node->kind, NODE_SCALAR);
    assert_string_equal(node->text.data, text);
    assert_int_equal(node->text.len, strlen(text));
    assert_int_equal(node->quoted, quoted);
}

static void test_tree(void **state)
{
    (void) state;
    static const char text[] =
        "[{\"targets\": [\"a:1\", \"b\"], \"labels\": {\"z\": \"\\u00fc\", \"y\": \"\"}}, []]";
    assert_int_equal(read_bytes(text, sizeof(text) - 1), 0);
    const struct node *root = document.root;
    assert_int_equal(root->kind, NODE_SEQUENCE);
    assert_int_equal(root->count, 2);
    const struct node *targets = node_get(root->first, "targets"), *labels = node_get(root->first, "labels");
    assert_int_equal(targets->count, 2);
    assert_scalar(targets->first, "a:1", true);
    assert_scalar(targets->first->next, "b", true);
    assert_int_equal(labels->kind, NODE_MAPPING);
    assert_scalar(labels->first->key, "z", true); /* in the order of the text */
    assert_scalar(labels->first, "\xc3\xbc", true);
    assert_scalar(labels->first->next, "", true);
    assert_int_equal(root->first->next->count, 0);
    release();
}

/* What is no string cannot be taken for one. */
static void test_other_scalars(void **state)
{
    (void) state;
    static const char *const texts[] = {"1", "-9223372036854775808", "1.5", "1.0", "true", "false", "null"};
    for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
        assert_int_equal(read_bytes(texts[n], strlen(texts[n])), 0);
        assert_scalar(document.root, texts[n], false);
        release();
    }
}

static void test_refused(void **state)
{
    (void) state;
    REFUSED("", "1:1: expected JSON: unexpected token near end of file");
    REFUSED("[1,\n 2", "2:2: expected JSON: ']' expected near end of file");
    REFUSED("[1] x", "1:5: expected JSON: end of file expected near 'x'");
    REFUSED("[1][2]", "1:4: expected JSON: end of file expected near '['");
    REFUSED("[1,]", "1:4: expected JSON: unexpected token near ']'");
    REFUSED("{\"a\": 1, \"a\": 2}", "1:12: expected JSON: duplicate object key near '\"a\"'");
    REFUSED("['a']", "1:2: expected JSON: invalid token near '''");
    REFUSED("[\x01]", "1:2: expected JSON: invalid token near '?'");
    REFUSED("[\"\xff\"]", "1:2: expected JSON: unable to decode byte 0xff near '\"'");
    REFUSED("[\"a\\u0000b\"]", "1:11: expected JSON: a NUL in a string");
    REFUSED("{\"a\\u0000b\": 1}", "1:11: expected JSON: a NUL in a string");
    REFUSED("[\"a\0b\"]", "1:3: expected JSON: control character 0x0 near '\"a'");
    REFUSED("[99999999999999999999]", "1:21: expected JSON: too big integer near '99999999999999999999'");
    REFUSED("<html>", "1:1: expected JSON: invalid token near '<'");
}

/* Nothing but the whole of a list is one: half a file is noticed. */
static void test_every_beginning(void **state)
{
    (void) state;
    static const char text[] = "[{\"targets\": [\"a:1\"], \"labels\": {\"z\": \"1\"}}]";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        assert_int_equal(read_bytes(text, len), -EINVAL);
        assert_true(error.len > 0);
        release();
    }
}

static void test_depth(void **state)
{
    (void) state;
    char text[10000];
    memset(text, '[', 5000);
    memset(text + 5000, ']', 5000);
    assert_int_equal(read_bytes(text + 5000 - DOCUMENT_DEPTH_MAX, 2 * DOCUMENT_DEPTH_MAX), 0);
    release();
    assert_int_equal(read_bytes(text + 5000 - DOCUMENT_DEPTH_MAX - 1, 2 * DOCUMENT_DEPTH_MAX + 2), -EINVAL);
    assert_true(error.len > 0);
    release();
    assert_int_equal(read_bytes(text, sizeof(text)), -EINVAL);
    release();
}

/* Refused before anything of it is built. */
static void test_too_many_values(void **state)
{
    static const char *const pieces[] = {"[],", "{},", "1,", "\"\\\"[\",", "{\"a\":0},"};
    static const unsigned values[] = {1, 1, 1, 1, 3};
    (void) state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {

        struct buffer text;
        buffer_init(&text, 64 * 1024 * 1024);
        buffer_init(&error, 256);
        buffer_append_char(&text, '[');
        for (unsigned n = 0; n < DOCUMENT_NODES_MAX / values[i] + 1; n++)
            buffer_append_string(&text, pieces[i]);
        buffer_append_string(&text, "0]");
        assert_int_equal(document_read_json(&document, buffer_slice(&text), &error), -EINVAL);
        assert_int_equal(document.nodes, 0);
        buffer_append_char(&error, '\0');
        assert_string_equal(error.data, "1:1: expected at most 2000000 values");
        document_deinit(&document);
        buffer_deinit(&text);
        buffer_deinit(&error);
    }
}

/* A string that there is no memory for is never read as a shorter one. */
static void test_no_memory(void **state)
{
    static const char text[] = "[{\"targets\": [\"127.0.0.1:38969\", \"a-name-of-a-server.example:11211\"]}]";
    int result = UV_ENOMEM;
    (void) state;
    for (unsigned n = 1; result != 0; n++) {
        buffer_init(&error, 256);
        allocations = 0;
        failing = n;
        result = document_read_json(&document, slice_of(text), &error);
        failing = 0;
        assert_true(n < 1000 && (result == 0 || result == UV_ENOMEM));
        if (result == 0 && n <= allocations) fail_msg("the want of memory for allocation %u was missed", n);
        document_deinit(&document);
        buffer_deinit(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),      cmocka_unit_test(test_other_scalars),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_too_many_values),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
