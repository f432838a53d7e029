#include "http/peers.h"

#include "base/container.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Builds the key that all clients of one peer share: the address family and up to eight bytes of the address.
 */
static void make_key(const union endpoint *endpoint, unsigned char key[9])
{
    memset(key, 0, 9);
    if (endpoint->any.sa_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &endpoint->v4.sin_addr, 4);
    } else if (endpoint->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&endpoint->v6.sin6_addr)) {
        key[0] = 4;
        memcpy(key + 1, endpoint->v6.sin6_addr.s6_addr + 12, 4);
    } else if (endpoint->any.sa_family == AF_INET6) {
        key[0] = 6;
        memcpy(key + 1, endpoint->v6.sin6_addr.s6_addr, 8);
    } else if (endpoint->any.sa_family == AF_VSOCK) {
        key[0] = AF_VSOCK;
        memcpy(key + 1, &endpoint->vm.svm_cid, sizeof(endpoint->vm.svm_cid));
    }
}

static struct list *find_bucket(struct peers *peers, const unsigned char key[9])
{
    unsigned hash = 0;
    for (int n = 0; n < 9; n++) hash = hash * 31 + key[n];
    return &peers->buckets[hash % PEERS_BUCKETS];
}

void peers_init(struct peers *peers)
{
    for (unsigned n = 0; n < PEERS_BUCKETS; n++) list_init(&peers->buckets[n]);
    list_init(&peers->regulars);
    peers->regular_count = 0;
}

struct peer *peers_enter(struct peers *peers, const union endpoint *endpoint)
{
    unsigned char key[9];
    make_key(endpoint, key);
    struct list *bucket = find_bucket(peers, key);
    list_each (bucket, at, after) {
        struct peer *peer = container_of(at, struct peer, link);
        if (memcmp(peer->key, key, sizeof(key)) != 0) continue;
        peer->open++;
        return peer;
    }
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer) return NULL;
    memcpy(peer->key, key, sizeof(key));
    peer->open = 1;
    link_init(&peer->regular);
    list_append(bucket, &peer->link);
    return peer;
}

static void free_if_unused(struct peer *peer)
{
    if (peer->open > 0 || peer_is_regular(peer)) return;
    link_remove(&peer->link);
    free(peer);
}

void peers_leave(struct peers *peers, struct peer *peer)
{
    (void) peers;
    assert(peer->open > 0);
    peer->open--;
    free_if_unused(peer);
}

static void remove_regular(struct peers *peers, struct peer *peer)
{
    link_remove(&peer->regular);
    peers->regular_count--;
}

/*
 * Returns true if one more peer may become regular. Removes the oldest regular peer if it has not read for
 * long.
 */
static bool make_regular_place(struct peers *peers, uint64_t now_ms)
{
    if (peers->regular_count < PEERS_REGULAR_MAX) return true;
    struct peer *oldest = container_of(list_first(&peers->regulars), struct peer, regular);
    if (now_ms - oldest->read_ms < PEERS_REGULAR_MS) return false;
    remove_regular(peers, oldest);
    free_if_unused(oldest);
    return true;
}

void peers_note_reader(struct peers *peers, struct peer *peer, uint64_t now_ms)
{
    if (peer_is_regular(peer))
        remove_regular(peers, peer);
    else if (!make_regular_place(peers, now_ms))
        return;
    peer->read_ms = now_ms;
    list_append(&peers->regulars, &peer->regular);
    peers->regular_count++;
}

bool peer_is_regular(const struct peer *peer)
{
    return link_is_linked(&peer->regular);
}

void peers_deinit(struct peers *peers)
{
    for (struct link *first; (first = list_first(&peers->regulars));) {
        struct peer *peer = container_of(first, struct peer, regular);
        assert(peer->open == 0);
        remove_regular(peers, peer);
        free_if_unused(peer);
    }
}
