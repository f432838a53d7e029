#include "http/accept.h"

/* "0", "0.5", "1.000": at most three digits behind the point and never more than 1. 0 when malformed. */
static int parse_quality(struct slice text)
{
    static const int weights[] = {1000, 0, 100, 10, 1}; /* by position; the point stands at 1 */
    int quality = 0;
    if (text.len == 0 || text.len > 5 || text.data[0] > '1') return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (i == 1 ? c != '.' : c < '0' || c > '9') return 0;
        quality += weights[i] * (c - '0');
    }
    return quality <= 1000 ? quality : 0;
}

/* Of "gzip;q=0.5": the parameters behind the coding. Without a "q" the quality is 1. */
static int entry_quality(struct slice parameters)
{
    while (parameters.len) {
        struct slice value = slice_trim(slice_cut(&parameters, ';'));
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(name, "q")) return parse_quality(slice_trim(value));
    }
    return 1000;
}

int accept_encoding_quality(struct slice header, const char *coding)
{
    int fallback = slice_is_nocase(slice_of(coding), "identity") ? 1 : 0;
    while (header.len) {
        struct slice parameters = slice_cut(&header, ',');
        struct slice name = slice_trim(slice_cut(&parameters, ';'));
        if (slice_is_nocase(name, coding)) return entry_quality(parameters);
        if (slice_is(name, "*")) fallback = entry_quality(parameters);
    }
    return fallback;
}
