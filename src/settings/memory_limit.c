/*
 * /proc/self/cgroup has a line for each hierarchy of cgroups: "0::/path" for version 2, "4:memory:/path" for
 * version 1. In a container, the path may not exist below the mounted directory, and the limit is then in the
 * root of the mount. So the root is read as well (cgroups(7)).
 */
#include "settings/memory_limit.h"

#include "base/number.h"
#include "base/slice.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* Lowers `limit` to the number in the file. Does nothing if the file is missing or says "max". */
static void read_limit(const char *path, uint64_t *limit)
{
    char text[64];
    uint64_t bytes;
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (fgets(text, sizeof(text), file)) {
        text[strcspn(text, "\n")] = '\0';
        /* Without a limit, version 1 has a number near 2^63. */
        if (number_parse_u64(slice_of(text), &bytes) && bytes < *limit && bytes < UINT64_MAX / 4)
            *limit = bytes;
    }
    fclose(file);
}

/* Reads the limits of a cgroup and of all cgroups above it. */
static void read_limits(const char *root, const char *mount, const char *name, char *group, uint64_t *limit)
{
    char path[2 * PATH_BYTES];
    for (;;) {
        snprintf(path, sizeof(path), "%s%s%s/%s", root, mount, group, name);
        read_limit(path, limit);
        char *slash = strrchr(group, '/');
        if (!slash) return;
        *slash = '\0';
    }
}

uint64_t memory_limit_of_cgroup(const char *root)
{
    char line[PATH_BYTES], path[PATH_BYTES];
    uint64_t limit = UINT64_MAX;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        char *group = strchr(line, '/');
        if (!group) continue;
        if (strncmp(line, "0::", 3) == 0)
            read_limits(root, "/sys/fs/cgroup", "memory.max", group, &limit);
        else if (strstr(line, ":memory:"))
            read_limits(root, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", group, &limit);
    }
    fclose(file);
    return limit == UINT64_MAX ? 0 : limit;
}

uint64_t memory_limit(void)
{
    uint64_t limit = memory_limit_of_cgroup("");
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && size > 0 ? (uint64_t) pages * (uint64_t) size : 0;
    return limit && (!machine || limit < machine) ? limit : machine;
}
