#include "metrics/collector.h"

#include <assert.h>

void exposition_init(struct exposition *exposition, enum format format, struct slice filter)
{
    *exposition = (struct exposition){0};
    encoder_init(&exposition->encoder, format, filter);
}

void exposition_deinit(struct exposition *exposition)
{
    encoder_deinit(&exposition->encoder);
}

void exposition_add(struct exposition *exposition, struct walk *walk)
{
    assert(exposition->count < EXPOSITION_WALKS_MAX);
    exposition->walks[exposition->count++] = walk;
}

/*
 * Most steps of one call. A piece of a few hundred KiB usually takes a few dozen steps. In a large fleet,
 * only few targets have some of the families, so many steps write little. This many of them take a
 * millisecond or two.
 */
#define STEPS_MAX 512

bool exposition_fill(struct exposition *exposition, struct buffer *out, size_t want)
{
    encoder_set_out(&exposition->encoder, out);
    for (unsigned steps = 0; exposition->current < exposition->count; steps++) {
        struct walk *walk = exposition->walks[exposition->current];
        if (out->len >= want || out->failed || steps == STEPS_MAX) return true;
        exposition->encoder.constant_labels = slice_of(walk->collector->labels);
        if (!walk->step(walk, &exposition->encoder)) exposition->current++;
    }
    if (!exposition->finished) encoder_finish(&exposition->encoder);
    exposition->finished = true;
    return false;
}
