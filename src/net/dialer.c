/*
 * The happy path: dialer_start -> on_resolved -> on_admitted -> on_connected -> on_done(0).
 *
 * When an endpoint fails, the stream is closed and the next one is tried from on_endpoint_closed. When the last
 * one has failed and the answer of the name server was not new, that callback looks the name up once more and
 * tries the addresses that were not in the first answer; else it reports. A literal or a path skips the resolver. Every failure passes
 * through the close of the stream, so that on_done never runs inside dialer_start, and cancelling only has to
 * turn that callback's report into its own.
 */
#include "net/dialer.h"

#include "base/container.h"

#include <assert.h>

void dialer_init(struct dialer *dialer, uv_loop_t *loop, struct resolver *resolver, struct limiter *limiter,
                 const struct address *address, struct stream *stream)
{
    *dialer = (struct dialer){
        .loop = loop, .resolver = resolver, .limiter = limiter, .address = address, .stream = stream};
    lookup_init(&dialer->lookup);
    limiter_ticket_init(&dialer->ticket);
}

static bool same_host(const union endpoint *a, const union endpoint *b)
{
    if (a->any.sa_family != b->any.sa_family) return false;
    if (a->any.sa_family == AF_INET) return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    if (a->any.sa_family == AF_INET6) return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
    return false;
}

static void finish(struct dialer *dialer, int status, const char *why)
{
    dialer->phase = DIALER_IDLE;
    dialer->on_done(dialer, status, why);
}

static void on_admitted(struct limiter_ticket *ticket);

static void try_endpoint(struct dialer *dialer)
{
    dialer->phase = DIALER_QUEUED;
    limiter_enter(dialer->limiter, &dialer->ticket, on_admitted);
}

static void on_endpoint_closed(struct stream *stream);
static void on_resolved(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                        const char *error);

/* The owner's stream has one user at a time, so the dialer may keep itself in it while it dials. */
static struct dialer *dialer_of(struct stream *stream)
{
    return stream->context;
}

static void on_connected(struct stream *stream, int status)
{
    struct dialer *dialer = dialer_of(stream);
    dialer->status = status;
    if (status < 0) {
        stream_close(stream, on_endpoint_closed);
        return;
    }
    limiter_leave(dialer->limiter, &dialer->ticket);
    dialer->favourite = dialer->endpoints[dialer->current];
    finish(dialer, 0, NULL);
}

static void on_admitted(struct limiter_ticket *ticket)
{
    struct dialer *dialer = container_of(ticket, struct dialer, ticket);
    dialer->phase = DIALER_CONNECTING;
    if (dialer->tried == 0 && !dialer->again) dialer->admitted_ns = uv_hrtime();
    stream_init(dialer->stream, dialer->loop);
    dialer->stream->context = dialer;
    dialer->status = stream_connect(dialer->stream, &dialer->endpoints[dialer->current], on_connected);
    if (dialer->status < 0) stream_close(dialer->stream, on_endpoint_closed);
}

static void step_to_next(struct dialer *dialer)
{
    dialer->current = (dialer->current + 1) % dialer->count;
}

/* When the answer that led nowhere is not new: whether the name is asked for once more. */
static bool look_up_again(struct dialer *dialer)
{
    bool again = !dialer->again && dialer->address->kind == ADDRESS_NAME &&
                 resolver_distrust(dialer->resolver, dialer->address->host);
    if (!again) return false;
    dialer->again = true;
    dialer->phase = DIALER_RESOLVING;
    return resolver_lookup(dialer->resolver, &dialer->lookup, dialer->address->host, on_resolved) == 0;
}

static void on_endpoint_closed(struct stream *stream)
{
    struct dialer *dialer = dialer_of(stream);
    limiter_leave(dialer->limiter, &dialer->ticket);
    if (dialer->cancelled) {
        dialer->cancelled = false;
        dialer->phase = DIALER_IDLE;
        dialer->on_cancelled(dialer);
    } else if (++dialer->tried < dialer->count) {
        step_to_next(dialer);
        try_endpoint(dialer);
    } else if (!look_up_again(dialer)) {
        finish(dialer, dialer->status, uv_strerror(dialer->status));
    }
}

/* Whether the endpoint may be connected to; `why` is of the last one that may not. */
static bool is_permitted(const struct dialer *dialer, const union endpoint *endpoint, char *why)
{
    return !dialer->policy || policy_check(dialer->policy, dialer->address, endpoint, why) == POLICY_ALLOWED;
}

/* Whether the endpoint is one of those that an earlier look-up of this attempt led to. */
static bool has_failed(const struct dialer *dialer, const union endpoint *endpoint)
{
    for (size_t i = 0; i < dialer->count; i++) {
        if (same_host(&dialer->endpoints[i], endpoint)) return true;
    }
    return false;
}

static void on_resolved(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                        const char *error)
{
    struct dialer *dialer = container_of(lookup, struct dialer, lookup);
    char why[POLICY_WHY_MAX];
    if (count == 0) {
        finish(dialer, UV_EAI_NONAME, error);
        return;
    }
    union endpoint next[RESOLVER_ADDRESSES_MAX];
    size_t permitted = 0, found = 0, first = 0;
    for (size_t i = 0; i < count; i++) {
        union endpoint *endpoint = &next[found];
        *endpoint = endpoints[i];
        endpoint_set_port(endpoint, dialer->address->port);
        if (!is_permitted(dialer, endpoint, why)) continue;
        permitted++;
        if (has_failed(dialer, endpoint)) continue;
        if (same_host(endpoint, &dialer->favourite)) first = found;
        found++;
    }
    if (permitted == 0) {
        finish(dialer, DIALER_FORBIDDEN, why);
    } else if (found == 0) {
        finish(dialer, dialer->status, uv_strerror(dialer->status));
    } else {
        memcpy(dialer->endpoints, next, found * sizeof(next[0]));
        dialer->count = found;
        dialer->current = first;
        dialer->tried = 0;
        try_endpoint(dialer);
    }
}

void dialer_start(struct dialer *dialer, dialer_fn on_done)
{
    assert(dialer->phase == DIALER_IDLE);
    dialer->on_done = on_done;
    dialer->current = dialer->tried = dialer->count = 0;
    dialer->again = false;
    if (address_endpoint(dialer->address, &dialer->endpoints[0])) {
        dialer->count = 1;
        try_endpoint(dialer);
        return;
    }
    dialer->phase = DIALER_RESOLVING;
    dialer->status = resolver_lookup(dialer->resolver, &dialer->lookup, dialer->address->host, on_resolved);
    if (dialer->status == 0) return;

    /* Out of memory: reported from the loop like any other failure, by way of the close of an unopened
     * stream. */
    dialer->count = 1;
    stream_init(dialer->stream, dialer->loop);
    dialer->stream->context = dialer;
    stream_close(dialer->stream, on_endpoint_closed);
}

void dialer_distrust(struct dialer *dialer)
{
    if (dialer->address->kind == ADDRESS_NAME) resolver_distrust(dialer->resolver, dialer->address->host);
}

void dialer_refresh(struct dialer *dialer)
{
    if (dialer->address->kind == ADDRESS_NAME) resolver_refresh(dialer->resolver, dialer->address->host);
}

bool dialer_has_moved(const struct dialer *dialer)
{
    return dialer->address->kind == ADDRESS_NAME &&
           !resolver_lists(dialer->resolver, dialer->address->host, &dialer->favourite);
}

void dialer_cancel(struct dialer *dialer, dialer_cancel_fn on_cancelled)
{
    assert(dialer->phase != DIALER_IDLE);
    dialer->cancelled = true;
    dialer->on_cancelled = on_cancelled;
    if (dialer->phase == DIALER_CONNECTING) {
        dialer_distrust(dialer);
        step_to_next(dialer);
        dialer->favourite = dialer->endpoints[dialer->current];
    } else if (dialer->phase == DIALER_QUEUED || link_is_linked(&dialer->lookup.link)) {
        /* A look-up that could not begin is closing the stream already. */
        lookup_cancel(&dialer->lookup);
        limiter_leave(dialer->limiter, &dialer->ticket);
        stream_init(dialer->stream, dialer->loop);
        dialer->stream->context = dialer;
    }
    /* Where an endpoint's failure is closing the stream already, that close's callback reports. */
    stream_close(dialer->stream, on_endpoint_closed);
}
