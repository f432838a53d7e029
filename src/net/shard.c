#include "net/shard.h"

#include "base/hash.h"
#include "base/number.h"

#include <assert.h>
#include <stdint.h>

static const char expected_shard[] =
    "a shard I/N such as 0/4, with N from 1 to 4096 and I below N; I may be a pod's name that ends in -I";

/* Returns "2" for "2" and for "exporter-2". */
static struct slice number_of(struct slice name)
{
    const char *dash = name.len ? memrchr(name.data, '-', name.len) : NULL;
    return dash && dash > name.data ? slice_from(name, (size_t) (dash - name.data) + 1) : name;
}

const char *shard_parse(struct shard *shard, struct slice text)
{
    uint64_t index, count;
    struct slice behind = text;
    struct slice name = slice_cut(&behind, '/');
    if (!number_parse_u64(number_of(name), &index) || !number_parse_u64(behind, &count))
        return expected_shard;
    if (count > SHARD_COUNT_MAX || index >= count) return expected_shard;
    *shard = (struct shard){(unsigned) index, (unsigned) count};
    return NULL;
}

/*
 * Mixes all bits (the finaliser of splitmix64). The high bits of FNV-1a depend little on the end of the text.
 */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

/*
 * Returns the number of a shard for an address. The golden ratio spreads the numbers of neighbouring shards.
 */
static uint64_t draw(uint64_t address, unsigned index)
{
    return mix(address + (index + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* Stops at the first shard with a higher number, which takes about ln(count) hashes on average. */
bool shard_owns(struct shard shard, struct slice address)
{
    if (shard.count <= 1) return true;
    uint64_t value = hash_fnv1a(address);
    uint64_t own = draw(value, shard.index);
    for (unsigned other = 0; other < shard.count; other++) {
        uint64_t theirs = draw(value, other);
        if (theirs > own || (theirs == own && other < shard.index)) return false;
    }
    return true;
}

/* Formats the address on the stack, where it always fits. So a lack of memory cannot lose a server. */
bool shard_owns_address(struct shard shard, const struct address *address)
{
    char bytes[sizeof(address->host) + sizeof("unix:[]:65535")];
    struct buffer name = {.data = bytes, .size = sizeof(bytes) - 1, .cap = sizeof(bytes) - 1};
    if (shard.count <= 1) return true;
    address_format(address, &name);
    assert(!name.failed);
    return shard_owns(shard, buffer_slice(&name));
}
