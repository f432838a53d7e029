#include "metrics/summary.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

/*
 * The ages of the sketch form a ring. Each age covers an equal share of the window's time:
 *
 *      ages[0]   ages[1]   ages[2]   ages[3]   ages[4]
 *      older     newest    oldest    older     older
 *
 * When the newest age's share of time is over, the oldest age, its right neighbour, is emptied and becomes
 * the newest.
 */
#define SHARE_S (SUMMARY_WINDOW_S / SKETCH_AGES)

static bool quantiles_are_valid(const double *quantiles, size_t count)
{
    if (count > SUMMARY_QUANTILES_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (!(quantiles[i] >= 0 && quantiles[i] <= 1)) return false;
        if (i && quantiles[i] <= quantiles[i - 1]) return false;
    }
    return true;
}

int summary_init(struct summary *summary, const double *quantiles, size_t count, uint64_t now_s,
                 double created)
{
    assert(quantiles_are_valid(quantiles, count));
    /* Zeroed memory is an empty sketch. Pages that no value uses are never touched. */
    struct sketch *sketch = calloc(1, sizeof(*sketch));
    *summary = (struct summary){
        .quantiles = quantiles,
        .count = count,
        .sketch = sketch,
        .turned_s = now_s,
        .created = created,
    };
    return sketch ? 0 : UV_ENOMEM;
}

void summary_deinit(struct summary *summary)
{
    free(summary->sketch);
    summary->sketch = NULL;
}

/* Empties the ages whose time has passed. After a long silence, empties each age once. */
static void turn(struct summary *summary, uint64_t now_s)
{
    if (now_s < summary->turned_s) return;
    uint64_t shares = (now_s - summary->turned_s) / SHARE_S;
    summary->turned_s += shares * SHARE_S;
    for (uint64_t i = 0; i < shares && i < SKETCH_AGES; i++) {
        summary->newest = (summary->newest + 1) % SKETCH_AGES;
        sketch_clear(summary->sketch, summary->newest);
    }
}

void summary_observe(struct summary *summary, double value, uint64_t now_s)
{
    if (!(value >= 0) || isinf(value)) return;
    turn(summary, now_s);
    sketch_observe(summary->sketch, summary->newest, value);
    summary->observations++;
    summary->sum += value;
}

struct summary_view summary_view(struct summary *summary, uint64_t now_s)
{
    struct summary_view view = {
        .quantiles = summary->quantiles,
        .count = summary->count,
        .observations = summary->observations,
        .sum = summary->sum,
        .created = summary->created,
    };
    turn(summary, now_s);
    sketch_quantiles(summary->sketch, view.quantiles, view.count, view.values);
    return view;
}
