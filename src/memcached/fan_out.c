/*
 * fan_out_start asks the first targets -> on_polled, once for each, asks more at times -> ... -> on_done
 *
 * The number of polls under way is limited. It keeps servers and network busy, but not all answers may arrive
 * at once: the loop handles all ready sockets before anything else. Targets that do not answer must not delay
 * the others. So when no answer has come for a while, on_pace starts some more polls. While answers come in,
 * on_pace starts none: a loop that is behind must not get even more work.
 *
 * A target that could not be asked counts as done. At a deadline, on_give_up cancels the polls that are due.
 * on_release frees the snapshots of a fan-out. Both may have to handle thousands of targets, so they handle
 * one slice in each turn of the loop. One timer is set to the next time at which a target is due. When the
 * fan-out's own time is over, targets that were not asked yet end as timed out.
 *
 * A delay of the exporter itself must not make servers time out. The time of a target begins when its server
 * is asked (poll_progress). on_pace is also a heartbeat. If it comes late, the process was stopped or had no
 * CPU, and all deadlines move by that delay. on_give_up lets one turn of the loop pass before it ends the
 * first poll, so that answers that have arrived are read.
 */
#include "memcached/fan_out.h"

#include "base/container.h"
#include "memcached/poll.h"

#include <stdlib.h>

/*
 * Most targets under way. Parsing an answer takes some 20 us, so this many take a few milliseconds of a turn.
 */
#define WINDOW 128

/*
 * Number of targets that are asked at once. Asking one target after each answer takes a tenth more CPU and
 * time.
 */
#define BATCH 64

/*
 * Most targets that are asked in one turn of the loop. Only polls that fail at once, for want of descriptors
 * for example, reach it: their ends would start more of their kind without end. on_pace asks the rest.
 */
#define ASK_TURN 512

/* Polls that on_pace starts every PACE_MS: 25,000 targets a second if none of them answers. */
#define PACE    128
#define PACE_MS 5

/*
 * Interval of the heartbeat once all targets have been asked. A much later beat means that the exporter was
 * paused.
 */
#define BEAT_MS 50

/* Shortest time between two looks at the deadlines. Each look goes over all targets. */
#define LOOK_MS 10

/*
 * Targets in a slice. Each slice takes a millisecond or two: giving up a poll closes its connection, and
 * releasing a snapshot frees some blocks of memory that are in no CPU cache any more.
 */
#define GIVE_UP_SLICE 128
#define RELEASE_SLICE 1024

struct fan_out_target {
    struct fan_out *fan_out;
    struct target *target; /* borrowed */
    struct poll poll;
    struct snapshot *snapshot; /* owned */
    uint64_t due_ms;           /* loop time at which to decide whether to give up */
    uint64_t asked_ms;         /* loop time at which the target was asked */
    uint64_t paused_ms;        /* paused_ms of the fan-out when the target was asked */
    size_t received;           /* bytes of the answer when the target was due with bytes left to read */
    bool asked;
    bool unread; /* the target was due with bytes left to read */
};

struct fan_out {
    struct fleet *fleet; /* borrowed until fan_out_free */
    uv_timer_t deadline, pace;
    uv_idle_t slices;
    unsigned handles;  /* handles that are not closed yet */
    unsigned commands; /* set of commands to ask */
    fan_out_fn on_done;
    void *context;
    size_t count;
    size_t next;    /* index of the first target that has not been asked */
    size_t missing; /* number of targets that are not done */
    unsigned free;  /* targets that have answered since the last batch */
    unsigned asked; /* targets asked at the loop time asked_ms */
    uint64_t asked_ms;
    size_t at;          /* index of the first target of the next slice */
    uint64_t end_ms;    /* loop time after which no target is asked or may be due */
    uint64_t over_ms;   /* loop time of the last deadline: targets due by then are given up */
    uint64_t beat_ms;   /* loop time of the last heartbeat */
    uint64_t paused_ms; /* the sum of all pauses */
    bool answered;      /* a target has answered since the last on_pace */
    bool turn_passed;   /* a turn of the loop has passed since the deadline */
    struct fan_out_target visits[];
};

static void finish_fan_out(struct fan_out *fan_out)
{
    uv_timer_stop(&fan_out->deadline);
    uv_timer_stop(&fan_out->pace);
    uv_idle_stop(&fan_out->slices);
    fan_out->on_done(fan_out->context);
}

static void ask_for_free(struct fan_out *fan_out);

static void on_polled(struct poll *poll, struct snapshot *snapshot)
{
    struct fan_out_target *visit = container_of(poll, struct fan_out_target, poll);
    struct fan_out *fan_out = visit->fan_out;
    visit->snapshot = snapshot;
    visit->asked = false;
    fan_out->answered = true;
    fan_out->missing--;
    fan_out->free++;
    ask_for_free(fan_out);
    if (fan_out->missing == 0) finish_fan_out(fan_out);
}

/* --- Time --- */

static uint64_t add_ms(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

static uint64_t now_ms(const struct fan_out *fan_out)
{
    return uv_now(fan_out->deadline.loop);
}

/* Adds the delay of a late heartbeat to paused_ms. */
static void note_pause(struct fan_out *fan_out)
{
    uint64_t gap_ms = now_ms(fan_out) - fan_out->beat_ms;
    fan_out->beat_ms += gap_ms;
    if (gap_ms > 2 * BEAT_MS) fan_out->paused_ms += gap_ms - BEAT_MS;
}

/*
 * Returns true if a target at its deadline has time left: it was asked late, the exporter was paused, or
 * bytes wait to be read. Sets its new due_ms then.
 */
static bool is_early(struct fan_out *fan_out, struct fan_out_target *visit)
{
    struct poll_progress progress = poll_progress(&visit->poll);
    uint64_t began_ms = progress.began_ns ? progress.began_ns / 1000000 : fan_out->over_ms;
    if (began_ms < visit->asked_ms) began_ms = visit->asked_ms;
    uint64_t due_ms =
        add_ms(add_ms(began_ms, fan_out->paused_ms - visit->paused_ms), visit->target->profile->timeout_ms);
    if (due_ms > fan_out->over_ms) {
        visit->due_ms = due_ms;
        return fan_out->over_ms < fan_out->end_ms;
    }
    if (!progress.unread || fan_out->over_ms >= fan_out->end_ms) return false;
    if (visit->unread && visit->received != progress.received) return false;
    visit->unread = true;
    visit->received = progress.received;
    visit->due_ms = fan_out->over_ms + LOOK_MS;
    return true;
}

/* --- Asking --- */

/* Starts the polls of the next `count` targets. No poll ends inside poll_start. */
static void ask_more(struct fan_out *fan_out, unsigned count)
{
    for (; count > 0 && fan_out->next < fan_out->count; count--) {
        struct fan_out_target *visit = &fan_out->visits[fan_out->next++];
        unsigned commands = fan_out->commands & visit->target->profile->commands & COLLECTORS_ALL;
        visit->asked_ms = now_ms(fan_out);
        visit->due_ms = add_ms(visit->asked_ms, visit->target->profile->timeout_ms);
        visit->paused_ms = fan_out->paused_ms;
        visit->asked = poll_start(&visit->poll, visit->target->client, commands, on_polled) == 0;
        if (!visit->asked) fan_out->missing--;
    }
}

/* Asks as many targets as have answered, in batches, as far as this turn of the loop may. */
static void ask_for_free(struct fan_out *fan_out)
{
    if (fan_out->asked_ms != now_ms(fan_out)) fan_out->asked = 0;
    fan_out->asked_ms = now_ms(fan_out);
    while (fan_out->free >= BATCH && fan_out->asked < ASK_TURN) {
        fan_out->free -= BATCH;
        fan_out->asked += BATCH;
        ask_more(fan_out, BATCH);
    }
}

static void on_pace(uv_timer_t *pace)
{
    struct fan_out *fan_out = container_of(pace, struct fan_out, pace);
    note_pause(fan_out);
    ask_for_free(fan_out);
    if (!fan_out->answered && now_ms(fan_out) < fan_out->end_ms) ask_more(fan_out, PACE);
    fan_out->answered = false;
    if (fan_out->next == fan_out->count) uv_timer_set_repeat(pace, BEAT_MS);
    if (fan_out->missing == 0) finish_fan_out(fan_out);
}

/* --- Deadlines --- */

/* Ends up to GIVE_UP_SLICE polls that are due. Returns false when all targets have been looked at. */
static bool give_up(struct fan_out *fan_out)
{
    unsigned left = GIVE_UP_SLICE;
    for (; fan_out->at < fan_out->next; fan_out->at++) {
        struct fan_out_target *visit = &fan_out->visits[fan_out->at];
        uint64_t due_ms = visit->due_ms < fan_out->end_ms ? visit->due_ms : fan_out->end_ms;
        if (!visit->asked || due_ms > fan_out->over_ms || is_early(fan_out, visit)) continue;
        if (left-- == 0) return true;
        visit->asked = false;
        visit->snapshot = poll_give_up(&visit->poll);
        fan_out->missing--;
    }
    return false;
}

static void on_deadline(uv_timer_t *deadline);

/* Sets the timer to the next deadline of a target under way, or else to the deadline of the fan-out. */
static void wait_for_next(struct fan_out *fan_out)
{
    uint64_t next_ms = fan_out->end_ms, soon_ms = now_ms(fan_out) + LOOK_MS;
    for (size_t n = 0; n < fan_out->next; n++) {
        const struct fan_out_target *visit = &fan_out->visits[n];
        if (visit->asked && visit->due_ms < next_ms) next_ms = visit->due_ms;
    }
    if (next_ms == UINT64_MAX) return;
    if (next_ms < soon_ms) next_ms = soon_ms < fan_out->end_ms ? soon_ms : fan_out->end_ms;
    uint64_t wait_ms = next_ms > now_ms(fan_out) ? next_ms - now_ms(fan_out) : 0;
    uv_timer_start(&fan_out->deadline, on_deadline, wait_ms, 0);
}

static void on_give_up(uv_idle_t *slices)
{
    struct fan_out *fan_out = container_of(slices, struct fan_out, slices);
    bool look = fan_out->turn_passed;
    fan_out->turn_passed = true;
    if (!look || give_up(fan_out)) return;
    uv_idle_stop(slices);
    if (fan_out->missing == 0)
        finish_fan_out(fan_out);
    else
        wait_for_next(fan_out);
}

static void on_deadline(uv_timer_t *deadline)
{
    struct fan_out *fan_out = container_of(deadline, struct fan_out, deadline);
    note_pause(fan_out);
    fan_out->over_ms = now_ms(fan_out);
    fan_out->at = 0;
    fan_out->turn_passed = false;
    uv_idle_start(&fan_out->slices, on_give_up);
    if (fan_out->over_ms < fan_out->end_ms) return;
    fan_out->missing -= fan_out->count - fan_out->next;
    fan_out->next = fan_out->count;
}

/* --- The beginning --- */

/*
 * Returns the deadline of the fan-out: the given timeout, or else the longest timeout of its targets. Returns
 * UINT64_MAX if a target has no timeout. Then the owner decides when to give up.
 */
static uint64_t find_end_ms(const struct fan_out *fan_out, uint64_t timeout_ms)
{
    uint64_t longest_ms = 0;
    if (timeout_ms < UINT64_MAX) return add_ms(now_ms(fan_out), timeout_ms);
    for (size_t n = 0; n < fan_out->count; n++) {
        uint64_t own_ms = fan_out->visits[n].target->profile->timeout_ms;
        if (own_ms > longest_ms) longest_ms = own_ms;
    }
    return add_ms(now_ms(fan_out) + FAN_OUT_TURN_MS, longest_ms);
}

int fan_out_start(struct fan_out **result, struct fleet *fleet, struct target *const *targets, size_t count,
                  unsigned commands, uint64_t timeout_ms, fan_out_fn on_done, void *context)
{
    uv_loop_t *loop = fleet_loop(fleet);
    struct fan_out *fan_out = calloc(1, sizeof(*fan_out) + count * sizeof(fan_out->visits[0]));
    if (!fan_out) return UV_ENOMEM;
    fleet_begin_fan_out(fleet);
    fan_out->fleet = fleet;
    fan_out->commands = commands;
    fan_out->on_done = on_done;
    fan_out->context = context;
    fan_out->count = fan_out->missing = count;
    fan_out->handles = 3;
    uv_timer_init(loop, &fan_out->deadline);
    uv_timer_init(loop, &fan_out->pace);
    uv_idle_init(loop, &fan_out->slices);
    for (size_t n = 0; n < count; n++) {
        fan_out->visits[n].fan_out = fan_out;
        fan_out->visits[n].target = targets[n];
        poll_init(&fan_out->visits[n].poll);
    }
    fan_out->end_ms = find_end_ms(fan_out, timeout_ms);
    fan_out->beat_ms = now_ms(fan_out);
    if (timeout_ms > 0) ask_more(fan_out, WINDOW);
    wait_for_next(fan_out);
    /* Fires at once if no target is missing. */
    uv_timer_start(&fan_out->pace, on_pace, fan_out->missing ? PACE_MS : 0, PACE_MS);
    *result = fan_out;
    return 0;
}

size_t fan_out_done(const struct fan_out *fan_out)
{
    return fan_out->count - fan_out->missing;
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

static void release(struct fan_out *fan_out)
{
    for (size_t n = 0; n < RELEASE_SLICE && fan_out->at < fan_out->count; n++)
        snapshot_release(fan_out->visits[fan_out->at++].snapshot);
    if (fan_out->at < fan_out->count) return;
    close_handles(fan_out);
}

static void on_release(uv_idle_t *slices)
{
    release(container_of(slices, struct fan_out, slices));
}

void fan_out_free(struct fan_out *fan_out)
{
    if (!fan_out) return;
    fleet_end_fan_out(fan_out->fleet);
    for (size_t n = 0; n < fan_out->next; n++) {
        struct fan_out_target *visit = &fan_out->visits[n];
        if (visit->asked) visit->snapshot = poll_give_up(&visit->poll);
        visit->asked = false;
    }
    uv_timer_stop(&fan_out->deadline);
    uv_timer_stop(&fan_out->pace);
    fan_out->at = 0;
    uv_idle_stop(&fan_out->slices);
    uv_idle_start(&fan_out->slices, on_release);
    release(fan_out);
}
