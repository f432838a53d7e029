#include "metrics/registry.h"

#include "metrics/labels.h"

#include <assert.h>
#include <uv.h>

/* Most bytes of all names of a family: a few names of up to FAMILY_NAME_MAX bytes. */
#define NAMES_MAX 8192

void registry_init(struct registry *registry)
{
    *registry = (struct registry){0};
}

static int refuse_collector(struct buffer *error, const struct collector *collector,
                            const struct family *family, const char *expected, const char *detail)
{
    buffer_printf(error, "collector %s: family %s: expected %s%s", collector->name, family->name, expected,
                  detail);
    return error->failed ? UV_ENOMEM : UV_EINVAL;
}

/*
 * Returns true if a family stores samples under one of these names, or its stem is one of them. Each name
 * ends with NUL.
 */
static bool takes_one_of(const struct family *family, struct slice names)
{
    while (names.len) {
        struct slice name = slice_cut(&names, '\0');
        if (name.len && family_has_name(family, name)) return true;
        if (slice_equal(name, family_stem(family))) return true;
    }
    return false;
}

/*
 * Returns the first family that takes one of `names`, or NULL. Checks the families of all registered
 * collectors and the first `before` families of `collector`.
 */
static const struct family *find_conflict(const struct registry *registry, const struct collector *collector,
                                          size_t before, struct slice names)
{
    for (size_t c = 0; c < registry->count; c++) {
        for (size_t n = 0; n < registry->collectors[c]->count; n++) {
            if (takes_one_of(registry->collectors[c]->families[n], names))
                return registry->collectors[c]->families[n];
        }
    }
    for (size_t n = 0; n < before; n++) {
        if (takes_one_of(collector->families[n], names)) return collector->families[n];
    }
    return NULL;
}

static bool has_constant_label(const char *labels, struct slice name)
{
    struct slice rest = slice_of(labels);
    struct label label;
    while (labels_next(&rest, &label)) {
        if (slice_equal(label.name, name)) return true;
    }
    return false;
}

/* Returns the label that the encoder itself adds to each sample of a family of this type. */
static struct slice own_label(enum metric_type type)
{
    if (type == METRIC_HISTOGRAM || type == METRIC_GAUGE_HISTOGRAM) return SLICE("le");
    if (type == METRIC_SUMMARY) return SLICE("quantile");
    return SLICE("");
}

static int check_labels(const struct collector *collector, const struct family *family, struct buffer *error)
{
    bool taken = has_constant_label(collector->labels, own_label(family->type));
    for (struct slice rest = slice_of(family->labels); rest.len && !taken;) {
        taken = has_constant_label(collector->labels, slice_cut(&rest, ','));
    }
    if (!taken) return 0;
    return refuse_collector(error, collector, family,
                            "labels that differ from the constant ones: ", collector->labels);
}

static int check_names(const struct registry *registry, const struct collector *collector, size_t n,
                       struct buffer *error)
{
    struct buffer names;
    buffer_init(&names, NAMES_MAX);
    family_append_names(collector->families[n], &names);
    const struct family *conflict = find_conflict(registry, collector, n, buffer_slice(&names));
    int result = names.failed ? UV_ENOMEM : 0;
    if (conflict) {
        result = refuse_collector(error, collector, collector->families[n],
                                  "names that are not taken by the family ", conflict->name);
    }
    buffer_deinit(&names);
    return result;
}

int registry_add(struct registry *registry, const struct collector *collector, struct buffer *error)
{
    assert(registry->count < EXPOSITION_WALKS_MAX);
    for (size_t n = 0; n < collector->count; n++) {
        const char *expected = family_check(collector->families[n]);
        if (expected) return refuse_collector(error, collector, collector->families[n], expected, "");
        int result = check_labels(collector, collector->families[n], error);
        if (result == 0) result = check_names(registry, collector, n, error);
        if (result < 0) return result;
    }
    registry->collectors[registry->count++] = collector;
    return 0;
}
