#include "replies.h"

#include "fault.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REPLY (1 << 20)

/* Lets the session read bytes that are in memory of their own, so that reading beyond them is found. */
static void take_piece(struct hearing *hearing, struct slice reply, size_t arrived)
{
    size_t len = arrived - hearing->taken;
    char *piece = malloc(len ? len : 1);
    if (!piece) return;
    if (len) memcpy(piece, reply.data + hearing->taken, len);
    struct slice input = {piece, len};
    hearing->status = session_take(&hearing->session, &input);
    expect(input.len <= len);
    hearing->taken = arrived - input.len;
    free(piece);
}

void hear(struct hearing *hearing, const struct protocol *protocol, unsigned wanted, struct slice reply,
          unsigned piece)
{
    char request[PROTOCOL_REQUESTS_MAX];
    struct snapshot *snapshot = snapshot_new(wanted, MAX_REPLY, 100);
    if (!snapshot) fault("the fuzzer is out of memory");
    *hearing = (struct hearing){.status = SESSION_WAITS};
    session_init(&hearing->session, protocol, snapshot, wanted);
    session_ask(&hearing->session, request);
    for (size_t arrived = 0; hearing->status == SESSION_WAITS && arrived < reply.len;) {
        size_t step = piece ? 1 + (piece * 7919 + arrived) % (4 * piece) : reply.len;
        arrived = reply.len - arrived < step ? reply.len : arrived + step;
        take_piece(hearing, reply, arrived);
        while (hearing->status == SESSION_PAUSES && session_has_more(&hearing->session)) {
            session_ask(&hearing->session, request);
            take_piece(hearing, reply, arrived);
        }
    }
}

void forget(struct hearing *hearing)
{
    snapshot_release(hearing->session.snapshot);
}

void compare_builders(const struct snapshot_builder *a, const struct snapshot_builder *b)
{
    expect(a->count == b->count && a->text.len == b->text.len);
    expect(a->cut == b->cut && a->parse_errors == b->parse_errors && a->unmapped == b->unmapped);
    expect(a->text.len == 0 || memcmp(a->text.data, b->text.data, a->text.len) == 0);
    expect(memcmp(&a->remark, &b->remark, sizeof(a->remark)) == 0);
    for (size_t n = 0; n < a->count; n++) {
        const struct snapshot_builder_entry *left = &a->entries[n], *right = &b->entries[n];
        expect(left->row == right->row && left->number == right->number && left->command == right->command);
        expect(left->text == right->text && left->key_len == right->key_len);
        expect(left->value_len == right->value_len && left->is_plain == right->is_plain);
    }
}

void compare_hearings(const struct hearing *a, const struct hearing *b)
{
    bool fails = a->status == SESSION_FAILED; /* then nobody reads what follows */
    if (a->status != b->status || (a->taken != b->taken && !fails))
        fault("status %d after %zu bytes, in pieces: %d after %zu", (int) a->status, a->taken,
              (int) b->status, b->taken);
    expect(a->session.replied == b->session.replied && a->session.sent == b->session.sent);
    expect(a->session.has_storage == b->session.has_storage);
    expect(a->session.has_size_counts == b->session.has_size_counts);
    expect(!fails || a->session.failure == b->session.failure);
    compare_builders(&a->session.snapshot->builder, &b->session.snapshot->builder);
}
