/*
 * The happy path: discovery_new -> on_timer: ask -> (the discoverer) -> on_done -> [on_tell: on_change] ->
 * schedule -> on_timer -> ...
 *
 * What can go wrong: the discoverer fails, or finds no target and that is not credible. Then the old targets
 * stay in use, and the timer is set for a retry. A nudge brings the next question forward. If a nudge comes
 * while a question is being asked or reported, another question follows, since the answer may be older than
 * the nudge.
 *
 * A discoverer may answer inside the call of another library. So the timer calls the owner back, with no
 * other call on the stack. The owner may call every function of discovery.h there. Until then it sees the old
 * targets.
 *
 * discovery_close ends the discovery in any phase. It closes the discoverer and the timer. When both are
 * closed, on_part_closed frees the rest and calls on_close. The timer's close callback comes from the loop,
 * so on_close does too.
 */
#include "discovery/discovery.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/retry.h"
#include "discovery/discoverer.h"

#include <assert.h>
#include <stdlib.h>

/* Shortest interval. Without it, a source with a shorter TTL would be asked all the time. */
#define TTL_LEAST_MS 1000

/* Delay after a nudge. Not 0, so that a discoverer that nudges all the time does not keep the loop busy. */
#define SOON_MS 1

/* Delay after the first failure. It doubles with each further failure, up to the interval. */
#define FIRST_RETRY_MS 1000
#define SPREAD         10 /* random change of each delay, in per cent up and down */

enum discovery_phase { PHASE_WAITING, PHASE_ASKING, PHASE_TELLING };

struct discovery {
    struct discovery_config config; /* owned copy */
    struct buffer subject;
    struct discoverer *discoverer;
    uv_timer_t timer;
    uint64_t interval_ms; /* between two questions, after a good answer */
    enum discovery_phase phase;
    bool nudged; /* a nudge came while the discovery was not waiting */
    bool closing;
    unsigned failing; /* failures in a row */
    unsigned empty;   /* answers without a target in a row */
    struct results found;
    struct results next; /* results to report in on_tell */
    bool is_other;       /* `next` will replace `found` */
    struct discovery_state state;
    discovery_change_fn on_change;
    void *context;
    unsigned parts; /* timer and discoverer that are not closed yet */
    discovery_close_fn on_close;
    void *close_context;
};

static void on_done(struct discoverer *discoverer, const struct discovery_answer *answer);

/* --- Asking --- */

static void on_timer(uv_timer_t *timer)
{
    struct discovery *discovery = container_of(timer, struct discovery, timer);
    discovery->phase = PHASE_ASKING;
    int status = discovery->discoverer->kind->ask(discovery->discoverer);
    if (status < 0) on_done(discovery->discoverer, &(struct discovery_answer){.error = uv_strerror(status)});
}

static void on_nudge(struct discoverer *discoverer)
{
    struct discovery *discovery = discoverer->owner;
    if (discovery->phase == PHASE_WAITING)
        uv_timer_start(&discovery->timer, on_timer, SOON_MS, 0);
    else
        discovery->nudged = true;
}

static void schedule(struct discovery *discovery)
{
    uint32_t random = 0;
    /* Without random bytes every delay is a little shorter, which is harmless. */
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    uint64_t delay_ms = discovery->interval_ms;
    if (discovery->failing) delay_ms = retry_delay_ms(FIRST_RETRY_MS, delay_ms, discovery->failing);
    delay_ms = retry_spread_ms(delay_ms, SPREAD, SPREAD, random);
    uv_timer_start(&discovery->timer, on_timer, discovery->nudged ? SOON_MS : delay_ms, 0);
    discovery->phase = PHASE_WAITING;
    discovery->nudged = false;
}

/* --- Answers --- */

/* Copies the error. Cuts it to fit, but not within a character. */
static void set_error(struct discovery_state *state, const char *error)
{
    size_t len = strlen(error), most = sizeof(state->error) - 1;
    if (len > most) {
        for (len = most; len && (error[len] & 0xc0) == 0x80;) len--;
    }
    memcpy(state->error, error, len);
    state->error[len] = '\0';
}

static void log_transition(const struct discovery *discovery, enum log_level level, const char *message)
{
    const struct discovery_state *state = &discovery->state;
    struct log_field fields[] = {LOG_FIELD("discovery", state->kind), LOG_FIELD("subject", state->subject),
                                 LOG_FIELD("err", state->error)};
    log_write(level, message, fields, state->error[0] ? 3 : 2);
}

static void log_emptied(const struct discovery *discovery)
{
    const struct discovery_state *state = &discovery->state;
    log_line(LOG_WARN, "discovery found no targets ten times in a row, its old targets are no longer scraped",
             LOG_FIELD("discovery", state->kind), LOG_FIELD("subject", state->subject));
}

static void record(struct discovery *discovery, const char *error)
{
    struct discovery_state *state = &discovery->state;
    state->answered = true;
    state->refreshes++;
    set_error(state, error ? error : "");
    if (error) {
        state->failures++;
        if (discovery->failing++ == 0)
            log_transition(discovery, LOG_WARN,
                           state->targets ? "discovery failed, the targets that it found before stay in use"
                                          : "discovery failed, it has found no targets so far");
        return;
    }
    state->last_success_s = unix_now();
    if (discovery->failing) log_transition(discovery, LOG_INFO, "discovery works again");
    discovery->failing = 0;
}

/*
 * Sets the interval after a good answer: the configured one; otherwise the answer's TTL; otherwise the
 * default.
 */
static void set_interval(struct discovery *discovery, uint64_t ttl_ms)
{
    if (discovery->config.refresh_ms) return;
    discovery->interval_ms = discovery->discoverer->kind->default_refresh_ms;
    if (ttl_ms) discovery->interval_ms = ttl_ms < TTL_LEAST_MS ? TTL_LEAST_MS : ttl_ms;
}

static void on_tell(uv_timer_t *timer)
{
    struct discovery *discovery = container_of(timer, struct discovery, timer);
    if (discovery->is_other) {
        results_deinit(&discovery->found);
        discovery->found = discovery->next;
        results_init(&discovery->next);
        discovery->is_other = false;
        discovery->state.targets = discovery->found.count;
    }
    schedule(discovery);
    discovery->on_change(discovery->context);
}

static void on_done(struct discoverer *discoverer, const struct discovery_answer *answer)
{
    struct discovery *discovery = discoverer->owner;
    struct results *found = answer->found;
    const char *error = answer->error;
    bool is_first = !discovery->state.answered;
    assert(discovery->phase == PHASE_ASKING && (found || answer->unchanged || error));
    if (found) discovery->state.empty = found->count == 0;
    bool is_absent = found && found->count == 0 && found->dropped == 0;
    bool is_doubtful = is_absent && discoverer->kind->empty_is_failure && !answer->empty_counts;
    if (found) discovery->empty = is_absent ? discovery->empty + 1 : 0;
    if (is_doubtful && !error) error = "the answer names no target";
    if (is_doubtful && discovery->empty < DISCOVERY_EMPTY_MAX) {
        /* Keeps the old targets. */
    } else if (found && !results_equal(&discovery->found, found)) {
        if (is_doubtful) log_emptied(discovery);
        discovery->next = *found;
        discovery->is_other = true;
        results_init(found);
    }
    record(discovery, error);
    if (!error) set_interval(discovery, answer->ttl_ms);
    if (is_first || discovery->is_other) {
        discovery->phase = PHASE_TELLING;
        uv_timer_start(&discovery->timer, on_tell, 0, 0);
    } else {
        schedule(discovery);
    }
}

/* --- Life --- */

static void discovery_free(struct discovery *discovery)
{
    discovery_config_deinit(&discovery->config);
    buffer_deinit(&discovery->subject);
    results_deinit(&discovery->found);
    results_deinit(&discovery->next);
    free(discovery);
}

static void on_part_closed(struct discovery *discovery)
{
    if (--discovery->parts > 0) return;
    discovery_close_fn on_close = discovery->on_close;
    void *context = discovery->close_context;
    discovery_free(discovery);
    if (on_close) on_close(context);
}

static void on_discoverer_closed(struct discoverer *discoverer)
{
    on_part_closed(discoverer->owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(container_of((uv_timer_t *) handle, struct discovery, timer));
}

/* Sets up everything that does not need the loop. */
static int set_up(struct discovery *discovery, const struct discovery_services *services,
                  const struct discovery_config *config, struct buffer *error)
{
    buffer_init(&discovery->subject, SIZE_MAX);
    bool copied = discovery_config_copy(&discovery->config, config);
    discovery_config_describe(config, &discovery->subject);
    buffer_append_char(&discovery->subject, '\0');
    int status = UV_ENOMEM;
    if (!copied || discovery->subject.failed)
        buffer_append_string(error, uv_strerror(status));
    else
        status = discoverer_new(&discovery->discoverer, services, &discovery->config, error);
    return status;
}

int discovery_new(struct discovery **result, const struct discovery_services *services,
                  const struct discovery_config *config, discovery_change_fn on_change, void *context,
                  struct buffer *error)
{
    struct discovery *discovery = calloc(1, sizeof(*discovery));
    if (!discovery) {
        buffer_append_string(error, uv_strerror(UV_ENOMEM));
        return UV_ENOMEM;
    }
    int status = set_up(discovery, services, config, error);
    if (status < 0) {
        discovery_free(discovery);
        return status;
    }
    struct discoverer *discoverer = discovery->discoverer;
    discoverer->on_done = on_done;
    discoverer->on_nudge = on_nudge;
    discoverer->on_close = on_discoverer_closed;
    discoverer->owner = discovery;
    discovery->interval_ms = config->refresh_ms ? config->refresh_ms : discoverer->kind->default_refresh_ms;
    discovery->state.kind = discoverer->kind->name;
    discovery->state.subject = discovery->subject.data;
    discovery->on_change = on_change;
    discovery->context = context;
    uv_timer_init(services->loop, &discovery->timer);
    uv_timer_start(&discovery->timer, on_timer, 0, 0);
    *result = discovery;
    return 0;
}

void discovery_close(struct discovery *discovery, discovery_close_fn on_close, void *context)
{
    assert(!discovery->closing);
    discovery->closing = true;
    discovery->on_close = on_close;
    discovery->close_context = context;
    discovery->parts = 2;
    uv_close((uv_handle_t *) &discovery->timer, on_timer_closed);
    discovery->discoverer->kind->close(discovery->discoverer);
}

/* --- Looking at it --- */

const struct results *discovery_found(const struct discovery *discovery)
{
    return &discovery->found;
}

const struct discovery_state *discovery_state(const struct discovery *discovery)
{
    return &discovery->state;
}

bool discovery_asks(const struct discovery *discovery, const struct discovery_config *config)
{
    return discovery_config_equal(&discovery->config, config);
}
