#include "metrics/family.h"

#include "base/container.h"
#include "base/label_name.h"
#include "base/slice.h"
#include "base/utf8.h"

#include <string.h>

/* The units of OpenMetrics that this program uses. */
static const char *const units[] = {"seconds", "bytes", "ratio", "bits"};

static bool ends_with(const char *name, const char *end, size_t *stem_len)
{
    size_t len = strlen(name), end_len = strlen(end);
    if (len <= end_len || strcmp(name + len - end_len, end) != 0) return false;
    *stem_len = len - end_len;
    return true;
}

struct slice family_stem(const struct family *family)
{
    struct slice stem = slice_of(family->name);
    if (family->type == METRIC_COUNTER) ends_with(family->name, "_total", &stem.len);
    if (family->type == METRIC_INFO) ends_with(family->name, "_info", &stem.len);
    return stem;
}

const char *family_unit(const struct family *family)
{
    struct slice stem = family_stem(family);
    if (family->type == METRIC_INFO || family->type == METRIC_STATE_SET) return "";
    for (size_t n = 0; n < ARRAY_LEN(units); n++) {
        size_t len = strlen(units[n]);
        if (stem.len > len + 1 && stem.data[stem.len - len - 1] == '_' &&
            memcmp(stem.data + stem.len - len, units[n], len) == 0) {
            return units[n];
        }
    }
    return "";
}

/* --- Names --- */

/* Returns the suffixes that sample names of the type add to the family's name; ended by NULL. */
static const char *const *suffixes(enum metric_type type)
{
    static const char *const plain[] = {"", NULL};
    static const char *const histogram[] = {"_bucket", "_count", "_sum", "_created", NULL};
    static const char *const summary[] = {"", "_count", "_sum", "_created", NULL};
    /* The encoder writes only the buckets. OpenMetrics reserves the other two names. */
    static const char *const gauge_histogram[] = {"_bucket", "_gcount", "_gsum", NULL};
    switch (type) {
    case METRIC_HISTOGRAM:
        return histogram;
    case METRIC_SUMMARY:
        return summary;
    case METRIC_GAUGE_HISTOGRAM:
        return gauge_histogram;
    default:
        return plain;
    }
}

void family_append_names(const struct family *family, struct buffer *names)
{
    struct slice stem = family_stem(family);
    for (const char *const *suffix = suffixes(family->type); *suffix; suffix++) {
        buffer_append_string(names, family->name);
        buffer_append(names, *suffix, strlen(*suffix) + 1);
    }
    /* OpenMetrics writes the stem in the family's head, so no other family may have that name. */
    if (stem.len == strlen(family->name) && *suffixes(family->type)[0] == '\0') return;
    buffer_append_slice(names, stem);
    buffer_append_char(names, '\0');
}

bool family_has_name(const struct family *family, struct slice name)
{
    size_t len = strlen(family->name);
    if (name.len < len || memcmp(name.data, family->name, len) != 0) return false;
    name = slice_from(name, len);
    if (name.len == 0) return true;
    for (const char *const *suffix = suffixes(family->type); *suffix; suffix++) {
        if (slice_is(name, *suffix)) return true;
    }
    return false;
}

bool family_has_name_in(const struct family *family, const struct set *names)
{
    char name[FAMILY_NAME_MAX + sizeof("_created")];
    size_t len = strlen(family->name);
    if (set_has(names, slice_of(family->name))) return true;
    memcpy(name, family->name, len);
    for (const char *const *suffix = suffixes(family->type); *suffix; suffix++) {
        size_t end = strlen(*suffix);
        memcpy(name + len, *suffix, end);
        if (end && set_has(names, (struct slice){name, len + end})) return true;
    }
    return false;
}

/* --- Checks --- */

static bool is_valid_text(const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char) *c < ' ' || *c == '\\') return false;
    }
    return *text != '\0' && utf8_is_valid(slice_of(text));
}

static const char *check_label(const struct family *family, struct slice name)
{
    if (!label_name_is_valid(name)) return "label names of letters, digits and _, not beginning with __";
    if (slice_is(name, "le") &&
        (family->type == METRIC_HISTOGRAM || family->type == METRIC_GAUGE_HISTOGRAM)) {
        return "no label le in a histogram";
    }
    if (slice_is(name, "quantile") && family->type == METRIC_SUMMARY) return "no label quantile in a summary";
    return NULL;
}

const char *family_check(const struct family *family)
{
    size_t ignored;
    if (!metric_name_is_valid(slice_of(family->name)))
        return "a name of letters, digits, _ and :, not beginning with a digit";
    if (strlen(family->name) > FAMILY_NAME_MAX) return "a shorter name";
    if (!is_valid_text(family->help)) return "a help text of one line without backslashes";
    if (family->type == METRIC_INFO && !ends_with(family->name, "_info", &ignored))
        return "the name of an info to end in _info";
    for (struct slice rest = slice_of(family->labels); rest.len;) {
        const char *expected = check_label(family, slice_cut(&rest, ','));
        if (expected) return expected;
    }
    return NULL;
}
