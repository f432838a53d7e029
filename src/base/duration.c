#include "base/duration.h"

#include "base/container.h"
#include "base/number.h"

/* The largest unit first. */
static const struct {
    const char *name;
    uint64_t nanoseconds;
} units[] = {
    {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1},
};

/* A hundred years in nanoseconds: far above any use, far below what 64 bits can hold. */
static const double longest = 100 * 365.25 * 24 * 3600e9;

/*
 * Removes the longest unit that `text` begins with: "ms" rather than "m". Returns the unit in nanoseconds, or
 * 0 if `text` does not begin with a unit.
 */
static uint64_t take_unit(struct slice *text)
{
    size_t longest_name = 0;
    uint64_t nanoseconds = 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t len = strlen(units[i].name);
        if (len <= longest_name || !slice_starts(*text, units[i].name)) continue;
        longest_name = len;
        nanoseconds = units[i].nanoseconds;
    }
    *text = slice_from(*text, longest_name);
    return nanoseconds;
}

bool duration_parse(struct slice text, uint64_t *nanoseconds)
{
    double sum = 0;
    if (slice_is(text, "0")) {
        *nanoseconds = 0;
        return true;
    }
    if (text.len == 0) return false;
    while (text.len) {
        struct slice number = text;
        double amount;
        number.len = 0;
        while (number.len < text.len && strchr("0123456789.", text.data[number.len])) number.len++;
        if (!number_parse_double(number, &amount)) return false;
        text = slice_from(text, number.len);
        uint64_t unit = take_unit(&text);
        if (!unit) return false;
        sum += amount * (double) unit;
        if (sum > longest) return false;
    }
    *nanoseconds = (uint64_t) (sum + 0.5);
    return true;
}
