#include "memcached/server_version.h"

#include "base/number.h"

#include <stdint.h>

static bool read_part(struct slice *rest, unsigned *part)
{
    uint64_t number;
    size_t len = number_scan_u64(*rest, &number);
    if (!len || number > 9999) return false;
    *part = (unsigned) number;
    *rest = slice_from(*rest, len);
    return true;
}

bool server_version_parse(struct slice text, struct server_version *version)
{
    for (unsigned n = 0; n < 3; n++) {
        if (n > 0 && !slice_starts(text, ".")) return false;
        if (n > 0) text = slice_from(text, 1);
        if (!read_part(&text, &version->part[n])) return false;
    }
    return !text.len || text.data[0] == ' ' || text.data[0] == '-' || text.data[0] == '_';
}

int server_version_compare(const struct server_version *a, const struct server_version *b)
{
    for (unsigned n = 0; n < 3; n++) {
        if (a->part[n] != b->part[n]) return a->part[n] < b->part[n] ? -1 : 1;
    }
    return 0;
}

bool server_version_reaches(struct slice text, unsigned major, unsigned minor, unsigned patch)
{
    struct server_version version, least = {{major, minor, patch}};
    return server_version_parse(text, &version) && server_version_compare(&version, &least) >= 0;
}
