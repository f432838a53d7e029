#include "watch/census_tally.h"

#include "base/container.h"
#include "base/number.h"
#include "watch/window_tally.h"

#include <stdlib.h>
#include <uv.h>

struct census_tally {
    const struct census_config *config;
    const struct siphash_secret *secret;
    size_t size, count, hand; /* slots, slots in use, and the next slot that may be given away */
    struct census_prefix other;
    struct census_prefix prefixes[]; /* slots */
};

static const double times[] = {1,     10,    60,     300,    600,     1800,   3600,
                               21600, 86400, 259200, 604800, 1209600, 2592000};
static const double sizes[] = {64,    128,    256,    512,    1024,    4096,   16384,
                               65536, 131072, 262144, 524288, 1048576, 4194304};
_Static_assert(ARRAY_LEN(times) == CENSUS_BUCKETS && ARRAY_LEN(sizes) == CENSUS_BUCKETS,
               "one count for each");

static const double *bounds_of(enum census_measure measure)
{
    return measure == CENSUS_SIZE ? sizes : times;
}

struct histogram_view census_view(const struct census_prefix *prefix, enum census_measure measure)
{
    return (struct histogram_view){.bounds = bounds_of(measure),
                                   .counts = prefix->counts[measure],
                                   .count = CENSUS_BUCKETS,
                                   .sum = prefix->sums[measure]};
}

struct census_tally *census_tally_new(const struct census_config *config, const struct siphash_secret *secret)
{
    size_t size = CENSUS_ROOM * (size_t) config->prefixes;
    struct census_tally *tally = calloc(1, sizeof(*tally) + size * sizeof(struct census_prefix));
    if (!tally) return NULL;
    tally->config = config;
    tally->secret = secret;
    tally->size = size;
    return tally;
}

void census_tally_free(struct census_tally *tally)
{
    free(tally);
}

/* --- Items --- */

static void observe(struct census_prefix *prefix, enum census_measure measure, double value)
{
    const double *bounds = bounds_of(measure);
    size_t bucket = 0;
    while (bucket < CENSUS_BUCKETS && value > bounds[bucket]) bucket++;
    prefix->counts[measure][bucket]++;
    prefix->sums[measure] += value;
}

static void add_prefix(struct census_prefix *to, const struct census_prefix *from)
{
    to->items += from->items;
    to->bytes += from->bytes;
    for (enum census_measure measure = 0; measure < CENSUS_MEASURES; measure++) {
        for (size_t n = 0; n <= CENSUS_BUCKETS; n++) to->counts[measure][n] += from->counts[measure][n];
        to->sums[measure] += from->sums[measure];
    }
}

/* Returns a slot for a new prefix, or the place of all others if no slot is free or can be given away. */
static struct census_prefix *give_slot(struct census_tally *tally, struct slice name, uint64_t hash)
{
    struct census_prefix *slot = &tally->prefixes[tally->count];
    if (tally->size == 0) return &tally->other;
    if (tally->count < tally->size) {
        tally->count++;
    } else {
        slot = &tally->prefixes[tally->hand];
        tally->hand = (tally->hand + 1) % tally->size;
        if (slot->credit > 0) {
            slot->credit--;
            return &tally->other;
        }
        add_prefix(&tally->other, slot);
    }
    *slot = (struct census_prefix){.hash = hash, .len = (uint8_t) name.len};
    slice_put(slot->name, name);
    return slot;
}

static struct census_prefix *use_slot(struct census_tally *tally, struct slice name)
{
    if (!name.len) return &tally->other;
    uint64_t hash = siphash(tally->secret, name);
    for (size_t n = 0; n < tally->count; n++) {
        struct census_prefix *slot = &tally->prefixes[n];
        if (slot->hash != hash || !slice_equal((struct slice){slot->name, slot->len}, name)) continue;
        if (slot->credit < UINT8_MAX) slot->credit++;
        return slot;
    }
    return give_slot(tally, name, hash);
}

void census_tally_add(struct census_tally *tally, const struct census_item *item, int64_t now_s)
{
    struct slice key = {item->key, item->key_len};
    struct census_prefix *prefix = use_slot(tally, window_prefix(key, tally->config->separator));
    int64_t idle_s = now_s - item->la_s, ttl_s = item->exp_s - now_s;
    prefix->items++;
    prefix->bytes += item->size;
    observe(prefix, CENSUS_SIZE, (double) item->size);
    observe(prefix, CENSUS_IDLE, idle_s > 0 ? (double) idle_s : 0);
    if (item->exp_s >= 0) observe(prefix, CENSUS_TTL, ttl_s > 0 ? (double) ttl_s : 0);
}

/* --- The report --- */

static int compare_bytes(const void *a, const void *b)
{
    const struct census_prefix *first = a, *second = b;
    if (first->bytes != second->bytes) return first->bytes > second->bytes ? -1 : 1;
    return memcmp(first->name, second->name, CENSUS_PREFIX_MAX);
}

int census_tally_report(struct census_tally *tally, struct census_report *report)
{
    size_t kept = tally->count < tally->config->prefixes ? tally->count : tally->config->prefixes;
    census_report_clear(report);
    report->prefixes = calloc(kept + 1, sizeof(*report->prefixes));
    if (!report->prefixes) return UV_ENOMEM;
    qsort(tally->prefixes, tally->count, sizeof(*tally->prefixes), compare_bytes);
    for (size_t n = kept; n < tally->count; n++) add_prefix(&tally->other, &tally->prefixes[n]);
    report->prefixes[0] = tally->other;
    memcpy(report->prefixes + 1, tally->prefixes, kept * sizeof(*report->prefixes));
    report->count = kept + 1;
    return 0;
}

void census_report_clear(struct census_report *report)
{
    free(report->prefixes);
    *report = (struct census_report){0};
}

/* --- Lines --- */

bool census_item_read(struct slice line, struct census_item *item)
{
    struct slice name, value;
    unsigned seen = 0;
    while (watch_take_pair(&line, &name, &value)) {
        bool good = true;
        if (slice_is(name, "key")) {
            item->key_len = watch_decode_key(value, item->key);
            good = item->key_len > 0;
            seen |= 1;
        } else if (slice_is(name, "exp")) {
            good = number_parse_i64(value, &item->exp_s);
            seen |= 2;
        } else if (slice_is(name, "la")) {
            good = number_parse_i64(value, &item->la_s);
            seen |= 4;
        } else if (slice_is(name, "size")) {
            good = number_parse_u64(value, &item->size);
            seen |= 8;
        }
        if (!good) return false;
    }
    return seen == 15;
}
