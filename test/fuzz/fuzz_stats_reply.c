/*
 * Replies to stats commands in the text protocol. The first byte chooses the commands, the second how the
 * reply is cut. The session must make the same of the reply as a whole and in pieces, and the same with the
 * plan of lines as a plain reader, which knows of none.
 */
#include "fault.h"
#include "replies.h"
#include "target.h"

#define COMMANDS_WITH_PLAN 4

static const unsigned wishes[] = {
    (1u << COMMANDS_WITH_PLAN) - 1,
    COMMAND_BIT(COMMAND_STATS),
    COMMAND_BIT(COMMAND_COUNT) - 1,
    COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SIZES) | COMMAND_BIT(COMMAND_CONNS),
    COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_DETAIL) | COMMAND_BIT(COMMAND_EXTSTORE),
    COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_PROXY) | COMMAND_BIT(COMMAND_PROXYFUNCS) |
        COMMAND_BIT(COMMAND_PROXYBE),
};

/* Reads the reply to the commands that have a plan, line by line. Stops where a session would. */
static struct snapshot *read_plainly(struct slice reply)
{
    struct snapshot *snapshot = snapshot_new(wishes[0], 1 << 20, 100);
    bool has_stats = false;
    if (!snapshot) fault("the fuzzer is out of memory");
    for (enum command command = 0; command < COMMANDS_WITH_PLAN && reply.len;) {
        struct reply_line line = reply_next(&reply, command_info(command)->form);
        switch (line.kind) {
        case REPLY_STAT:
            expect(snapshot_add(snapshot, command, line.key, line.value));
            has_stats |= !slice_is(line.key, "version");
            break;
        case REPLY_LONG:
            snapshot_builder_reject(&snapshot->builder, command, line.key);
            has_stats = true;
            if (!reply_skip(&reply, &line.len)) return snapshot;
            break;
        case REPLY_END:
            if (!has_stats) return snapshot;
            command++;
            break;
        case REPLY_REFUSED:
            if (command == COMMAND_STATS) return snapshot;
            command++;
            break;
        default:
            return snapshot;
        }
    }
    return snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hearing whole, cut;
    if (size < 2) return 0;
    unsigned wish = data[0] % (sizeof(wishes) / sizeof(wishes[0]));
    struct slice reply = {(const char *) data + 2, size - 2};
    hear(&whole, &protocol_text, wishes[wish], reply, 0);
    hear(&cut, &protocol_text, wishes[wish], reply, 1 + data[1]);
    compare_hearings(&whole, &cut);
    if (wish == 0) {
        struct snapshot *plain = read_plainly(reply);
        if (whole.status != SESSION_FAILED)
            compare_builders(&whole.session.snapshot->builder, &plain->builder);
        snapshot_release(plain);
    }
    snapshot_finish(whole.session.snapshot);
    forget(&whole);
    forget(&cut);
    return 0;
}
