/*
 * round_start asks the first targets -> on_polled, once for each; now and then it asks more -> ... -> on_done
 *
 * So many are under way at any time that servers and network have enough to do, and so few that their answers
 * do not all wait at once: the loop handles what is there before it looks at anybody else. Targets that do
 * not answer must not hold up the others: when nobody has answered for a while, on_pace lets some more go.
 * While answers come in it does not, however long they take to handle; else a loop that is behind would get
 * ever more to do.
 *
 * A target that could not be asked counts as done. When the time of some is over, those that were never
 * asked, because their turn had not come, are done, and on_give_up ends the others. It and on_release, which
 * frees what a round has gathered, have thousands of targets to see to, and do so slice by slice, one in each
 * turn of the loop. There is one timer, set to the next time at which anybody is due.
 */
#include "memcached/round.h"

#include "base/container.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* An answer takes some 20 us to parse, so that these keep a turn of the loop under some milliseconds. */
#define WINDOW 128

/* So many places are given to others at once: to ask one for each answer takes a tenth more of the processor,
 * and of the time, than to ask many and then to hear many. */
#define BATCH 64

/* 25,000 targets a second, if none of them answers. */
#define PACE    128
#define PACE_MS 5

/* Each slice takes a millisecond or two: to end a poll closes its connection, to release a snapshot is to
 * free some blocks of memory that no cache holds any more. */
#define GIVE_UP_SLICE 128
#define RELEASE_SLICE 1024

/* Snapshots of so many targets are some megabytes, which the system may have back until the next round. */
#define TRIM_COUNT 1000

struct visit {
    struct round *round;
    struct target *target; /* borrowed */
    struct poll poll;
    struct snapshot *snapshot; /* owned */
    uint64_t due_ms;           /* in loop time: when it is given up */
    bool asked;
};

struct round {
    uv_timer_t deadline, pace;
    uv_idle_t slices;
    unsigned handles;  /* that are not closed */
    unsigned commands; /* set of commands that are asked */
    round_fn on_done;
    void *context;
    size_t count;
    size_t next;      /* the first that has not been asked */
    size_t missing;   /* that are not done */
    unsigned free;    /* places in the window, of those who have answered */
    size_t at;        /* where the next slice begins */
    uint64_t over_ms; /* whoever is due by then is given up */
    bool answered;    /* somebody, since the last look at the pace */
    struct visit visits[];
};

static void finish(struct round *round)
{
    uv_timer_stop(&round->deadline);
    uv_timer_stop(&round->pace);
    uv_idle_stop(&round->slices);
    round->on_done(round->context);
}

static void ask_more(struct round *round, unsigned count);

static void on_polled(struct poll *poll, struct snapshot *snapshot)
{
    struct visit *visit = container_of(poll, struct visit, poll);
    struct round *round = visit->round;
    visit->snapshot = snapshot;
    visit->asked = false;
    round->answered = true;
    round->missing--;
    if (++round->free == BATCH) {
        round->free = 0;
        ask_more(round, BATCH);
    }
    if (round->missing == 0) finish(round);
}

/* Polls never end inside client_poll. Who is due before it was asked is not asked. */
static void ask_more(struct round *round, unsigned count)
{
    uint64_t now_ms = uv_now(round->deadline.loop);
    for (; count > 0 && round->next < round->count; count--) {
        struct visit *visit = &round->visits[round->next++];
        unsigned commands = round->commands & visit->target->commands;
        visit->asked = visit->due_ms > now_ms &&
                       client_poll(visit->target->client, &visit->poll, commands, on_polled) == 0;
        if (!visit->asked) round->missing--;
    }
}

static void on_pace(uv_timer_t *pace)
{
    struct round *round = container_of(pace, struct round, pace);
    if (!round->answered) ask_more(round, PACE);
    round->answered = false;
    if (round->next == round->count) uv_timer_stop(pace);
    if (round->missing == 0) finish(round);
}

/* --- Deadlines --- */

/* Ends up to `limit` polls that are due; false when it has looked at all. */
static bool give_up(struct round *round, size_t limit)
{
    for (; round->at < round->next; round->at++) {
        struct visit *visit = &round->visits[round->at];
        if (!visit->asked || visit->due_ms > round->over_ms) continue;
        if (limit-- == 0) return true;
        visit->asked = false;
        visit->snapshot = poll_give_up(&visit->poll);
        round->missing--;
    }
    return false;
}

/* Most rounds have one deadline, and none more than there are modules. */
static void on_deadline(uv_timer_t *deadline);

static void wait_for_next(struct round *round)
{
    uint64_t now_ms = uv_now(round->deadline.loop), next_ms = UINT64_MAX;
    for (size_t n = 0; n < round->count; n++) {
        const struct visit *visit = &round->visits[n];
        if ((visit->asked || n >= round->next) && visit->due_ms < next_ms) next_ms = visit->due_ms;
    }
    if (next_ms == UINT64_MAX) return;
    uv_timer_start(&round->deadline, on_deadline, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void on_give_up(uv_idle_t *slices)
{
    struct round *round = container_of(slices, struct round, slices);
    if (give_up(round, GIVE_UP_SLICE)) return;
    uv_idle_stop(slices);
    if (round->missing == 0)
        finish(round);
    else
        wait_for_next(round);
}

static void on_deadline(uv_timer_t *deadline)
{
    struct round *round = container_of(deadline, struct round, deadline);
    round->over_ms = uv_now(deadline->loop);
    round->at = 0;
    while (round->next < round->count && round->visits[round->next].due_ms <= round->over_ms) {
        round->next++;
        round->missing--;
    }
    if (round->next == round->count) uv_timer_stop(&round->pace);
    uv_idle_start(&round->slices, on_give_up);
}

/* When a target has to have answered: its own time or the round's is over, whichever ends first. */
static uint64_t due_ms(const uv_loop_t *loop, const struct target *target, uint64_t timeout_ms)
{
    uint64_t left_ms = target->timeout_ms < timeout_ms ? target->timeout_ms : timeout_ms;
    return left_ms < UINT64_MAX - uv_now(loop) ? uv_now(loop) + left_ms : UINT64_MAX;
}

/* --- The beginning --- */

static void init_visits(struct round *round, const uv_loop_t *loop, struct target *const *targets,
                        uint64_t timeout_ms)
{
    for (size_t n = 0; n < round->count; n++) {
        struct visit *visit = &round->visits[n];
        visit->round = round;
        visit->target = targets[n];
        visit->due_ms = due_ms(loop, targets[n], timeout_ms);
        poll_init(&visit->poll);
    }
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
    round->handles = 3;
    init_visits(round, loop, targets, timeout_ms);
    uv_timer_init(loop, &round->deadline);
    uv_timer_init(loop, &round->pace);
    uv_idle_init(loop, &round->slices);
    wait_for_next(round);
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

/* --- The end --- */

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

static void on_slices_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct round, slices));
}

static void close_handles(struct round *round)
{
    uv_close((uv_handle_t *) &round->deadline, on_deadline_closed);
    uv_close((uv_handle_t *) &round->pace, on_pace_closed);
    uv_close((uv_handle_t *) &round->slices, on_slices_closed);
}

/* malloc keeps what lies between blocks that are still in use, which here is nearly all. */
static void give_memory_back(const struct round *round)
{
#ifdef __GLIBC__
    if (round->count >= TRIM_COUNT) malloc_trim(0);
#else
    (void) round;
#endif
}

static void release(struct round *round)
{
    for (size_t n = 0; n < RELEASE_SLICE && round->at < round->count; n++)
        snapshot_release(round->visits[round->at++].snapshot);
    if (round->at < round->count) return;
    give_memory_back(round);
    close_handles(round);
}

static void on_release(uv_idle_t *slices)
{
    release(container_of(slices, struct round, slices));
}

void round_free(struct round *round)
{
    if (!round) return;
    round->next = round->count;
    round->over_ms = UINT64_MAX;
    round->at = 0;
    give_up(round, round->count);
    uv_timer_stop(&round->deadline);
    uv_timer_stop(&round->pace);
    round->at = 0;
    uv_idle_stop(&round->slices);
    uv_idle_start(&round->slices, on_release);
    release(round);
}
