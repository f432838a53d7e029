#include "memcached/advisories.h"

#include "base/container.h"
#include "base/number.h"

#include <stdint.h>

#define VERSION(major, minor, patch) (((major) *1000u + (minor)) * 1000u + (patch))

/*
 * `since`: first version with the hole; 0 if all versions before the fix have it. `fixed`: first version
 * without it.
 */
static const struct {
    const char *name;
    uint32_t since, fixed;
    const char *fixed_in;
} advisories[] = {
    {"CVE-2016-8704", 0, VERSION(1, 4, 33), "1.4.33"},
    {"CVE-2016-8705", 0, VERSION(1, 4, 33), "1.4.33"},
    {"CVE-2016-8706", 0, VERSION(1, 4, 33), "1.4.33"},
    {"CVE-2018-1000127", 0, VERSION(1, 4, 37), "1.4.37"},
    {"CVE-2017-9951", 0, VERSION(1, 4, 39), "1.4.39"},
    {"CVE-2018-1000115", 0, VERSION(1, 5, 6), "1.5.6"},
    {"CVE-2019-11596", 0, VERSION(1, 5, 14), "1.5.14"},
    {"CVE-2019-15026", 0, VERSION(1, 5, 17), "1.5.17"},
    {"CVE-2020-10931", VERSION(1, 6, 0), VERSION(1, 6, 2), "1.6.2"},
    {"CVE-2022-48571", VERSION(1, 6, 0), VERSION(1, 6, 8), "1.6.8"},
    {"CVE-2021-37519", VERSION(1, 6, 0), VERSION(1, 6, 10), "1.6.10"},
    {"CVE-2023-46852", VERSION(1, 6, 0), VERSION(1, 6, 22), "1.6.22"},
    {"CVE-2023-46853", VERSION(1, 6, 0), VERSION(1, 6, 22), "1.6.22"},
};

/* Reads "1.6.18". Ignores text after the last digits, such as "-beta". */
static bool read_version(struct slice text, uint32_t *version)
{
    uint32_t parts[3];
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) {
        struct slice part = slice_cut(&text, '.');
        uint64_t number;
        size_t digits = 0;
        while (digits < part.len && part.data[digits] >= '0' && part.data[digits] <= '9') digits++;
        part.len = n == 2 ? digits : part.len;
        if (!number_parse_u64(part, &number) || number > 999 || (n < 2 && !text.data)) return false;
        parts[n] = (uint32_t) number;
    }
    *version = VERSION(parts[0], parts[1], parts[2]);
    return true;
}

bool advisories_append(struct buffer *out, struct slice version)
{
    uint32_t number, last = 0;
    const char *fixed_in = NULL;
    if (!read_version(version, &number)) return false;
    for (size_t n = 0; n < ARRAY_LEN(advisories); n++) {
        if (number < advisories[n].since || number >= advisories[n].fixed) continue;
        if (fixed_in) buffer_append_string(out, ", ");
        buffer_append_string(out, advisories[n].name);
        if (advisories[n].fixed <= last) continue;
        last = advisories[n].fixed;
        fixed_in = advisories[n].fixed_in;
    }
    if (fixed_in) buffer_printf(out, "; fixed in %s", fixed_in);
    return fixed_in != NULL;
}
