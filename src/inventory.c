/*
 * Two generations at most: the one in force, and the next one while its sources are asked. One roster at most
 * is being made, of either.
 *
 *     inventory_set -> [on_change, until every source has answered, or on_patience] -> begin -> [on_work:
 * step] -> install -> [on_work: tell]
 *     on_change -> catch_up -> begin -> [on_work: step] -> install -> [on_change meanwhile: on_pause,
 * catch_up]
 *
 * What can go wrong: a generation cannot be made, or its roster cannot (out of memory): what is in force
 * stays, and the one who set it is told. A source changes while a roster is being made: another one is made
 * afterwards, and if it is the very source that is being read, what was made is thrown away and begun anew.
 * Hundreds of sources may change all the time, so that rosters come at intervals, each with all that has
 * changed in between.
 *
 * on_work runs on each turn of the loop while there is something to make, to take apart or to tell, a bounded
 * piece of each, and is stopped otherwise.
 */
#include "inventory.h"

#include "assembly.h"
#include "base/container.h"
#include "base/log.h"
#include "feeds.h"
#include "generation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A target takes some four microseconds to make, and less to take apart. */
#define TARGETS_A_TURN 256

/* From one roster to the next: ten thousand targets take some 20 ms. */
#define PAUSE_MS 200

/* A source that has not answered by then comes later. */
#define PATIENCE_MS 10000

/* One who has called inventory_set. */
struct setter {
    struct link link; /* of `told`, once it is known what has become of it */
    inventory_set_fn on_set;
    void *context;
    int status;
    char error[512];
};

struct inventory {
    struct inventory_context context;
    struct feeds feeds;
    struct generation *current, *next; /* owned; current is NULL before the first */
    struct setter *setter;             /* of the next one; owned */
    struct list told;                  /* setters, to be told */
    struct terms *flags_alone;         /* in force before the first generation; held */
    struct roster *roster;             /* in force */
    struct roster *unused;             /* to be taken apart; owned */
    struct generation *making;         /* whose roster is being made: current or next; NULL for none */
    struct assembly assembly;
    bool stale; /* a source has changed since the last roster was begun */
    struct inventory_counts counts;
    uv_idle_t work;
    uv_timer_t patience, pause;
    unsigned parts; /* handles, and the feeds, that are not closed */
    bool closing;
    inventory_close_fn on_close;
    void *close_context;
};

static void on_work(uv_idle_t *work);
static void catch_up(struct inventory *inventory);

static void go_to_work(struct inventory *inventory)
{
    uv_idle_start(&inventory->work, on_work);
}

/* --- Rosters that nobody holds --- */

static void on_unused(struct roster *roster)
{
    struct inventory *inventory = roster->owner;
    roster->next = inventory->unused;
    inventory->unused = roster;
    go_to_work(inventory);
}

static void dismantle(struct inventory *inventory)
{
    struct roster *roster = inventory->unused;
    if (!roster) return;
    struct roster *next = roster->next;
    if (roster_dismantle(roster, TARGETS_A_TURN)) inventory->unused = next;
}

/* --- Who has set a configuration --- */

/* Told from the loop, since the reason may lie in what the setter itself has just called. */
static void settle(struct inventory *inventory, struct setter *setter, int status, const char *error)
{
    setter->status = status;
    snprintf(setter->error, sizeof(setter->error), "%s", error);
    list_append(&inventory->told, &setter->link);
    go_to_work(inventory);
}

static void tell(struct inventory *inventory)
{
    for (struct link *link; (link = list_pop(&inventory->told));) {
        struct setter *setter = container_of(link, struct setter, link);
        setter->on_set(setter->context, setter->status, setter->error);
        free(setter);
    }
}

/* The next generation will not come. */
static void drop_next(struct inventory *inventory, int status, const char *error)
{
    if (!inventory->next) return;
    uv_timer_stop(&inventory->patience);
    generation_free(inventory->next);
    inventory->next = NULL;
    settle(inventory, inventory->setter, status, error);
    inventory->setter = NULL;
    /* It may have had to wait for the next one. */
    inventory->stale = true;
    catch_up(inventory);
}

/* --- Making a roster --- */

static void stop_making(struct inventory *inventory)
{
    if (!inventory->making) return;
    inventory->making = NULL;
    assembly_deinit(&inventory->assembly);
}

static void on_pause(uv_timer_t *pause);

static void begin(struct inventory *inventory, struct generation *generation)
{
    struct assembly_parts parts = {
        .fleet = inventory->context.fleet,
        .config = generation->terms->config,
        .found = generation_found(generation),
        .target_label = generation->terms->settings.options.target_label,
        .shard = generation->terms->settings.options.shard,
        .label_reserved = settings_rules(inventory->context.flags).label_reserved,
    };
    stop_making(inventory);
    inventory->stale = false;
    uv_timer_start(&inventory->pause, on_pause, PAUSE_MS, 0);
    if (assembly_init(&inventory->assembly, &parts, on_unused, inventory) == 0) {
        inventory->making = generation;
        go_to_work(inventory);
        return;
    }
    assembly_deinit(&inventory->assembly);
    log_line(LOG_ERROR, "no memory for the list of targets");
    if (generation == inventory->next) drop_next(inventory, UV_ENOMEM, "out of memory");
}

/* Makes what is in force, or will be the first to be, as its sources are now, when that is due. */
static void catch_up(struct inventory *inventory)
{
    struct generation *generation = inventory->current ? inventory->current : inventory->next;
    bool waits = inventory->making || uv_is_active((uv_handle_t *) &inventory->pause);
    if (inventory->stale && generation && !waits && !inventory->closing) begin(inventory, generation);
}

static void on_pause(uv_timer_t *pause)
{
    catch_up(container_of(pause, struct inventory, pause));
}

static void log_left_out(const char *what, size_t count, size_t before, const char *example)
{
    char number[32];
    if (count == 0 || count == before) return;
    snprintf(number, sizeof(number), "%zu", count);
    log_line(LOG_WARN, what, LOG_FIELD("targets", number), LOG_FIELD("target", example));
}

static void install_generation(struct inventory *inventory)
{
    struct generation *old = inventory->current;
    uv_timer_stop(&inventory->patience);
    inventory->current = inventory->next;
    inventory->next = NULL;
    generation_free(old);
    settle(inventory, inventory->setter, 0, "");
    inventory->setter = NULL;
}

/*
 * The first generation waits for its sources; the targets that are known without them need not. What is made
 * before all have answered, or had their time, is only a roster for the meantime.
 */
static bool is_for_the_meantime(const struct inventory *inventory, const struct generation *generation)
{
    return generation == inventory->next && !inventory->current &&
           uv_is_active((const uv_handle_t *) &inventory->patience) && !generation_is_answered(generation);
}

/* The roster is whole: swaps it in, and the generation that it belongs to. */
static void install(struct inventory *inventory)
{
    struct assembly *assembly = &inventory->assembly;
    struct generation *generation = inventory->making;
    struct roster *old = inventory->roster;
    log_left_out("targets are named twice, they are scraped once", assembly->duplicates,
                 inventory->counts.duplicates, assembly->example);
    log_left_out("targets have labels that metrics use, they are not scraped", assembly->refused,
                 inventory->counts.refused, assembly->example);
    inventory->counts = (struct inventory_counts){assembly->duplicates, assembly->refused};
    inventory->roster = assembly_take(assembly);
    inventory->roster->with_labels = generation_needs_labels(generation, inventory->roster->targets.count);
    inventory->roster->blind = inventory->roster->targets.count == 0 && generation_is_blind(generation);
    stop_making(inventory);
    if (generation == inventory->next && !is_for_the_meantime(inventory, generation))
        install_generation(inventory);
    roster_release(old);
    const struct inventory_context *whom = &inventory->context;
    if (whom->on_roster) whom->on_roster(whom->on_roster_context, inventory->roster);
    catch_up(inventory);
}

static void make(struct inventory *inventory)
{
    if (!inventory->making) return;
    int result = assembly_step(&inventory->assembly, TARGETS_A_TURN);
    if (result == 0) return;
    if (result > 0) {
        install(inventory);
        return;
    }
    struct generation *generation = inventory->making;
    stop_making(inventory);
    log_line(LOG_ERROR, "no memory for the list of targets");
    if (generation == inventory->next) drop_next(inventory, UV_ENOMEM, "out of memory");
}

/* --- Sources --- */

/* The next generation first: when it is in force, the current one does not matter. */
static void on_change(void *context, const struct results *found)
{
    struct inventory *inventory = context;
    struct generation *next = inventory->next;
    if (inventory->closing) return;
    inventory->stale = true;
    if (next && inventory->making != next && generation_is_answered(next))
        begin(inventory, next);
    else if (inventory->making && assembly_reads(&inventory->assembly, found))
        begin(inventory, inventory->making);
    else
        catch_up(inventory);
}

static void on_patience(uv_timer_t *patience)
{
    struct inventory *inventory = container_of(patience, struct inventory, patience);
    begin(inventory, inventory->next);
}

/* --- Setting --- */

static int make_next(struct inventory *inventory, struct setter *setter, struct config *config)
{
    struct buffer error;
    buffer_init(&error, sizeof(setter->error));
    int result =
        generation_new(&inventory->next, config, inventory->context.flags, &inventory->feeds, &error);
    buffer_append_char(&error, '\0');
    if (result < 0) {
        bool told = !error.failed && error.data[0];
        settle(inventory, setter, result, told ? error.data : uv_strerror(result));
    }
    buffer_deinit(&error);
    return result;
}

int inventory_set(struct inventory *inventory, struct config *config, inventory_set_fn on_set, void *context)
{
    struct setter *setter = calloc(1, sizeof(*setter));
    assert(!inventory->closing);
    if (!setter) {
        config_deinit(config);
        free(config);
        return UV_ENOMEM;
    }
    setter->on_set = on_set;
    setter->context = context;
    link_init(&setter->link);
    if (inventory->making == inventory->next) stop_making(inventory);
    drop_next(inventory, UV_ECANCELED, "another configuration was set");
    if (make_next(inventory, setter, config) < 0) return 0;
    inventory->setter = setter;
    uv_timer_start(&inventory->patience, on_patience, PATIENCE_MS, 0);
    if (!inventory->current || generation_is_answered(inventory->next)) begin(inventory, inventory->next);
    return 0;
}

/* --- What is in force --- */

bool inventory_is_ready(const struct inventory *inventory)
{
    return inventory->current;
}

struct roster *inventory_roster(const struct inventory *inventory)
{
    return inventory->roster;
}

/* The first configuration holds from when it is known: what it forbids must not be allowed while it waits. */
struct terms *inventory_terms(const struct inventory *inventory)
{
    const struct generation *generation = inventory->current ? inventory->current : inventory->next;
    return generation ? generation->terms : inventory->flags_alone;
}

const struct settings *inventory_settings(const struct inventory *inventory)
{
    return &inventory_terms(inventory)->settings;
}

const struct config *inventory_config(const struct inventory *inventory)
{
    return terms_file(inventory_terms(inventory));
}

bool inventory_module(const struct inventory *inventory, struct slice name, struct inventory_module *module)
{
    const struct config_module *found = terms_module(inventory_terms(inventory), name);
    if (!found) return false;
    *module = (struct inventory_module){found->collectors, config_timeout_ms(found)};
    return true;
}

struct policy *inventory_policy(const struct inventory *inventory)
{
    return terms_policy(inventory_terms(inventory));
}

size_t inventory_source_count(const struct inventory *inventory)
{
    return inventory->current ? inventory->current->feed_count : 0;
}

struct inventory_source inventory_source(const struct inventory *inventory, size_t n)
{
    const struct generation *current = inventory->current;
    return (struct inventory_source){generation_group(current, n)->name,
                                     discovery_state(current->feeds[n]->discovery)};
}

struct inventory_counts inventory_counts(const struct inventory *inventory)
{
    return inventory->counts;
}

/* --- Life --- */

int inventory_new(struct inventory **result, const struct inventory_context *context)
{
    struct inventory *inventory = calloc(1, sizeof(*inventory));
    struct discovery_services services = {
        .loop = context->loop, .resolver = context->resolver, .limiter = fleet_limiter(context->fleet)};
    if (!inventory) return UV_ENOMEM;
    inventory->context = *context;
    inventory->roster = roster_new(on_unused, inventory);
    struct buffer error;
    buffer_init(&error, 0); /* the flags have been checked by themselves */
    int status = terms_new(&inventory->flags_alone, NULL, context->flags, &error);
    if (!inventory->roster || status < 0) {
        terms_release(inventory->flags_alone);
        free(inventory->roster);
        free(inventory);
        return UV_ENOMEM;
    }
    feeds_init(&inventory->feeds, &services, on_change, inventory);
    list_init(&inventory->told);
    uv_idle_init(context->loop, &inventory->work);
    uv_timer_init(context->loop, &inventory->patience);
    uv_timer_init(context->loop, &inventory->pause);
    inventory->parts = 4;
    *result = inventory;
    return 0;
}

static void part_closed(struct inventory *inventory)
{
    if (--inventory->parts > 0) return;
    inventory_close_fn on_close = inventory->on_close;
    void *context = inventory->close_context;
    terms_release(inventory->flags_alone);
    free(inventory);
    on_close(context);
}

static void on_feeds_closed(void *context)
{
    part_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void close_handle(struct inventory *inventory, uv_handle_t *handle)
{
    handle->data = inventory;
    uv_close(handle, on_handle_closed);
}

static void on_work(uv_idle_t *work)
{
    struct inventory *inventory = container_of(work, struct inventory, work);
    tell(inventory);
    make(inventory);
    dismantle(inventory);
    if (inventory->making || inventory->unused || !list_is_empty(&inventory->told)) return;
    uv_idle_stop(work);
    if (!inventory->closing) return;
    feeds_close(&inventory->feeds, on_feeds_closed);
    close_handle(inventory, (uv_handle_t *) &inventory->work);
    close_handle(inventory, (uv_handle_t *) &inventory->patience);
    close_handle(inventory, (uv_handle_t *) &inventory->pause);
}

void inventory_close(struct inventory *inventory, inventory_close_fn on_close, void *context)
{
    assert(!inventory->closing && inventory->roster->references == 1);
    inventory->closing = true;
    inventory->on_close = on_close;
    inventory->close_context = context;
    stop_making(inventory);
    drop_next(inventory, UV_ECANCELED, "the exporter is stopping");
    generation_free(inventory->current);
    inventory->current = NULL;
    roster_release(inventory->roster);
    inventory->roster = NULL;
    go_to_work(inventory);
}
