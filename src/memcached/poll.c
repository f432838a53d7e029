/*
 * poll_start -> client_begin ... -> polls_tell -> on_done
 * poll_start -> wait_for_next ... -> polls_tell -> begin_next -> client_begin ... -> polls_tell -> on_done
 *
 * A client has two lists of callers: those that wait for the poll under way, and those that wait for the next
 * poll. The latter ask for more commands or came too late to join. A caller that gives up leaves its list.
 * When the last caller leaves, the poll ends.
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

/* --- Progress --- */

/* Returns true if the current poll is waiting for the limiter and doing nothing else. */
static bool is_queued(const struct client *client)
{
    return client_phase(client) == CLIENT_DIALING && dialer_phase(client->dialer) == DIALER_QUEUED;
}

/* Returns when the current poll began, or when the limiter admitted it, whichever came later. */
static uint64_t began_ns(const struct client *client)
{
    uint64_t admitted_ns = client->admitted_ns;
    if (!admitted_ns && client_phase(client) == CLIENT_DIALING)
        admitted_ns = dialer_admitted_ns(client->dialer);
    return admitted_ns > client->started_ns ? admitted_ns : client->started_ns;
}

/* Returns how many bytes the current poll has received, over all its connections. */
static size_t received_by(const struct client *client)
{
    size_t received = 0;
    for (size_t n = 0; n < ARRAY_LEN(client->channels); n++)
        received += client->channels[n] ? client->channels[n]->received : 0;
    return received;
}

/* Returns the progress of the current poll. */
static struct poll_reach reach_of(const struct client *client)
{
    const struct channel *channel = client->channels[0];
    bool dialing = client_phase(client) == CLIENT_DIALING;
    return (struct poll_reach){
        .phase = dialing ? dialer_phase(client->dialer) : DIALER_IDLE,
        .shakes_hands = channel && channel->shakes_hands,
        .logs_in = channel && channel->session.awaits_login,
        .received = received_by(client),
    };
}

/* Returns true if bytes may wait that were not read because the read budget of the turn was used up. */
static bool has_unread(const struct client *client)
{
    for (size_t n = 0; n < ARRAY_LEN(client->channels); n++) {
        const struct channel *channel = client->channels[n];
        if (channel && stream_has_unread(channel->stream)) return true;
    }
    return false;
}

/* --- Asking --- */

/* Adds a caller to the next poll. */
static int wait_for_next(struct client *client, struct poll *poll, unsigned commands)
{
    unsigned all = client->next_commands | commands;
    if (!client->next_snapshot) client->next_snapshot = client_new_snapshot(client, all);
    if (!client->next_snapshot) return UV_ENOMEM;
    client->next_snapshot->asked = all & commands_harmless();
    client->next_commands = all;
    client->shared->counts.coalesced += !list_is_empty(&client->next_polls);
    poll->waits_for_next = true;
    list_append(&client->next_polls, &poll->link);
    return 0;
}

/* Returns true if the current poll is recent enough for a caller that asks now. */
static bool is_young(const struct client *client)
{
    if (client->judged) return false;
    if (client_phase(client) != CLIENT_ASKING) return true;
    return !client->given_up && uv_hrtime() - client->asked_ns < POLL_YOUNG_MS * 1000000ull;
}

/*
 * Returns true if the dial is as old as the kernel's first wait before it tries to connect again. Each later
 * wait is twice as long.
 */
static bool is_old_dial(const struct client *client)
{
    return dialer_phase(client->dialer) == DIALER_CONNECTING &&
           uv_hrtime() - dialer_admitted_ns(client->dialer) >= POLL_REDIAL_MS * 1000000ull;
}

/*
 * Restarts a poll that a caller has given up and that has not received a byte. A poll restarts once, and also
 * each time that its dial has become old. Otherwise, when a server comes back, overlapping scrapes would wait
 * until the kernel tries to connect again.
 */
static void restart_if_stuck(struct client *client)
{
    bool connecting = dialer_phase(client->dialer) == DIALER_CONNECTING;
    if (!client->given_up || received_by(client)) return;
    if (client->restarted && !is_old_dial(client)) return;
    if (client_phase(client) != CLIENT_ASKING && !connecting) return;
    client->restarted = true;
    client->given_up = false;
    client_restart(client);
}

int poll_start(struct poll *poll, struct client *client, unsigned commands, poll_fn on_done)
{
    if (client->snapshot) restart_if_stuck(client);
    bool first = !client->snapshot;
    commands |= COMMAND_BIT(COMMAND_STATS);
    poll->on_done = on_done;
    poll->client = client;
    if (!first && ((commands & ~client->commands) || !is_young(client)))
        return wait_for_next(client, poll, commands);
    if (first) client->snapshot = client_new_snapshot(client, commands);
    if (!client->snapshot) return UV_ENOMEM;
    poll->waits_for_next = false;
    list_append(&client->polls, &poll->link);
    if (!first) {
        client->shared->counts.coalesced++;
        return 0;
    }
    client->commands = commands;
    int result = client_begin(client);
    if (result == 0) return 0;
    link_remove(&poll->link);
    snapshot_release(client->snapshot);
    client->snapshot = NULL;
    return result;
}

/* A poll has its turn once the poll before it has ended and the limiter has admitted its connection. */
struct poll_progress poll_progress(const struct poll *poll)
{
    const struct client *client = poll->client;
    if (poll->waits_for_next || is_queued(client)) return (struct poll_progress){0};
    return (struct poll_progress){
        .began_ns = began_ns(client),
        .received = received_by(client),
        .unread = has_unread(client),
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
    if (client_begin(client) == 0) return;
    client_judge(client, TARGET_UNREACHABLE, uv_strerror(UV_ENOMEM));
    client_abandon(client);
}

void polls_tell(struct client *client, struct snapshot *snapshot)
{
    struct list polls;
    list_init(&polls);
    list_move(&polls, &client->polls);
    begin_next(client);
    list_each (&polls, at, after) container_of(at, struct poll, link)->ended = snapshot_hold(snapshot);
    for (struct link *link; (link = list_pop(&polls));) {
        struct poll *poll = container_of(link, struct poll, link);
        struct snapshot *own = poll->ended;
        poll->client = NULL;
        poll->ended = NULL;
        poll->on_done(poll, own);
    }
}

/*
 * Returns an empty snapshot for a caller that gives up before the next poll has begun. Returns NULL if out of
 * memory.
 */
static struct snapshot *leave_next(struct client *client)
{
    struct snapshot *snapshot = client->next_snapshot;
    client->given_up = true;
    if (list_is_empty(&client->next_polls)) {
        client->next_snapshot = NULL;
        client->next_commands = 0;
    } else {
        snapshot = client_new_snapshot(client, client->next_commands);
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
    struct poll_reach reach = reach_of(client);
    enum target_state state = target_state_when_late(&reach, &error);
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
    struct snapshot *ended = poll->ended;
    link_remove(&poll->link);
    poll->client = NULL;
    poll->ended = NULL;
    if (ended) return ended;
    return poll->waits_for_next ? leave_next(client) : leave_current(client);
}
