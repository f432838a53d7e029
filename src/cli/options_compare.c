/* Compares the values of flags: which settings a file or a reload has changed. */
#include "cli/flags.h"
#include "cli/options.h"

#include <string.h>

static bool same_value(const struct flag *flag, const struct options *a, const struct options *b)
{
    const void *value_a = (const char *) a + flag->place, *value_b = (const char *) b + flag->place;
    if (flag->type->same) return flag->type->same(flag, value_a, value_b);
    return memcmp(value_a, value_b, flag->type->size) == 0;
}

bool options_same(const struct options *a, const struct options *b, const char *prefix)
{
    for (size_t i = 0; i < flags_count; i++) {
        if (slice_starts(slice_of(flags[i].name), prefix) && !same_value(&flags[i], a, b)) return false;
    }
    return true;
}

void options_append_overruled(const struct options *given, const struct options *in_force, struct buffer *out)
{
    char *const nothing[] = {NULL};
    struct options defaults;
    struct buffer text;
    buffer_init(&text, OPTIONS_TEXT_MAX);
    if (options_parse(&defaults, nothing, nothing, &text) != OPTIONS_RUN) out->failed = true;
    for (size_t i = 0; i < flags_count && !out->failed; i++) {
        if (same_value(&flags[i], given, in_force) || same_value(&flags[i], given, &defaults)) continue;
        flag_append_spelling(&flags[i], false, out);
        buffer_append_char(out, '\n');
    }
    options_deinit(&defaults);
    buffer_deinit(&text);
}
