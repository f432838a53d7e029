/*
 * Replies to stats commands in the binary protocol. The first byte chooses the commands, the second how the
 * reply is cut: the session must make the same of it as of the whole.
 */
#include "replies.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hearing whole, cut;
    if (size < 2) return 0;
    unsigned wanted = COMMAND_BIT(COMMAND_STATS) | (data[0] & (COMMAND_BIT(COMMAND_COUNT) - 1));
    struct slice reply = {(const char *) data + 2, size - 2};
    hear(&whole, &protocol_binary, wanted, reply, 0);
    hear(&cut, &protocol_binary, wanted, reply, 1 + data[1]);
    compare_hearings(&whole, &cut);
    snapshot_finish(whole.session.snapshot);
    forget(&whole);
    forget(&cut);
    return 0;
}
