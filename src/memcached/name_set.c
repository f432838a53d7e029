#include "memcached/name_set.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

static const char rest_name[] = "other";

void name_append(struct buffer *out, struct slice name)
{
    while (name.len) {
        size_t len = utf8_visible(name);
        if (len)
            buffer_append(out, name.data, len);
        else
            buffer_append_string(out, UTF8_REPLACEMENT);
        name = slice_from(name, len ? len : 1);
    }
}

int name_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Writes the name as valid UTF-8, cut to NAME_LEN_MAX bytes. Returns its length. */
static size_t copy_valid(char *out, struct slice name)
{
    const size_t replacement = strlen(UTF8_REPLACEMENT);
    size_t written = 0;
    while (name.len) {
        size_t len = utf8_visible(name), step = len ? len : replacement;
        if (written + step > NAME_LEN_MAX) break;
        memcpy(out + written, len ? name.data : UTF8_REPLACEMENT, step);
        written += step;
        name = slice_from(name, len ? len : 1);
    }
    return written;
}

unsigned name_set_place(struct name_set *set, struct slice name)
{
    char valid[NAME_LEN_MAX];
    size_t len = copy_valid(valid, name);
    if (slice_is((struct slice){valid, len}, rest_name)) return NAME_SET_REST;
    for (unsigned n = 0; n < set->count; n++) {
        if (set->lens[n] == len && memcmp(set->names[n], valid, len) == 0) return n;
    }
    if (set->count == NAME_SET_MAX) return NAME_SET_REST;
    memcpy(set->names[set->count], valid, len);
    set->lens[set->count] = (unsigned char) len;
    return set->count++;
}

struct slice name_set_at(const struct name_set *set, unsigned place)
{
    if (place == NAME_SET_REST) return slice_of(rest_name);
    assert(place < set->count);
    return (struct slice){set->names[place], set->lens[place]};
}
