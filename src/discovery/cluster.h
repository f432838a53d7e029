/*
 * What an ElastiCache configuration endpoint says about its cluster. Pure.
 *
 * Asked by `config get cluster`, or before 1.4.14 by `get AmazonElastiCache:cluster`, it answers
 *
 *     CONFIG cluster 0 <length>\r\n           VALUE AmazonElastiCache:cluster 0 <length>\r\n
 *     <version>\n
 *     <host>|<ip>|<port> <host>|<ip>|<port> ...\n
 *     \r\n
 *     END\r\n
 *
 * where the length counts the two lines in the middle, and the ip may be empty. The version goes up whenever
 * the nodes change. (Amazon ElastiCache User Guide: "Adding auto discovery to your client library".) Lines
 * may end with CRLF or LF throughout.
 */
#ifndef DISCOVERY_CLUSTER_H
#define DISCOVERY_CLUSTER_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

/* No reply is longer: a cluster has at most 300 nodes of some hundred bytes each. */
#define CLUSTER_REPLY_MAX 65536

struct cluster {
    uint64_t version;
    struct slice nodes; /* checked; may be empty; for cluster_next */
};

struct cluster_node {
    struct slice host; /* may be empty only if ip is not */
    struct slice ip;   /* may be empty */
    uint16_t port;
};

enum cluster_outcome {
    CLUSTER_WHOLE,
    CLUSTER_PART,    /* what is there is good so far, the end is missing */
    CLUSTER_UNKNOWN, /* the server does not know the command */
    CLUSTER_BAD,     /* no such reply; `error` has one line: what was wrong, what was expected */
};

/* Reads a reply from its first byte on; `cluster` borrows from it. */
enum cluster_outcome cluster_read(struct cluster *cluster, struct slice reply, struct buffer *error);

/* The next node, cut from `nodes`; false at the end. */
bool cluster_next(struct slice *nodes, struct cluster_node *node);

#endif
