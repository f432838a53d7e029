/*
 * The happy path: dialer_start -> on_resolved -> begin_attempt -> on_admitted -> on_connected -> finish_dial
 *
 * on_pace runs when the newest attempt has no answer in time: the attempt gives back its place at the
 * limiter, and the next address is tried in parallel. When an attempt fails, the next address is tried at
 * once. The dial fails when no address and no attempt is left. on_pace also reports failures that occur
 * inside dialer_start, so that on_done never runs inside that call.
 *
 * When a dial ends, its attempts, look-up and tickets are released. The dialer is freed when its timer has
 * closed. The streams of abandoned attempts close by themselves.
 */
#include "net/dialer.h"

#include "base/container.h"

#include <assert.h>
#include <stdlib.h>

/* One address that is being tried. */
struct attempt {
    struct link link;
    struct dialer *dialer;
    struct limiter_ticket ticket;
    struct stream *stream; /* owned; NULL until the limiter admits the attempt */
    size_t endpoint;
};

struct dialer {
    struct dial_plan plan;
    dialer_fn on_done;
    void *context;
    enum dialer_phase phase;
    struct lookup lookup;
    union endpoint *endpoints; /* addresses from the last look-up; owned */
    size_t count, next;        /* number of endpoints; index of the first untried endpoint */
    struct list attempts;
    uint64_t admitted_ns; /* uv_hrtime() at which the first attempt was admitted */
    uint64_t newest_ms;   /* loop time at which the newest attempt was admitted */
    int status;           /* code of the last failed attempt */
    bool again;           /* the name was looked up a second time */
    uv_timer_t pace;
};

/* Tells the trace what happens to an endpoint. `why` may be "". */
static void trace_endpoint(const struct dialer *dialer, const char *what, const union endpoint *endpoint,
                           const char *why)
{
    struct buffer text;
    if (!dialer->plan.trace) return;
    buffer_init(&text, 256);
    endpoint_format(endpoint, &text);
    trace_append(dialer->plan.trace, "%s %.*s%s%s", what, SLICE_ARG(buffer_slice(&text)), *why ? ": " : "",
                 why);
    buffer_deinit(&text);
}

/* --- The end --- */

static void drop_attempt(struct attempt *attempt)
{
    limiter_leave(attempt->dialer->plan.limiter, &attempt->ticket);
    link_remove(&attempt->link);
    stream_dispose(attempt->stream);
    free(attempt);
}

static void on_pace_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *) handle, struct dialer, pace));
}

static void end(struct dialer *dialer)
{
    lookup_cancel(&dialer->lookup);
    list_each (&dialer->attempts, at, after) drop_attempt(container_of(at, struct attempt, link));
    free(dialer->endpoints);
    uv_close((uv_handle_t *) &dialer->pace, on_pace_closed);
}

static void finish_dial(struct dialer *dialer, struct stream *stream, int status, const char *why)
{
    dialer->plan.record->failed = status < 0;
    end(dialer);
    dialer->on_done(dialer->context, stream, status, why);
}

void dialer_cancel(struct dialer *dialer, bool late)
{
    struct dial_record *record = dialer->plan.record;
    if (late && (dialer->phase == DIALER_CONNECTING || dialer->phase == DIALER_FULL)) {
        dialer_distrust(dialer->plan.resolver, dialer->plan.address);
        record->failed = true;
        record->favourite = (struct endpoint_host){0};
        if (dialer->next < dialer->count) record->favourite = endpoint_host(&dialer->endpoints[dialer->next]);
    }
    end(dialer);
}

/* --- Attempts --- */

static void on_admitted(struct limiter_ticket *ticket);
static void on_pace(uv_timer_t *pace);

/* Lets on_pace handle the failure in a later turn of the loop. */
static void fail_later(struct dialer *dialer, int status)
{
    dialer->status = status;
    uv_timer_start(&dialer->pace, on_pace, 0, 0);
}

static void begin_attempt(struct dialer *dialer)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    if (!attempt) {
        dialer->next = dialer->count;
        fail_later(dialer, UV_ENOMEM);
        return;
    }
    attempt->dialer = dialer;
    attempt->endpoint = dialer->next++;
    limiter_ticket_init(&attempt->ticket);
    attempt->ticket.failed = dialer->plan.record->failed;
    link_init(&attempt->link);
    list_append(&dialer->attempts, &attempt->link);
    if (list_first(&dialer->attempts) == &attempt->link) dialer->phase = DIALER_QUEUED;
    limiter_enter(dialer->plan.limiter, &attempt->ticket, on_admitted);
}

static void on_resolved(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                        const char *error);

/*
 * Resolves the name once more if its addresses came from the cache. Returns false if no second look-up was
 * started.
 */
static bool look_up_again(struct dialer *dialer)
{
    const struct dial_plan *plan = &dialer->plan;
    bool again = !dialer->again && plan->address->kind == ADDRESS_NAME &&
                 resolver_distrust(plan->resolver, plan->address->host);
    if (!again) return false;
    dialer->again = true;
    trace_note(plan->trace, "looking up %s again, since the addresses were from the cache",
               plan->address->host);
    dialer->phase = DIALER_RESOLVING;
    uv_timer_stop(&dialer->pace);
    return resolver_lookup(plan->resolver, &dialer->lookup, plan->address->host, on_resolved) == 0;
}

/* Tries the next address; ends the dial when nothing is left to try or to wait for. */
static void try_next(struct dialer *dialer)
{
    if (dialer->next < dialer->count)
        begin_attempt(dialer);
    else if (list_is_empty(&dialer->attempts) && !look_up_again(dialer))
        finish_dial(dialer, NULL, dialer->status, uv_strerror(dialer->status));
}

static void on_retry(uv_timer_t *pace);

static void on_connected(struct stream *stream, int status)
{
    struct attempt *attempt = stream->context;
    struct dialer *dialer = attempt->dialer;
    if (status == 0) {
        attempt->stream = NULL;
        trace_endpoint(dialer, "connected to", &dialer->endpoints[attempt->endpoint], "");
        dialer->plan.record->favourite = endpoint_host(&dialer->endpoints[attempt->endpoint]);
        finish_dial(dialer, stream, 0, NULL);
        return;
    }
    if (status == UV_EAGAIN && dialer->plan.address->kind == ADDRESS_UNIX) {
        stream_dispose(stream);
        attempt->stream = NULL;
        limiter_leave(dialer->plan.limiter, &attempt->ticket);
        if (dialer->phase != DIALER_FULL)
            trace_note(dialer->plan.trace, "the queue of the socket is full, waiting");
        dialer->phase = DIALER_FULL;
        uv_timer_start(&dialer->pace, on_retry, DIALER_RETRY_MS, 0);
        return;
    }
    dialer->status = status;
    trace_endpoint(dialer, "no connection to", &dialer->endpoints[attempt->endpoint], uv_strerror(status));
    drop_attempt(attempt);
    try_next(dialer);
}

static void connect_attempt(struct attempt *attempt)
{
    struct dialer *dialer = attempt->dialer;
    int status = UV_ENOMEM;
    attempt->stream = stream_new(dialer->plan.loop);
    if (attempt->stream) {
        attempt->stream->context = attempt;
        status = stream_connect(attempt->stream, &dialer->endpoints[attempt->endpoint], on_connected);
    }
    if (status == 0) return;
    trace_endpoint(dialer, "no connection to", &dialer->endpoints[attempt->endpoint], uv_strerror(status));
    drop_attempt(attempt);
    fail_later(dialer, status);
}

/* Only dials to a path retry. A path has a single address, so there is a single attempt. */
static void on_retry(uv_timer_t *pace)
{
    struct dialer *dialer = container_of(pace, struct dialer, pace);
    connect_attempt(container_of(list_first(&dialer->attempts), struct attempt, link));
}

/* Returns how long an address is tried before the next one is tried in parallel. */
static uint64_t pace_ms(const struct dialer *dialer)
{
    uint64_t share_ms = dialer->plan.time_ms / (dialer->count + 1);
    if (share_ms > DIALER_PACE_MS) return DIALER_PACE_MS;
    return share_ms < DIALER_PACE_MIN_MS ? DIALER_PACE_MIN_MS : share_ms;
}

static void on_admitted(struct limiter_ticket *ticket)
{
    struct attempt *attempt = container_of(ticket, struct attempt, ticket);
    struct dialer *dialer = attempt->dialer;
    uint64_t hold_ms = limiter_hold_ms(dialer->plan.limiter);
    if (!dialer->admitted_ns) dialer->admitted_ns = uv_hrtime();
    dialer->phase = DIALER_CONNECTING;
    trace_endpoint(dialer, "connecting to", &dialer->endpoints[attempt->endpoint], "");
    dialer->newest_ms = uv_now(dialer->plan.loop);
    uv_timer_start(&dialer->pace, on_pace, hold_ms < pace_ms(dialer) ? hold_ms : pace_ms(dialer), 0);
    connect_attempt(attempt);
}

/* Only the newest attempt may still hold a place; older attempts gave theirs back before. */
static void on_pace(uv_timer_t *pace)
{
    struct dialer *dialer = container_of(pace, struct dialer, pace);
    uint64_t tried_ms = uv_now(dialer->plan.loop) - dialer->newest_ms;
    list_each (&dialer->attempts, at, after) {
        struct attempt *attempt = container_of(at, struct attempt, link);
        if (attempt->stream) limiter_leave(dialer->plan.limiter, &attempt->ticket);
    }
    if (list_is_empty(&dialer->attempts) || tried_ms >= pace_ms(dialer))
        try_next(dialer);
    else if (dialer->next < dialer->count)
        uv_timer_start(pace, on_pace, pace_ms(dialer) - tried_ms, 0);
}

/* --- Addresses --- */

/*
 * Reorders the endpoints after the first one so that IPv6 and IPv4 alternate. When one family runs out, the
 * rest keeps its order.
 */
static void interleave(union endpoint *endpoints, size_t count)
{
    for (size_t n = 1; n < count; n++) {
        size_t other = n;
        while (other < count && endpoints[other].any.sa_family == endpoints[n - 1].any.sa_family) other++;
        if (other == count) return;
        union endpoint moved = endpoints[other];
        memmove(&endpoints[n + 1], &endpoints[n], (other - n) * sizeof(moved));
        endpoints[n] = moved;
    }
}

static void put_first(union endpoint *endpoints, size_t n)
{
    union endpoint moved = endpoints[n];
    memmove(&endpoints[1], &endpoints[0], n * sizeof(moved));
    endpoints[0] = moved;
}

/* Returns true if the endpoint was among the addresses of the first look-up, all of which have failed. */
static bool has_failed(const struct dialer *dialer, const union endpoint *endpoint)
{
    struct endpoint_host host = endpoint_host(endpoint);
    for (size_t i = 0; i < dialer->count; i++) {
        if (endpoint_host_is(&dialer->endpoints[i], &host)) return true;
    }
    return false;
}

/*
 * Stores the endpoints that the policy permits and that have not failed, with the favourite first. Returns
 * the number of endpoints that the policy permits. Sets `refusal` for the last endpoint that the policy
 * forbids.
 */
static size_t take_endpoints(struct dialer *dialer, union endpoint *next, const union endpoint *endpoints,
                             size_t count, struct policy_refusal *refusal)
{
    const struct dial_plan *plan = &dialer->plan;
    struct endpoint_host favourite = plan->record->favourite;
    size_t permitted = 0, found = 0, first = 0;
    for (size_t i = 0; i < count; i++) {
        union endpoint *endpoint = &next[found];
        *endpoint = endpoints[i];
        endpoint_set_port(endpoint, plan->address->port);
        if (plan->policy && policy_check(plan->policy, plan->address, endpoint, refusal) != POLICY_ALLOWED) {
            trace_endpoint(dialer, "resolved, but forbidden:", endpoint, refusal->why);
            continue;
        }
        trace_endpoint(dialer, "resolved to", endpoint, "");
        permitted++;
        if (has_failed(dialer, endpoint)) continue;
        if (endpoint_host_is(endpoint, &favourite)) first = found;
        found++;
    }
    if (found > 0) put_first(next, first);
    interleave(next, found);
    free(dialer->endpoints);
    dialer->endpoints = next;
    dialer->count = found;
    dialer->next = 0;
    return permitted;
}

static void forbid_dial(struct dialer *dialer, const struct policy_refusal *refusal)
{
    if (dialer->plan.refusals) dialer->plan.refusals[refusal->ground]++;
    finish_dial(dialer, NULL, DIALER_FORBIDDEN, refusal->why);
}

static void on_resolved(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                        const char *error)
{
    struct dialer *dialer = container_of(lookup, struct dialer, lookup);
    struct policy_refusal refusal;
    if (count == 0) {
        trace_note(dialer->plan.trace, "no address: %s", error);
        finish_dial(dialer, NULL, UV_EAI_NONAME, error);
        return;
    }
    union endpoint *next = malloc(count * sizeof(*next));
    if (!next)
        finish_dial(dialer, NULL, UV_ENOMEM, uv_strerror(UV_ENOMEM));
    else if (take_endpoints(dialer, next, endpoints, count, &refusal) == 0)
        forbid_dial(dialer, &refusal);
    else if (dialer->count == 0)
        finish_dial(dialer, NULL, dialer->status, uv_strerror(dialer->status));
    else
        begin_attempt(dialer);
}

/* --- Names that move --- */

void dialer_distrust(struct resolver *resolver, const struct address *address)
{
    if (address->kind == ADDRESS_NAME) resolver_distrust(resolver, address->host);
}

void dialer_refresh(struct resolver *resolver, const struct address *address)
{
    if (address->kind == ADDRESS_NAME) resolver_refresh(resolver, address->host);
}

bool dialer_has_moved(const struct resolver *resolver, const struct address *address,
                      const struct dial_record *record)
{
    if (address->kind != ADDRESS_NAME || !record->favourite.family) return false;
    union endpoint endpoint = endpoint_of_host(&record->favourite);
    return !resolver_lists(resolver, address->host, &endpoint);
}

/* --- The beginning --- */

/* Stores the endpoint of an IP address or a path. Returns false when out of memory. */
static bool take_literal(struct dialer *dialer)
{
    dialer->endpoints = malloc(sizeof(*dialer->endpoints));
    if (!dialer->endpoints) return false;
    address_endpoint(dialer->plan.address, dialer->endpoints);
    dialer->count = 1;
    return true;
}

int dialer_start(struct dialer **result, const struct dial_plan *plan, dialer_fn on_done, void *context)
{
    struct dialer *dialer = calloc(1, sizeof(*dialer));
    int status = 0;
    if (!dialer) return UV_ENOMEM;
    dialer->plan = *plan;
    dialer->on_done = on_done;
    dialer->context = context;
    dialer->phase = DIALER_RESOLVING;
    lookup_init(&dialer->lookup);
    list_init(&dialer->attempts);
    uv_timer_init(plan->loop, &dialer->pace);
    if (plan->address->kind == ADDRESS_NAME) trace_note(plan->trace, "looking up %s", plan->address->host);
    if (plan->address->kind == ADDRESS_NAME)
        status = resolver_lookup(plan->resolver, &dialer->lookup, plan->address->host, on_resolved);
    else if (take_literal(dialer))
        begin_attempt(dialer);
    else
        status = UV_ENOMEM;
    if (status < 0) {
        end(dialer);
        return status;
    }
    *result = dialer;
    return 0;
}

enum dialer_phase dialer_phase(const struct dialer *dialer)
{
    return dialer ? dialer->phase : DIALER_IDLE;
}

uint64_t dialer_admitted_ns(const struct dialer *dialer)
{
    return dialer->admitted_ns;
}
