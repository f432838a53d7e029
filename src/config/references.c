#include "config/references.h"

#include "base/label_name.h"

#include <uv.h>

static const char expected_reference[] =
    "a label name behind the dollar, as in $zone or ${meta_zone}, or another dollar";

/* The parts of one value while its text is read. */
struct parts {
    struct reading *reading;
    struct config_label_part *items;
    size_t count;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Moves the name after a dollar from `text` to `name`. Returns false if the name is not valid. */
static bool take_name(struct slice *text, struct slice *name)
{
    if (slice_starts(*text, "{")) {
        *text = slice_from(*text, 1);
        *name = slice_cut(text, '}');
        return text->data && label_name_is_valid(*name);
    }
    *name = (struct slice){text->data, 0};
    while (name->len < text->len && is_word(text->data[name->len])) name->len++;
    *text = slice_from(*text, name->len);
    return label_name_is_valid(*name);
}

static int add_literal(struct parts *parts, struct slice text)
{
    return text.len ? copy_text(parts->reading, text, &parts->items[parts->count++].text) : 0;
}

/*
 * Adds a reference. The names of labels that a discovery mechanism makes begin with __meta_. Labels that
 * users gave their targets have plain names.
 */
static int add_reference(struct parts *parts, struct slice name)
{
    char *whole = arena_alloc(&parts->reading->config->arena, 1, strlen("__") + name.len + 1);
    if (!whole) return UV_ENOMEM;
    memcpy(slice_starts(name, "meta_") ? stpcpy(whole, "__") : whole, name.data, name.len);
    parts->items[parts->count++] = (struct config_label_part){whole, true};
    return 0;
}

/*
 * Reads the part of `text` that follows a dollar. Returns 0, UV_ENOMEM, or 1 if the text is neither a
 * reference nor a second dollar.
 */
static int take_reference(struct parts *parts, struct slice *text)
{
    struct slice name;
    if (slice_starts(*text, "$")) {
        struct slice dollar = {text->data, 1};
        *text = slice_from(*text, 1);
        return add_literal(parts, dollar);
    }
    return take_name(text, &name) ? add_reference(parts, name) : 1;
}

/*
 * Returns an upper bound of the number of parts: one per dollar, and a literal text before, between and after
 * them.
 */
static size_t most_parts(struct slice text)
{
    size_t dollars = 0;
    for (size_t i = 0; i < text.len; i++) dollars += text.data[i] == '$';
    return 2 * dollars + 1;
}

int read_references(struct reading *reading, const struct node *node, struct config_label *label)
{
    struct slice rest = node->text;
    struct parts parts = {.reading = reading};
    parts.items = arena_alloc(&reading->config->arena, most_parts(rest), sizeof(*parts.items));
    if (!parts.items) return UV_ENOMEM;
    while (rest.data) {
        int result = add_literal(&parts, slice_cut(&rest, '$'));
        if (result == 0 && rest.data) result = take_reference(&parts, &rest);
        if (result > 0) return reading_reject(reading, node, expected_reference);
        if (result < 0) return result;
    }
    label->parts = parts.items;
    label->count = parts.count;
    return 0;
}
