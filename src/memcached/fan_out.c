/*
 * fan_out_start asks the first targets -> on_polled, once for each; now and then it asks more -> ... -> on_done
 *
 * So many are under way at any time that servers and network have enough to do, and so few that their answers
 * do not all wait at once: the loop handles what is there before it looks at anybody else. Targets that do
 * not answer must not hold up the others: when nobody has answered for a while, on_pace lets some more go.
 * While answers come in it does not, however long they take to handle; else a loop that is behind would get
 * ever more to do.
 *
 * A target that could not be asked counts as done. When the time of some is over, those that were never
 * asked, because their turn had not come, are done, and on_give_up ends the others. It and on_release, which
 * frees what a fan-out has gathered, have thousands of targets to see to, and do so slice by slice, one in each
 * turn of the loop. There is one timer, set to the next time at which anybody is due.
 */
#include "memcached/fan_out.h"

#include "base/container.h"
#include "memcached/poll.h"

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

/* Snapshots of so many targets are some megabytes, which the system may have back until the next fan_out. */
#define TRIM_COUNT 1000

struct fan_out_target {
    struct fan_out *fan_out;
    struct target *target; /* borrowed */
    struct poll poll;
    struct snapshot *snapshot; /* owned */
    uint64_t due_ms;           /* in loop time: when it is given up */
    bool asked;
};

struct fan_out {
    uv_timer_t deadline, pace;
    uv_idle_t slices;
    unsigned handles;  /* that are not closed */
    unsigned commands; /* set of commands that are asked */
    fan_out_fn on_done;
    void *context;
    size_t count;
    size_t next;      /* the first that has not been asked */
    size_t missing;   /* that are not done */
    unsigned free;    /* places in the window, of those who have answered */
    size_t at;        /* where the next slice begins */
    uint64_t over_ms; /* whoever is due by then is given up */
    bool answered;    /* somebody, since the last look at the pace */
    struct fan_out_target visits[];
};

static void finish(struct fan_out *fan_out)
{
    uv_timer_stop(&fan_out->deadline);
    uv_timer_stop(&fan_out->pace);
    uv_idle_stop(&fan_out->slices);
    fan_out->on_done(fan_out->context);
}

static void ask_more(struct fan_out *fan_out, unsigned count);

static void on_polled(struct poll *poll, struct snapshot *snapshot)
{
    struct fan_out_target *visit = container_of(poll, struct fan_out_target, poll);
    struct fan_out *fan_out = visit->fan_out;
    visit->snapshot = snapshot;
    visit->asked = false;
    fan_out->answered = true;
    fan_out->missing--;
    if (++fan_out->free == BATCH) {
        fan_out->free = 0;
        ask_more(fan_out, BATCH);
    }
    if (fan_out->missing == 0) finish(fan_out);
}

/* Polls never end inside poll_start. Who is due before it was asked is not asked. */
static void ask_more(struct fan_out *fan_out, unsigned count)
{
    uint64_t now_ms = uv_now(fan_out->deadline.loop);
    for (; count > 0 && fan_out->next < fan_out->count; count--) {
        struct fan_out_target *visit = &fan_out->visits[fan_out->next++];
        unsigned commands = fan_out->commands & visit->target->profile->commands;
        visit->asked = visit->due_ms > now_ms &&
                       poll_start(&visit->poll, visit->target->client, commands, on_polled) == 0;
        if (!visit->asked) fan_out->missing--;
    }
}

static void on_pace(uv_timer_t *pace)
{
    struct fan_out *fan_out = container_of(pace, struct fan_out, pace);
    if (!fan_out->answered) ask_more(fan_out, PACE);
    fan_out->answered = false;
    if (fan_out->next == fan_out->count) uv_timer_stop(pace);
    if (fan_out->missing == 0) finish(fan_out);
}

/* --- Deadlines --- */

/* Ends up to `limit` polls that are due; false when it has looked at all. */
static bool give_up(struct fan_out *fan_out, size_t limit)
{
    for (; fan_out->at < fan_out->next; fan_out->at++) {
        struct fan_out_target *visit = &fan_out->visits[fan_out->at];
        if (!visit->asked || visit->due_ms > fan_out->over_ms) continue;
        if (limit-- == 0) return true;
        visit->asked = false;
        visit->snapshot = poll_give_up(&visit->poll);
        fan_out->missing--;
    }
    return false;
}

/* Most fan-outs have one deadline, and none more than there are modules. */
static void on_deadline(uv_timer_t *deadline);

static void wait_for_next(struct fan_out *fan_out)
{
    uint64_t now_ms = uv_now(fan_out->deadline.loop), next_ms = UINT64_MAX;
    for (size_t n = 0; n < fan_out->count; n++) {
        const struct fan_out_target *visit = &fan_out->visits[n];
        if ((visit->asked || n >= fan_out->next) && visit->due_ms < next_ms) next_ms = visit->due_ms;
    }
    if (next_ms == UINT64_MAX) return;
    uv_timer_start(&fan_out->deadline, on_deadline, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void on_give_up(uv_idle_t *slices)
{
    struct fan_out *fan_out = container_of(slices, struct fan_out, slices);
    if (give_up(fan_out, GIVE_UP_SLICE)) return;
    uv_idle_stop(slices);
    if (fan_out->missing == 0)
        finish(fan_out);
    else
        wait_for_next(fan_out);
}

static void on_deadline(uv_timer_t *deadline)
{
    struct fan_out *fan_out = container_of(deadline, struct fan_out, deadline);
    fan_out->over_ms = uv_now(deadline->loop);
    fan_out->at = 0;
    while (fan_out->next < fan_out->count && fan_out->visits[fan_out->next].due_ms <= fan_out->over_ms) {
        fan_out->next++;
        fan_out->missing--;
    }
    if (fan_out->next == fan_out->count) uv_timer_stop(&fan_out->pace);
    uv_idle_start(&fan_out->slices, on_give_up);
}

/* When a target has to have answered: its own time or the fan-out's is over, whichever ends first. */
static uint64_t due_ms(const uv_loop_t *loop, const struct target *target, uint64_t timeout_ms)
{
    uint64_t own_ms = target->profile->timeout_ms, left_ms = own_ms < timeout_ms ? own_ms : timeout_ms;
    return left_ms < UINT64_MAX - uv_now(loop) ? uv_now(loop) + left_ms : UINT64_MAX;
}

/* --- The beginning --- */

static void init_visits(struct fan_out *fan_out, const uv_loop_t *loop, struct target *const *targets,
                        uint64_t timeout_ms)
{
    for (size_t n = 0; n < fan_out->count; n++) {
        struct fan_out_target *visit = &fan_out->visits[n];
        visit->fan_out = fan_out;
        visit->target = targets[n];
        visit->due_ms = due_ms(loop, targets[n], timeout_ms);
        poll_init(&visit->poll);
    }
}

int fan_out_start(struct fan_out **result, struct fleet *fleet, struct target *const *targets, size_t count,
                  unsigned commands, uint64_t timeout_ms, fan_out_fn on_done, void *context)
{
    uv_loop_t *loop = fleet_loop(fleet);
    struct fan_out *fan_out = calloc(1, sizeof(*fan_out) + count * sizeof(fan_out->visits[0]));
    if (!fan_out) return UV_ENOMEM;
    fan_out->commands = commands;
    fan_out->on_done = on_done;
    fan_out->context = context;
    fan_out->count = fan_out->missing = count;
    fan_out->handles = 3;
    init_visits(fan_out, loop, targets, timeout_ms);
    uv_timer_init(loop, &fan_out->deadline);
    uv_timer_init(loop, &fan_out->pace);
    uv_idle_init(loop, &fan_out->slices);
    wait_for_next(fan_out);
    ask_more(fan_out, WINDOW);
    /* At once if there is nobody to wait for. */
    uv_timer_start(&fan_out->pace, on_pace, fan_out->missing ? PACE_MS : 0, PACE_MS);
    *result = fan_out;
    return 0;
}

size_t fan_out_count(const struct fan_out *fan_out)
{
    return fan_out->count;
}

const struct target *fan_out_target(const struct fan_out *fan_out, size_t n)
{
    return fan_out->visits[n].target;
}

const struct snapshot *fan_out_snapshot(const struct fan_out *fan_out, size_t n)
{
    return fan_out->visits[n].snapshot;
}

/* --- The end --- */

static void handle_closed(struct fan_out *fan_out)
{
    if (--fan_out->handles == 0) free(fan_out);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct fan_out, deadline));
}

static void on_pace_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct fan_out, pace));
}

static void on_slices_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct fan_out, slices));
}

static void close_handles(struct fan_out *fan_out)
{
    uv_close((uv_handle_t *) &fan_out->deadline, on_deadline_closed);
    uv_close((uv_handle_t *) &fan_out->pace, on_pace_closed);
    uv_close((uv_handle_t *) &fan_out->slices, on_slices_closed);
}

/* malloc keeps what lies between blocks that are still in use, which here is nearly all. */
static void give_memory_back(const struct fan_out *fan_out)
{
#ifdef __GLIBC__
    if (fan_out->count >= TRIM_COUNT) malloc_trim(0);
#else
    (void) fan_out;
#endif
}

static void release(struct fan_out *fan_out)
{
    for (size_t n = 0; n < RELEASE_SLICE && fan_out->at < fan_out->count; n++)
        snapshot_release(fan_out->visits[fan_out->at++].snapshot);
    if (fan_out->at < fan_out->count) return;
    give_memory_back(fan_out);
    close_handles(fan_out);
}

static void on_release(uv_idle_t *slices)
{
    release(container_of(slices, struct fan_out, slices));
}

void fan_out_free(struct fan_out *fan_out)
{
    if (!fan_out) return;
    fan_out->next = fan_out->count;
    fan_out->over_ms = UINT64_MAX;
    fan_out->at = 0;
    give_up(fan_out, fan_out->count);
    uv_timer_stop(&fan_out->deadline);
    uv_timer_stop(&fan_out->pace);
    fan_out->at = 0;
    uv_idle_stop(&fan_out->slices);
    uv_idle_start(&fan_out->slices, on_release);
    release(fan_out);
}
