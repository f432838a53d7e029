/*
 * Replies of ElastiCache's configuration endpoint, as they arrive: once a reply is unknown or bad,
 * more bytes do not change that.
 */
#include "discovery/cluster.h"
#include "fault.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

static enum cluster_outcome read_reply(const uint8_t *data, size_t len)
{
    struct cluster cluster;
    struct cluster_node node;
    struct buffer error;
    char *copy = malloc(len ? len : 1);
    if (!copy) fault("the fuzzer is out of memory");
    if (len) memcpy(copy, data, len);
    buffer_init(&error, 4096);
    enum cluster_outcome outcome = cluster_read(&cluster, (struct slice){copy, len}, &error);
    if (outcome == CLUSTER_BAD) expect(error.len > 0);
    if (outcome == CLUSTER_WHOLE) {
        while (cluster_next(&cluster.nodes, &node)) expect(node.host.len || node.ip.len);
    }
    buffer_deinit(&error);
    free(copy);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum cluster_outcome before = CLUSTER_PART;
    size_t step = size > 256 ? size / 64 : 1;
    for (size_t len = 0; len < size + step; len += step) {
        enum cluster_outcome outcome = read_reply(data, len < size ? len : size);
        bool ends = before == CLUSTER_WHOLE && outcome == CLUSTER_BAD; /* bytes after the end */
        expect(before == CLUSTER_PART || outcome == before || ends);
        before = outcome;
    }
    return 0;
}
