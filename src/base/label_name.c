#include "base/label_name.h"

/*
 * Returns true if `text` consists of letters, underscores, characters in `more`, and digits except at the
 * beginning. The empty text is invalid.
 */
static bool is_word(struct slice text, const char *more)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\0') return false;
        if (!strchr(letters, c) && !strchr(more, c) && !(i > 0 && strchr("0123456789", c))) return false;
    }
    return text.len > 0;
}

bool metric_name_is_valid(struct slice name)
{
    return is_word(name, ":");
}

bool label_name_is_valid(struct slice name)
{
    return is_word(name, "") && !slice_starts(name, "__");
}
