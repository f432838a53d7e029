/*
 * A client is in one of two lists: `used` while a target refers to it, else `unused`, ordered by when the
 * last target was released.
 *
 * A timer, the sweep, closes connections that were not used for the idle time. It also frees unused clients
 * that had no connection for LINGER_NS. Apart from the sweep, only the limit of unused clients, the release
 * of a configured target and the end of the fleet free a client. Thousands of clients may be due at once, so
 * a sweep handles SWEEP_PIECE of them and continues after SWEEP_REST_MS.
 *
 * The snapshots of a fan-out take some kilobytes for each target. When a fan-out is freed, the allocator
 * keeps that memory: a next fan-out that comes soon uses it again without a page fault. The timer `idle`
 * returns it to the system when no next fan-out comes.
 */
#include "memcached/fleet.h"

#include "base/container.h"
#include "memcached/state_log.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/*
 * How long an unused client without a connection is remembered. Until then its log knows whether the server
 * was down before.
 */
#define LINGER_NS 300000000000ull

/* Bytes that all clients together read in one turn of the loop: some hundred answers, a few milliseconds. */
#define READ_IN_TURN (1024 * 1024)

#define SWEEP_MIN_MS 100
#define SWEEP_MAX_MS 10000

/* Closing a connection takes some 10 us. */
#define SWEEP_PIECE   128
#define SWEEP_REST_MS 10

struct fleet {
    struct client_shared shared;
    uint64_t idle_timeout_ns;
    unsigned max_unused;
    void *by_key; /* tree of client keys, for tsearch(3) */
    struct list used, unused;
    size_t unused_count;
    uv_timer_t sweep, idle;
    struct state_log state_log;
    char *groups[FLEET_GROUPS_MAX]; /* names of groups by number, from 1 on; owned */
    unsigned group_count;
    unsigned fan_outs; /* number of fan-outs that are not freed */
    unsigned handles;  /* handles that are not closed yet: sweep, idle, budget, stall and state_log */
    bool closing;
    fleet_close_fn on_close;
    void *context;
};

static int compare_keys(const void *a, const void *b)
{
    const struct client_key *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : profile_compare(left->profile, right->profile);
}

static void finish_close(struct fleet *fleet)
{
    if (!fleet->closing || fleet->handles) return;
    fleet_close_fn on_close = fleet->on_close;
    void *context = fleet->context;
    memory_pool_release(fleet->shared.memory);
    for (unsigned n = 0; n < fleet->group_count; n++) free(fleet->groups[n]);
    free(fleet);
    on_close(context);
}

static void drop_client(struct fleet *fleet, struct client *client)
{
    assert(client->users == 0);
    link_remove(&client->link);
    fleet->unused_count--;
    tdelete(&client->key, &fleet->by_key, compare_keys);
    client_free(client);
}

/* --- The sweep --- */

/* Returns the time `ns` nanoseconds before `now`, at least 0. */
static uint64_t before(uint64_t now, uint64_t ns)
{
    return now > ns ? now - ns : 0;
}

/*
 * Closes a connection unused since `kept_since`, or else frees a client unused since `known_since`. Returns
 * true if it did one of them.
 */
static bool sweep_client(struct fleet *fleet, struct client *client, uint64_t kept_since,
                         uint64_t known_since)
{
    if (client_close_unused(client, kept_since)) return true;
    if (client->users || client_phase(client) != CLIENT_IDLE || client->used_ns >= known_since) return false;
    drop_client(fleet, client);
    return true;
}

static void on_sweep(uv_timer_t *timer)
{
    struct fleet *fleet = container_of(timer, struct fleet, sweep);
    uint64_t now = uv_hrtime(), interval = uv_timer_get_repeat(timer);
    uint64_t kept_since = before(now, fleet->idle_timeout_ns), known_since = before(now, LINGER_NS);
    struct list *const lists[] = {&fleet->used, &fleet->unused};
    unsigned left = SWEEP_PIECE;
    for (size_t n = 0; n < ARRAY_LEN(lists); n++) {
        list_each (lists[n], at, after) {
            if (left == 0) break;
            left -= sweep_client(fleet, container_of(at, struct client, link), kept_since, known_since);
        }
    }
    uv_timer_start(timer, on_sweep, left ? interval : SWEEP_REST_MS, interval);
}

static uint64_t sweep_interval_ms(uint64_t idle_timeout_ns)
{
    uint64_t interval = idle_timeout_ns / 1000000 / 10;
    if (interval < SWEEP_MIN_MS) return idle_timeout_ns ? SWEEP_MIN_MS : SWEEP_MAX_MS;
    return interval > SWEEP_MAX_MS ? SWEEP_MAX_MS : interval;
}

/* --- Memory --- */

/* free() alone keeps memory that lies between blocks still in use, which is nearly all of it here. */
static void on_idle(uv_timer_t *idle)
{
    (void) idle;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void fleet_begin_fan_out(struct fleet *fleet)
{
    fleet->fan_outs++;
    uv_timer_stop(&fleet->idle);
}

void fleet_end_fan_out(struct fleet *fleet)
{
    if (--fleet->fan_outs == 0 && !fleet->closing) uv_timer_start(&fleet->idle, on_idle, FLEET_IDLE_MS, 0);
}

/* --- Targets --- */

static struct client *find_client(struct fleet *fleet, const struct client_key *key)
{
    struct client_key **found = tfind(key, &fleet->by_key, compare_keys);
    return found ? container_of(*found, struct client, key) : NULL;
}

/*
 * Returns the client with that name that configured targets share, or NULL. Its targets may see the login and
 * our certificate.
 */
static struct client *find_configured(struct fleet *fleet, const struct client_key *key)
{
    struct profile open = *key->profile;
    open.policy = NULL;
    open.logs_in = open.access && access_has_login(open.access);
    open.is_anonymous = false;
    open.traced = false;
    struct client *client = find_client(fleet, &(struct client_key){key->name, &open});
    return client && client->configured ? client : NULL;
}

/* Creates a client that is in no list yet. */
static struct client *add_client(struct fleet *fleet, const struct address *address, struct profile *profile)
{
    struct client *client = client_new(&fleet->shared, address, profile);
    if (!client) return NULL;
    if (!tsearch(&client->key, &fleet->by_key, compare_keys)) {
        client_free(client);
        return NULL;
    }
    return client;
}

/*
 * Finds or creates the client of an address. Returns NULL if out of memory. A configured server is shared
 * with all targets, whatever their policy.
 */
static struct client *use_client(struct fleet *fleet, const struct address *address, struct profile *profile)
{
    struct client_key key = {address_text(address), profile};
    struct client *client = NULL;
    if (!key.name) return NULL;
    if (profile->policy && !profile->traced) client = find_configured(fleet, &key);
    if (!client) client = find_client(fleet, &key);
    free(key.name);
    return client ? client : add_client(fleet, address, profile);
}

static void hold_client(struct fleet *fleet, struct client *client, bool configured)
{
    client->configured += configured;
    if (client->users++ > 0) return;
    if (link_is_linked(&client->link)) {
        link_remove(&client->link);
        fleet->unused_count--;
    }
    list_append(&fleet->used, &client->link);
}

static void release_client(struct fleet *fleet, struct client *client, bool configured)
{
    client->configured -= configured;
    if (--client->users > 0) return;
    link_remove(&client->link);
    list_append(&fleet->unused, &client->link);
    fleet->unused_count++;
    /*
     * A server scraped by URL may soon be scraped again. A server removed from the configuration, or one that
     * was looked into, will not be.
     */
    if (configured || client->key.profile->traced)
        drop_client(fleet, client);
    else if (fleet->unused_count > fleet->max_unused)
        drop_client(fleet, container_of(list_first(&fleet->unused), struct client, link));
}

static char *copy_slice(struct slice slice)
{
    return strndup(slice.len ? slice.data : "", slice.len);
}

bool fleet_has(struct fleet *fleet, const struct address *address)
{
    struct profile open = {.policy = NULL};
    struct client_key key = {address_text(address), &open};
    bool has = key.name && find_configured(fleet, &key);
    free(key.name);
    return has;
}

bool fleet_has_access(struct fleet *fleet, const struct address *address, struct profile *profile)
{
    struct client_key key = {address_text(address), profile};
    bool has = key.name && find_configured(fleet, &key);
    free(key.name);
    return has;
}

struct target *target_new(struct fleet *fleet, const struct address *address, struct profile *profile,
                          struct slice name, struct slice labels)
{
    struct target *target = calloc(1, sizeof(*target));
    if (!target) return NULL;
    target->fleet = fleet;
    target->profile = profile_hold(profile);
    target->name = copy_slice(name);
    target->labels = copy_slice(labels);
    if (target->name && target->labels) target->client = use_client(fleet, address, profile);
    if (target->client) {
        hold_client(fleet, target->client, !profile->policy);
        return target;
    }
    target_release(target);
    return NULL;
}

void target_release(struct target *target)
{
    if (!target) return;
    if (target->client) release_client(target->fleet, target->client, !target->profile->policy);
    profile_release(target->profile);
    free(target->name);
    free(target->labels);
    free(target);
}

/* --- Groups --- */

unsigned fleet_group(struct fleet *fleet, const char *name)
{
    unsigned n = 0;
    if (!name[0]) return 0;
    while (n < fleet->group_count && strcmp(fleet->groups[n], name) != 0) n++;
    if (n < fleet->group_count) return n + 1;
    if (n == FLEET_GROUPS_MAX) return 0;
    fleet->groups[n] = strdup(name);
    if (!fleet->groups[n]) return 0;
    return ++fleet->group_count;
}

const char *fleet_group_name(const struct fleet *fleet, unsigned group)
{
    return group ? fleet->groups[group - 1] : "";
}

/* --- Life --- */

static uint64_t random_number(void)
{
    uint64_t number;
    return uv_random(NULL, NULL, &number, sizeof(number), 0, NULL) == 0 ? number : uv_hrtime();
}

int fleet_new(struct fleet **result, uv_loop_t *loop, const struct fleet_config *config)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    struct memory_pool *memory = memory_pool_new(config->max_memory);
    if (!fleet || !memory) {
        free(fleet);
        memory_pool_release(memory);
        return UV_ENOMEM;
    }
    client_shared_init(&fleet->shared, loop);
    fleet->shared.resolver = config->resolver;
    fleet->shared.max_reply = config->max_reply;
    fleet->shared.max_prefixes = config->max_prefixes;
    probe_write_key(fleet->shared.probe_key, random_number());
    fleet->shared.memory = memory;
    fleet->shared.keep = config->idle_timeout_ns > 0;
    limiter_init(&fleet->shared.limiter, config->max_connecting);
    fleet->idle_timeout_ns = config->idle_timeout_ns;
    fleet->max_unused = config->max_unused;
    fleet->shared.on_poll = config->on_poll;
    fleet->shared.on_poll_context = config->on_poll_context;
    list_init(&fleet->used);
    list_init(&fleet->unused);

    uint64_t interval = sweep_interval_ms(config->idle_timeout_ns);
    uv_timer_init(loop, &fleet->sweep);
    uv_timer_start(&fleet->sweep, on_sweep, interval, interval);
    uv_timer_init(loop, &fleet->idle);
    read_budget_init(&fleet->shared.budget, loop, READ_IN_TURN);
    state_log_init(&fleet->state_log, loop);
    fleet->shared.state_log = &fleet->state_log;
    fleet->handles = 5;
    *result = fleet;
    return 0;
}

struct client_counts fleet_counts(const struct fleet *fleet)
{
    return fleet->shared.counts;
}

struct limiter *fleet_limiter(struct fleet *fleet)
{
    return &fleet->shared.limiter;
}

void fleet_limit_unused(struct fleet *fleet, unsigned max_unused)
{
    fleet->max_unused = max_unused;
}

uv_loop_t *fleet_loop(const struct fleet *fleet)
{
    return fleet->shared.loop;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct fleet *fleet = handle->data;
    fleet->handles--;
    finish_close(fleet);
}

static void on_budget_closed(struct read_budget *budget)
{
    struct fleet *fleet = container_of(budget, struct fleet, shared.budget);
    fleet->handles--;
    finish_close(fleet);
}

static void on_stall_closed(struct stall *stall)
{
    struct fleet *fleet = container_of(stall, struct fleet, shared.stall);
    fleet->handles--;
    finish_close(fleet);
}

static void on_state_log_closed(struct state_log *log)
{
    struct fleet *fleet = container_of(log, struct fleet, state_log);
    fleet->handles--;
    finish_close(fleet);
}

void fleet_close(struct fleet *fleet, fleet_close_fn on_close, void *context)
{
    assert(list_is_empty(&fleet->used) && !fleet->closing);
    fleet->closing = true;
    fleet->on_close = on_close;
    fleet->context = context;
    list_each (&fleet->unused, at, after) drop_client(fleet, container_of(at, struct client, link));
    fleet->sweep.data = fleet->idle.data = fleet;
    uv_close((uv_handle_t *) &fleet->sweep, on_timer_closed);
    uv_close((uv_handle_t *) &fleet->idle, on_timer_closed);
    read_budget_close(&fleet->shared.budget, on_budget_closed);
    stall_close(&fleet->shared.stall, on_stall_closed);
    state_log_close(&fleet->state_log, on_state_log_closed);
}
