#include "config/references.h"

#include "base/label_name.h"

#include <uv.h>

static const char expected_reference[] =
    "a label name behind the dollar, as in $zone or ${meta_zone}, or another dollar";

/* A value on its way from text to parts. */
struct parts {
    struct reading *reading;
    struct config_label_part *items;
    size_t count;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes the name that follows a dollar out of the text. False if it is none. */
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

/* What discoveries find begins with __meta_, but for the labels that people gave. */
static int add_reference(struct parts *parts, struct slice name)
{
    char *whole = arena_alloc(&parts->reading->config->arena, 1, strlen("__") + name.len + 1);
    if (!whole) return UV_ENOMEM;
    memcpy(slice_starts(name, "meta_") ? stpcpy(whole, "__") : whole, name.data, name.len);
    parts->items[parts->count++] = (struct config_label_part){whole, true};
    return 0;
}

/* Adds what stands at the beginning of the text, behind a dollar. 1 if that is nothing known. */
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

/* Between, before and behind the references there may be a text each. */
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
