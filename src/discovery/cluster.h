/*
 * Parses the reply of an ElastiCache configuration endpoint about its cluster. Pure.
 *
 * The command is `config get cluster`, or before version 1.4.14 `get AmazonElastiCache:cluster`. The replies:
 *
 *     CONFIG cluster 0 <length>\r\n           VALUE AmazonElastiCache:cluster 0 <length>\r\n
 *     <version>\n
 *     <host>|<ip>|<port> <host>|<ip>|<port> ...\n
 *     \r\n
 *     END\r\n
 *
 * The length counts the two lines in the middle. The ip may be empty. The version increases whenever the
 * nodes change. Every line may end with CRLF or LF. (Amazon ElastiCache User Guide: "Adding auto discovery to
 * your client library".)
 */
#ifndef DISCOVERY_CLUSTER_H
#define DISCOVERY_CLUSTER_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

/* Longest payload. A cluster has at most 300 nodes of some hundred bytes each. */
#define CLUSTER_REPLY_MAX 65536

struct cluster {
    uint64_t version;
    struct slice nodes; /* for cluster_next; every node has been checked; may be empty */
};

struct cluster_node {
    struct slice host; /* may be empty if ip is not */
    struct slice ip;   /* may be empty */
    uint16_t port;
};

enum cluster_outcome {
    CLUSTER_WHOLE,
    CLUSTER_PART,    /* valid so far, but the end is missing */
    CLUSTER_UNKNOWN, /* the server does not know the command */
    CLUSTER_BAD,     /* invalid reply; `error` gets one line: what was wrong, what was expected */
};

/* Reads a reply from its first byte. `cluster` borrows from `reply`. */
enum cluster_outcome cluster_read(struct cluster *cluster, struct slice reply, struct buffer *error);

/* Removes the next node from `nodes`. Returns false at the end. */
bool cluster_next(struct slice *nodes, struct cluster_node *node);

#endif
