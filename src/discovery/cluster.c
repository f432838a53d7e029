#include "discovery/cluster.h"

#include "base/number.h"
#include "base/utf8.h"
#include "net/address.h"

/* Longest first line. Every server's first line is much shorter. */
#define FIRST_LINE_MAX 512

/* Longest excerpt of the reply in an error message. */
#define EXCERPT_MAX 80

static const char expected_head[] = "expected a configuration endpoint's \"CONFIG cluster 0 LENGTH\"";

/* Writes what is wrong, and quotes `found`, the wrong part of the reply. */
static enum cluster_outcome bad(struct buffer *error, const char *wrong, struct slice found)
{
    if (found.len > EXCERPT_MAX) found.len = EXCERPT_MAX;
    buffer_printf(error, "%s, found \"", wrong);
    utf8_append_escaped(error, found);
    buffer_append_char(error, '"');
    return CLUSTER_BAD;
}

/* Removes the first line from `rest` and returns it without its line end. */
static struct slice cut_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (line.len && line.data[line.len - 1] == '\r') line.len--;
    return line;
}

/* --- Nodes --- */

bool cluster_next(struct slice *nodes, struct cluster_node *node)
{
    struct slice entry = {NULL, 0};
    uint64_t port = 0;
    while (nodes->len && entry.len == 0) entry = slice_cut(nodes, ' ');
    if (entry.len == 0) return false;
    node->host = slice_cut(&entry, '|');
    node->ip = slice_cut(&entry, '|');
    if (!number_parse_u64(entry, &port) || port > UINT16_MAX) port = 0;
    node->port = (uint16_t) port;
    return true;
}

/* Returns true if `host` is a valid host without a port. Then address_parse leaves the port 0. */
static bool is_host(struct slice host)
{
    struct address address;
    return address_parse(&address, host, 0) == NULL && address.kind != ADDRESS_UNIX && address.port == 0;
}

/* Returns true if the node is well-formed. One malformed node makes the whole reply invalid. */
static bool is_node(const struct cluster_node *node)
{
    if (node->port == 0 || (node->host.len == 0 && node->ip.len == 0)) return false;
    return (node->host.len == 0 || is_host(node->host)) && (node->ip.len == 0 || is_host(node->ip));
}

static enum cluster_outcome check_nodes(struct slice nodes, struct buffer *error)
{
    struct cluster_node node;
    for (struct slice rest = nodes, before = rest; cluster_next(&rest, &node); before = rest) {
        if (!is_node(&node)) return bad(error, "expected nodes as host|ip|port", slice_trim(before));
    }
    return CLUSTER_WHOLE;
}

/* --- The reply --- */

/* Reads the two lines in the middle: version and nodes. */
static enum cluster_outcome read_payload(struct cluster *cluster, struct slice payload, struct buffer *error)
{
    struct slice version = slice_trim(cut_line(&payload));
    if (!number_parse_u64(version, &cluster->version))
        return bad(error, "expected the version of the configuration, a number", version);
    cluster->nodes = cut_line(&payload);
    while (payload.len) {
        struct slice line = cut_line(&payload);
        if (line.len) return bad(error, "expected one line of nodes", line);
    }
    return check_nodes(cluster->nodes, error);
}

/* Parses the first line and gets the length that it announces. */
static bool read_head(struct slice head, uint64_t *length)
{
    struct slice word = slice_cut(&head, ' '), key = slice_cut(&head, ' '), flags = slice_cut(&head, ' ');
    bool is_config = slice_is(word, "CONFIG") && slice_is(key, "cluster");
    bool is_value = slice_is(word, "VALUE") && slice_is(key, "AmazonElastiCache:cluster");
    return (is_config || is_value) && flags.len && number_parse_u64(head, length);
}

/*
 * Checks the end of the reply, after the payload: END, after an empty line unless the length includes that.
 */
static enum cluster_outcome read_end(struct slice rest, struct buffer *error)
{
    while (rest.len && (rest.data[0] == '\r' || rest.data[0] == '\n')) rest = slice_from(rest, 1);
    struct slice line = cut_line(&rest), end = SLICE("END");
    if (slice_equal(line, end) && rest.data && rest.len == 0) return CLUSTER_WHOLE;
    if (line.len < end.len) end.len = line.len;
    if (slice_equal(line, end) && !rest.data) return CLUSTER_PART;
    return bad(error, "expected END behind the nodes", line);
}

/* Checks the first line, which is complete. */
static enum cluster_outcome read_first(struct slice line, uint64_t *length, struct buffer *error)
{
    if (slice_is(line, "ERROR")) return CLUSTER_UNKNOWN;
    if (slice_is(line, "END")) return bad(error, "the server has no cluster configuration", line);
    if (!read_head(line, length)) return bad(error, expected_head, line);
    if (*length > CLUSTER_REPLY_MAX) return bad(error, "expected a configuration of at most 64 KiB", line);
    return CLUSTER_WHOLE;
}

enum cluster_outcome cluster_read(struct cluster *cluster, struct slice reply, struct buffer *error)
{
    struct slice rest = reply;
    uint64_t length;
    struct slice line = cut_line(&rest);
    if (!rest.data) {
        if (reply.len <= FIRST_LINE_MAX) return CLUSTER_PART;
        return bad(error, expected_head, line);
    }
    enum cluster_outcome outcome = read_first(line, &length, error);
    if (outcome != CLUSTER_WHOLE) return outcome;
    if (rest.len < length) return CLUSTER_PART;
    outcome = read_end(slice_from(rest, length), error);
    if (outcome != CLUSTER_WHOLE) return outcome;
    rest.len = length;
    return read_payload(cluster, rest, error);
}
