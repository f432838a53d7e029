/*
 * Divides made-up servers among shards, with the program's own hash.
 *
 *     shards SERVERS SHARDS...
 *
 * The program prints one line of JSON for each number of shards: the fewest and the most servers of a shard,
 * and how many servers belong to another exporter than with the first number of shards.
 */
#include "net/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Returns the shard of the address. Every address must have exactly one. */
static unsigned owner(struct slice address, unsigned count)
{
    unsigned found = count;
    for (unsigned n = 0; n < count; n++) {
        if (!shard_owns((struct shard){n, count}, address)) continue;
        if (found < count) die("%.*s belongs to two shards", (int) address.len, address.data);
        found = n;
    }
    if (found == count) die("%.*s belongs to no shard", (int) address.len, address.data);
    return found;
}

static void divide(unsigned count, unsigned servers, uint16_t *first, bool is_first)
{
    unsigned *sizes = calloc(count, sizeof(*sizes)), moved = 0;
    if (!sizes) die("no memory");
    for (unsigned n = 0; n < servers; n++) {
        char name[64];
        int len = snprintf(name, sizeof(name), "cache-%u.example.com:11211", n);
        unsigned shard = owner((struct slice){name, (size_t) len}, count);
        sizes[shard]++;
        if (is_first) first[n] = (uint16_t) shard;
        moved += first[n] != shard;
    }
    unsigned least = servers, most = 0;
    for (unsigned n = 0; n < count; n++) {
        if (sizes[n] < least) least = sizes[n];
        if (sizes[n] > most) most = sizes[n];
    }
    printf("{\"shards\": %u, \"least\": %u, \"most\": %u, \"moved\": %u}\n", count, least, most, moved);
    free(sizes);
}

int main(int argc, char **argv)
{
    if (argc < 3) die("usage: shards SERVERS SHARDS...");
    unsigned servers = (unsigned) strtoul(argv[1], NULL, 10);
    uint16_t *first = calloc(servers, sizeof(*first));
    if (!first) die("no memory");
    for (int n = 2; n < argc; n++) {
        unsigned count = (unsigned) strtoul(argv[n], NULL, 10);
        if (count < 1 || count > SHARD_COUNT_MAX) die("%s: from 1 to %d shards", argv[n], SHARD_COUNT_MAX);
        divide(count, servers, first, n == 2);
    }
    free(first);
    return 0;
}
