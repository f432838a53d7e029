#include "discovery/sd_format.h"

#include "base/label_name.h"
#include "document/document.h"
#include "net/address.h"

#include <stdlib.h>
#include <uv.h>

/* The parameters of sd_format_read. */
struct sd_reading {
    struct results *found;
    enum sd_syntax syntax;
    struct results_label origin;
    struct buffer *error;
};

static int refuse_node(const struct sd_reading *reading, const struct node *node, const char *expected)
{
    node_append_fault(node, expected, reading->error);
    return UV_EINVAL;
}

static bool is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted &&
           (node->text.len == 0 || slice_is(node->text, "null") || slice_is(node->text, "~"));
}

/*
 * Returns true if the node is a string. In YAML, every plain scalar except null is a string. In JSON, only
 * quoted text is.
 */
static bool is_string(const struct sd_reading *reading, const struct node *node)
{
    return node->kind == NODE_SCALAR && !is_null(node) && (node->quoted || reading->syntax == SD_YAML);
}

/* --- Labels --- */

/* Returns true for a valid label name. Unlike labels of samples, it may begin with "__". */
static bool is_label_name(struct slice name)
{
    return metric_name_is_valid(name) && !memchr(name.data, ':', name.len);
}

/* The value is NULL for null, which is no label in Prometheus either. */
static int read_label(const struct sd_reading *reading, const struct node *value, struct results_label *label)
{
    if (!is_label_name(value->key->text))
        return refuse_node(reading, value, "a label name of letters, digits and '_', no digit first");
    if (!is_null(value) && !is_string(reading, value)) return refuse_node(reading, value, "a string");
    *label = (struct results_label){value->key->text.data, is_null(value) ? NULL : value->text.data};
    return 0;
}

/*
 * Reads the labels and adds the origin last. The origin replaces a label of the same name. `labels` has room
 * for all.
 */
static int read_labels(const struct sd_reading *reading, const struct node *node,
                       struct results_label *labels, size_t *count)
{
    *count = 0;
    for (const struct node *value = node ? node->first : NULL; value; value = value->next) {
        int result = read_label(reading, value, &labels[*count]);
        if (result < 0) return result;
        if (labels[*count].value && strcmp(labels[*count].name, reading->origin.name) != 0) (*count)++;
    }
    labels[(*count)++] = reading->origin;
    return 0;
}

/* --- Targets --- */

/*
 * Leaves out one bad target and counts it. The other targets are kept. Only the first one is described:
 * finding the place of a node in a list takes a walk over the nodes before it.
 */
static int drop_target(const struct sd_reading *reading, const struct node *node, const char *expected)
{
    struct buffer fault;
    if (reading->found->dropped) return results_drop(reading->found, "", 1) ? 0 : UV_ENOMEM;
    buffer_init(&fault, SIZE_MAX);
    node_append_fault(node, expected, &fault);
    buffer_append_char(&fault, '\0');
    bool dropped = !fault.failed && results_drop(reading->found, fault.data, 1);
    buffer_deinit(&fault);
    return dropped ? 0 : UV_ENOMEM;
}

static int read_target(const struct sd_reading *reading, const struct node *node,
                       const struct results_label *labels, size_t count)
{
    struct address ignored;
    if (!is_string(reading, node)) return drop_target(reading, node, "a string");
    const char *expected = address_parse(&ignored, node->text, MEMCACHED_PORT);
    if (expected) return drop_target(reading, node, expected);
    if (results_add(reading->found, node->text, labels, count)) return 0;
    if (reading->found->count < RESULTS_MAX) return UV_ENOMEM;
    buffer_printf(reading->error, "more than %d targets", RESULTS_MAX);
    return UV_EINVAL;
}

static int read_targets(const struct sd_reading *reading, const struct node *targets,
                        const struct results_label *labels, size_t count)
{
    int result = 0;
    for (const struct node *node = targets ? targets->first : NULL; node && result == 0; node = node->next)
        result = read_target(reading, node, labels, count);
    return result;
}

/* --- Groups --- */

/*
 * Checks one key of a group. Some programs write null for an empty list or mapping; Prometheus accepts that.
 */
static int check_value(const struct sd_reading *reading, const struct node *value)
{
    bool targets = slice_is(value->key->text, "targets");
    if (!targets && !slice_is(value->key->text, "labels"))
        return refuse_node(reading, value, "no other keys than targets and labels");
    if (is_null(value) || value->kind == (targets ? NODE_SEQUENCE : NODE_MAPPING)) return 0;
    return refuse_node(reading, value, targets ? "a list" : "a mapping");
}

static int read_group(const struct sd_reading *reading, const struct node *group)
{
    size_t count;
    int result = 0;
    if (group->kind != NODE_MAPPING) return refuse_node(reading, group, "a mapping with targets and labels");
    for (const struct node *value = group->first; value && result == 0; value = value->next)
        result = check_value(reading, value);
    if (result < 0) return result;

    const struct node *given = node_get(group, "labels");
    struct results_label *labels = calloc((given ? given->count : 0) + 1, sizeof(*labels));
    if (!labels) return UV_ENOMEM;
    result = read_labels(reading, given, labels, &count);
    if (result == 0) result = read_targets(reading, node_get(group, "targets"), labels, count);
    free(labels);
    return result;
}

static int read_groups(const struct sd_reading *reading, const struct node *root)
{
    int result = 0;
    if (!root || is_null(root)) return 0;
    if (root->kind != NODE_SEQUENCE) return refuse_node(reading, root, "a list");
    for (const struct node *group = root->first; group && result == 0; group = group->next)
        result = read_group(reading, group);
    return result;
}

int sd_format_read(struct results *found, struct slice text, enum sd_syntax syntax,
                   struct results_label origin, struct buffer *error)
{
    const struct sd_reading reading = {found, syntax, origin, error};
    struct document document;
    int result = syntax == SD_JSON ? document_read_json(&document, text, error)
                                   : document_read_yaml(&document, text, DOCUMENT_ALIASES, error);
    if (result == 0) result = read_groups(&reading, document.root);
    document_deinit(&document);
    return result;
}
