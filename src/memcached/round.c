/*
 * round_start asks the first targets -> on_polled, once for each, asks one more -> ... -> on_done
 *
 * So many are under way at any time that servers and network have enough to do, and so few that their answers
 * do not all wait at once: the loop handles what is there before it looks at anybody else. Targets that do
 * not answer must not hold up the others, so that on_pace lets some more go every few milliseconds.
 *
 * A target that could not be asked counts as done. When the deadline is over, on_deadline gives up every
 * target that is still missing and reports; targets that were never asked, because their turn had not come,
 * are given up like the others.
 */
#include "memcached/round.h"

#include "base/container.h"

#include <stdlib.h>

/* An answer takes some 20 us to parse, so that these keep a turn of the loop under some milliseconds. */
#define WINDOW 128

/* 25,000 targets a second, if none of them answers. */
#define PACE    128
#define PACE_MS 5

struct visit {
    struct round *round;
    struct target *target; /* borrowed */
    struct poll poll;
    struct snapshot *snapshot; /* owned */
    bool asked;
};

struct round {
    uv_timer_t deadline, pace;
    unsigned handles;  /* that are not closed */
    unsigned commands; /* set of commands that are asked */
    round_fn on_done;
    void *context;
    size_t count, next, missing;
    struct visit visits[];
};

static void finish(struct round *round)
{
    uv_timer_stop(&round->deadline);
    uv_timer_stop(&round->pace);
    round->on_done(round->context);
}

static void ask_more(struct round *round, unsigned count);

static void on_polled(struct poll *poll, struct snapshot *snapshot)
{
    struct visit *visit = container_of(poll, struct visit, poll);
    struct round *round = visit->round;
    visit->snapshot = snapshot;
    visit->asked = false;
    round->missing--;
    ask_more(round, 1);
    if (round->missing == 0) finish(round);
}

/* Polls never end inside client_poll. */
static void ask_more(struct round *round, unsigned count)
{
    for (; count > 0 && round->next < round->count; count--) {
        struct visit *visit = &round->visits[round->next++];
        visit->asked = client_poll(visit->target->client, &visit->poll, round->commands, on_polled) == 0;
        if (!visit->asked) round->missing--;
    }
}

static void on_pace(uv_timer_t *pace)
{
    struct round *round = container_of(pace, struct round, pace);
    ask_more(round, PACE);
    if (round->next == round->count) uv_timer_stop(pace);
    if (round->missing == 0) finish(round);
}

static void give_up(struct round *round)
{
    for (size_t n = 0; n < round->count; n++) {
        struct visit *visit = &round->visits[n];
        if (!visit->asked) continue;
        visit->asked = false;
        visit->snapshot = poll_give_up(&visit->poll);
    }
}

static void on_deadline(uv_timer_t *deadline)
{
    struct round *round = container_of(deadline, struct round, deadline);
    give_up(round);
    finish(round);
}

int round_start(struct round **result, struct fleet *fleet, struct target *const *targets, size_t count,
                unsigned commands, uint64_t timeout_ms, round_fn on_done, void *context)
{
    uv_loop_t *loop = fleet_loop(fleet);
    struct round *round = calloc(1, sizeof(*round) + count * sizeof(round->visits[0]));
    if (!round) return UV_ENOMEM;
    round->commands = commands;
    round->on_done = on_done;
    round->context = context;
    round->count = round->missing = count;
    round->handles = 2;
    for (size_t n = 0; n < count; n++) {
        round->visits[n].round = round;
        round->visits[n].target = targets[n];
        poll_init(&round->visits[n].poll);
    }
    uv_timer_init(loop, &round->deadline);
    uv_timer_init(loop, &round->pace);
    uv_timer_start(&round->deadline, on_deadline, timeout_ms, 0);
    ask_more(round, WINDOW);
    /* At once if there is nobody to wait for. */
    uv_timer_start(&round->pace, on_pace, round->missing ? PACE_MS : 0, PACE_MS);
    *result = round;
    return 0;
}

size_t round_count(const struct round *round)
{
    return round->count;
}

const struct target *round_target(const struct round *round, size_t n)
{
    return round->visits[n].target;
}

const struct snapshot *round_snapshot(const struct round *round, size_t n)
{
    return round->visits[n].snapshot;
}

static void handle_closed(struct round *round)
{
    if (--round->handles == 0) free(round);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct round, deadline));
}

static void on_pace_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct round, pace));
}

void round_free(struct round *round)
{
    if (!round) return;
    give_up(round);
    for (size_t n = 0; n < round->count; n++) snapshot_release(round->visits[n].snapshot);
    uv_close((uv_handle_t *) &round->deadline, on_deadline_closed);
    uv_close((uv_handle_t *) &round->pace, on_pace_closed);
}
