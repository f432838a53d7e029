#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "document/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The tree in one line: scalars in quotes if they were, lists in [], mappings in {}. */
static void dump(const struct node *node, struct buffer *out)
{
    const char *brackets = node->kind == NODE_SEQUENCE ? "[]" : "{}";
    if (node->kind == NODE_SCALAR) {
        buffer_printf(out, node->quoted ? "'%s'" : "%s", node->text.data);
        return;
    }
    buffer_append_char(out, brackets[0]);
    for (const struct node *child = node->first; child; child = child->next) {
        if (child->key) buffer_printf(out, "%s:", child->key->text.data);
        dump(child, out);
        if (child->next) buffer_append_char(out, ',');
    }
    buffer_append_char(out, brackets[1]);
}

static enum document_aliases aliases;

/* The tree or the error, in memory that the next call uses again. */
static const char *reading(struct slice text)
{
    static char result[4096];
    struct document document;
    struct buffer out;
    buffer_init(&out, sizeof(result) - 1);
    int status = document_read_yaml(&document, text, aliases, &out);
    assert_int_equal(status, out.len ? -EINVAL : 0);
    assert_null(memchr(out.len ? out.data : "", '\n', out.len));
    if (status == 0 && document.root) dump(document.root, &out);
    assert_false(out.failed);
    memcpy(result, out.len ? out.data : "", out.len);
    result[out.len] = '\0';
    buffer_deinit(&out);
    document_deinit(&document);
    return result;
}

static const struct {
    struct slice text;
    const char *tree;
} readable[] = {
    {SLICE(""), ""},
    {SLICE("# nothing\n"), ""},
    {SLICE("---\n"), ""},
    {SLICE("a"), "a"},
    {SLICE("[]"), "[]"},
    {SLICE("a: 1\nb: [x, 'y', \"z\"]\n"), "{a:1,b:[x,'y','z']}"},
    {SLICE("- a: {b: c}\n  d:\n- |\n  text\n"), "[{a:{b:c},d:},'text\n']"},
    {SLICE("---\na: b\n...\n"), "{a:b}"},
    {SLICE("\xef\xbb\xbf"
           "a: b"),
     "{a:b}"},
    {SLICE("a: \xc3\xa4\n"), "{a:\xc3\xa4}"},
    {SLICE("a: \"\\u00e4\\x41\"\n"), "{a:'\xc3\xa4"
                                     "A'}"},
    {SLICE("a: b\r\nc: d\r\n"), "{a:b,c:d}"},
    {SLICE("a: {a: {a: b}}\n"), "{a:{a:{a:b}}}"},
    {SLICE("host:11211"), "host:11211"},
    {SLICE("%YAML 1.1\n---\na: b\n"), "{a:b}"},
};

static void test_readable(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(readable); i++)
        assert_string_equal(reading(readable[i].text), readable[i].tree);
}

#define DECORATED "expected no anchors, aliases and tags"

static const struct {
    struct slice text;
    const char *error;
} unreadable[] = {
    {SLICE("a: 1\nb: 2\na: 3\n"), "3:4: a: \"3\": expected each key once"},
    {SLICE("x:\n  - {b: 1, \"b\": 2}\n"), "2:17: x[0].b: \"2\": expected each key once"},
    {SLICE("a: &x 1\n"), "1:4: a: \"1\": " DECORATED},
    {SLICE("a: &x [1]\n"), "1:4: a: a list: " DECORATED},
    {SLICE("a: &x {b: 1}\n"), "1:4: a: a mapping: " DECORATED},
    {SLICE("&x a: 1\n"), "1:1: \"a\": " DECORATED},
    {SLICE("a: 1\nb: *x\n"), "2:4: b: \"x\": " DECORATED},
    {SLICE("a: !!str 1\n"), "1:4: a: \"1\": " DECORATED},
    {SLICE("a: ! 1\n"), "1:4: a: \"1\": " DECORATED},
    {SLICE("a: !x [1]\n"), "1:4: a: a list: " DECORATED},
    {SLICE("a: !x {}\n"), "1:4: a: a mapping: " DECORATED},
    {SLICE("a: 1\n---\nb: 1\n"), "3:1: a mapping: expected one document"},
    {SLICE("? [a]\n: 1\n"), "1:3: a list: expected a text as the key"},
    {SLICE("{a: 1}: 1\n"), "1:1: a mapping: expected a text as the key"},
    {SLICE("a: \"x\\0y\"\n"), "1:4: a: \"x\\u0000y\": expected a text without NUL"},
    {SLICE("a: b\nc: x\0y\n"), "2:5: expected YAML: control characters are not allowed"},
    {SLICE("a: \xc3\xa4\xff\n"), "1:5: expected YAML: invalid leading UTF-8 octet"},
    {SLICE("a: \xc3"), "1:4: expected YAML: incomplete UTF-8 octet sequence"},
    {SLICE("a: \xed\xa0\x80\n"), "1:4: expected YAML: invalid Unicode character"},
    {SLICE("\xff\xfe"
           "a\0:\0 \0b\0"),
     "1:1: expected YAML: invalid leading UTF-8 octet"},
    {SLICE("a: \x1b[31m\n"), "1:4: expected YAML: control characters are not allowed"},
    {SLICE("a: [1\nb: 2\n"),
     "2:2: expected YAML: did not find expected ',' or ']' while parsing a flow sequence"},
    {SLICE("a: b: c\n"), "1:5: expected YAML: mapping values are not allowed in this context"},
    {SLICE("a:\n\t- b\n"),
     "2:1: expected YAML: found character that cannot start any token while scanning for the next token"},
    {SLICE("a: 'b\n"), "2:1: expected YAML: found unexpected end of stream while scanning a quoted scalar"},
    {SLICE("%YAML 3.0\n---\na: b\n"), "1:1: expected YAML: found incompatible YAML document"},
};

static void test_unreadable(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(unreadable); i++)
        assert_string_equal(reading(unreadable[i].text), unreadable[i].error);
}

/* As PyYAML writes what is there twice, and as people keep what groups share. */
static void test_aliases(void **unused)
{
    static const char *const followed[][2] = {
        {"- &x {a: 1}\n- *x\n", "[{a:1},{a:1}]"},
        {"a: &x [1, '2']\nb: *x\n", "{a:[1,'2'],b:[1,'2']}"},
        {"- &x a\n- {*x : b, c: *x}\n", "[a,{a:b,c:a}]"},
        {"- &x 1\n- &x 2\n- *x\n", "[1,2,2]"},
        {"- &x [&y a, *y]\n- *x\n", "[[a,a],[a,a]]"},
        {"- &x {a: 1, b: 2}\n- {<<: *x, b: 3}\n", "[{a:1,b:2},{b:3,a:1}]"},
        {"- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y]}\n", "[{a:1},{a:2,b:2},{a:1,b:2}]"},
        {"- {'<<': {a: 1}}\n", "[{<<:{a:1}}]"},
        {"- &x a\n- *y\n", "2:3: [1]: \"y\": expected an alias of what stands before it"},
        {"- &x [*x]\n", "1:7: [0][0]: \"x\": expected an alias of what stands before it"},
        {"- &x [a]\n- {*x : b}\n", "2:4: \"x\": expected a text as the key"},
        {"- {<<: a}\n", "1:8: [0].<<: \"a\": expected a mapping to merge"},
        {"- !!map {}\n", "1:3: [0]: a mapping: expected no tags"},
    };
    (void) unused;
    aliases = DOCUMENT_ALIASES;
    for (size_t i = 0; i < ARRAY_LEN(followed); i++)
        assert_string_equal(reading(slice_of(followed[i][0])), followed[i][1]);
    aliases = DOCUMENT_NO_ALIASES;
}

/* Nine levels of nine aliases each would be 387 million values. */
static void test_a_billion_laughs(void **unused)
{
    struct buffer text;
    (void) unused;
    buffer_init(&text, 4096);
    buffer_append_string(&text, "- &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (unsigned level = 1; level < 9; level++) {
        buffer_printf(&text, "- &a%u [", level);
        for (unsigned n = 0; n < 9; n++) buffer_printf(&text, "%s*a%u", n ? ", " : "", level - 1);
        buffer_append_string(&text, "]\n");
    }
    aliases = DOCUMENT_ALIASES;
    assert_non_null(strstr(reading(buffer_slice(&text)), "expected aliases of at most 200000 values"));
    aliases = DOCUMENT_NO_ALIASES;
    buffer_deinit(&text);
}

static void test_byte_order_mark(void **unused)
{
    (void) unused;
    assert_string_equal(reading(SLICE("\xef\xbb\xbf"
                                      "- a: b\n  c: d\n")),
                        "[{a:b,c:d}]");
    assert_string_equal(reading(SLICE("\xef\xbb\xbf"
                                      "%YAML 1.1\n---\na: 1\na: 2\n")),
                        "4:4: a: \"2\": expected each key once");
    assert_string_equal(reading(SLICE("\xef\xbb\xbf")), "");
}

static void test_places(void **unused)
{
    struct document document;
    struct buffer error;
    (void) unused;
    buffer_init(&error, 1024);
    assert_int_equal(document_read_yaml(&document, SLICE("# x\na:\n  - \xc3\xa4: b\n    c: d\n"),
                                        DOCUMENT_NO_ALIASES, &error),
                     0);
    const struct node *root = document.root, *mapping = root->first->first;
    assert_int_equal(root->line, 2);
    assert_int_equal(root->column, 1);
    assert_int_equal(mapping->line, 3);
    assert_int_equal(mapping->column, 5);
    assert_int_equal(mapping->first->line, 3);
    assert_int_equal(mapping->first->column, 8); /* characters, not bytes */
    assert_int_equal(mapping->first->next->key->line, 4);
    assert_int_equal(mapping->first->next->key->column, 5);
    assert_string_equal(mapping->first->next->text.data, "d");
    document_deinit(&document);
    buffer_deinit(&error);
}

/* Every beginning of every text above is read or refused, and leaves nothing behind. */
static void test_every_beginning(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(readable) + ARRAY_LEN(unreadable); i++) {
        struct slice text =
            i < ARRAY_LEN(readable) ? readable[i].text : unreadable[i - ARRAY_LEN(readable)].text;
        for (size_t len = 0; len < text.len; len++) {
            char *exact = malloc(len + 1);
            memcpy(exact, text.data, len);
            reading((struct slice){exact, len});
            free(exact);
        }
    }
}

/* A text that would become large or deep is refused in time, whatever it repeats. */
static void test_floods(void **unused)
{
    static const struct {
        const char *repeated, *error;
    } floods[] = {
        {"[", "1:33: "},   {"{a: ", "1:129: "}, {"- ", "1:65: "},
        {"- [", "1:"},     {"? ", "1:"},        {"a: &a [*a,", "1:4: a: a list: " DECORATED},
        {"\xff", "1:1: "},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        struct buffer text;
        buffer_init(&text, 2000000);
        while (text.len < 1000000) buffer_append_string(&text, floods[i].repeated);
        assert_memory_equal(reading(buffer_slice(&text)), floods[i].error, strlen(floods[i].error));
        buffer_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readable),        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_aliases),         cmocka_unit_test(test_a_billion_laughs),
        cmocka_unit_test(test_byte_order_mark), cmocka_unit_test(test_places),
        cmocka_unit_test(test_every_beginning), cmocka_unit_test(test_floods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
