/*
 * poll_start -> client_begin ... -> polls_tell -> on_done
 * poll_start -> wait_for_next ... -> polls_tell -> begin_next -> client_begin ... -> polls_tell -> on_done
 *
 * A client has two lists: those who wait for the poll under way, and those who wait for the next one, since
 * they ask for more or came too late to join. Whoever gives up leaves a list; the last one ends the poll.
 */
#include "memcached/poll.h"

#include "base/container.h"
#include "memcached/client.h"
#include "memcached/target_state.h"

void poll_init(struct poll *poll)
{
    *poll = (struct poll){0};
    link_init(&poll->link);
}

/* --- Asking --- */

static struct snapshot *new_snapshot(const struct client *client, unsigned commands)
{
    const struct client_shared *shared = client->shared;
    struct snapshot *snapshot =
        snapshot_new(commands & commands_harmless(), shared->max_reply, shared->max_prefixes);
    if (snapshot) snapshot_join(snapshot, shared->memory);
    return snapshot;
}

/* Makes the poll ready to wait for the one after that which is under way. */
static int wait_for_next(struct client *client, struct poll *poll, unsigned commands)
{
    unsigned all = client->next_commands | commands;
    if (!client->next_snapshot) client->next_snapshot = new_snapshot(client, all);
    if (!client->next_snapshot) return UV_ENOMEM;
    client->next_snapshot->asked = all & commands_harmless();
    client->next_commands = all;
    client->shared->counts.coalesced += !list_is_empty(&client->next_polls);
    poll->waits_for_next = true;
    list_append(&client->next_polls, &poll->link);
    return 0;
}

/* Whether the answer to the poll under way will be fresh enough for one who asks now. */
static bool is_young(const struct client *client)
{
    if (client->judged) return false;
    if (client->phase != CLIENT_ASKING) return true;
    return !client->given_up && uv_hrtime() - client->asked_ns < POLL_YOUNG_MS * 1000000ull;
}

/* Lets a poll begin again that somebody has given up, if it has not got a byte. */
static void restart_if_stuck(struct client *client)
{
    bool connecting = client->phase == CLIENT_DIALING && client->dialer.phase == DIALER_CONNECTING;
    if (!client->given_up || client->restarted || client->judged || client->received) return;
    if (client->phase != CLIENT_ASKING && !connecting) return;
    client->restarted = true;
    client->given_up = false;
    client_disconnect(client);
}

int poll_start(struct poll *poll, struct client *client, unsigned commands, poll_fn on_done)
{
    bool first = !client->snapshot;
    commands |= COMMAND_BIT(COMMAND_STATS);
    poll->on_done = on_done;
    poll->client = client;
    if (!first) restart_if_stuck(client);
    if (!first && ((commands & ~client->commands) || !is_young(client)))
        return wait_for_next(client, poll, commands);
    if (first) client->snapshot = new_snapshot(client, commands);
    if (!client->snapshot) return UV_ENOMEM;
    poll->waits_for_next = false;
    list_append(&client->polls, &poll->link);
    if (first) {
        client->commands = commands;
        client_begin(client);
    } else {
        client->shared->counts.coalesced++;
    }
    return 0;
}

/* The turn of a poll comes when that before it has ended, and when its connection may be made. */
struct poll_progress poll_progress(const struct poll *poll)
{
    const struct client *client = poll->client;
    bool dialing = client->phase == CLIENT_DIALING;
    if (poll->waits_for_next || (dialing && client->dialer.phase == DIALER_QUEUED))
        return (struct poll_progress){0};
    bool was_queued = !client->snapshot->reused && client->dialer.admitted_ns > client->started_ns;
    return (struct poll_progress){
        .began_ns = was_queued ? client->dialer.admitted_ns : client->started_ns,
        .received = client->received,
        .unread = link_is_linked(&client->stream.ticket.link),
    };
}

/* --- The end --- */

static void begin_next(struct client *client)
{
    if (!client->next_snapshot) return;
    client->snapshot = client->next_snapshot;
    client->commands = client->next_commands;
    client->next_snapshot = NULL;
    client->next_commands = 0;
    for (struct link *link; (link = list_pop(&client->next_polls));) {
        container_of(link, struct poll, link)->waits_for_next = false;
        list_append(&client->polls, link);
    }
    client_begin(client);
}

void polls_tell(struct client *client, struct snapshot *snapshot)
{
    struct list polls;
    list_init(&polls);
    list_move(&polls, &client->polls);
    begin_next(client);
    for (struct link *link; (link = list_pop(&polls));) {
        struct poll *poll = container_of(link, struct poll, link);
        poll->client = NULL;
        poll->on_done(poll, snapshot_hold(snapshot));
    }
}

/* The snapshot that was to be filled by the next poll, for one who does not wait for it any more. */
static struct snapshot *leave_next(struct client *client)
{
    struct snapshot *snapshot = client->next_snapshot;
    client->given_up = true;
    if (list_is_empty(&client->next_polls)) {
        client->next_snapshot = NULL;
        client->next_commands = 0;
    } else {
        snapshot = new_snapshot(client, client->next_commands);
        if (!snapshot) return NULL;
    }
    snapshot_judge(snapshot, TARGET_TIMEOUT, "an earlier poll of the server was not done in time");
    snapshot->duration_ns = uv_hrtime() - client->started_ns;
    snapshot_finish(snapshot);
    return snapshot;
}

static struct snapshot *leave_current(struct client *client)
{
    const char *error;
    bool dialing = client->phase == CLIENT_DIALING;
    enum target_state state =
        target_state_when_late(dialing ? client->dialer.phase : DIALER_IDLE, client->received, &error);
    struct snapshot *snapshot;
    if (list_is_empty(&client->polls)) {
        client_judge(client, state, error);
        snapshot = snapshot_hold(client->snapshot);
        client_abandon(client);
        return snapshot;
    }
    client->given_up = true;
    snapshot = snapshot_copy(client->snapshot);
    if (!snapshot) return NULL;
    if (!client->judged) snapshot_judge(snapshot, state, error);
    snapshot->duration_ns = uv_hrtime() - client->started_ns;
    return snapshot;
}

struct snapshot *poll_give_up(struct poll *poll)
{
    struct client *client = poll->client;
    link_remove(&poll->link);
    poll->client = NULL;
    return poll->waits_for_next ? leave_next(client) : leave_current(client);
}
