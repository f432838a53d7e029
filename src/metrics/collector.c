#include "metrics/collector.h"

#include <assert.h>

void exposition_init(struct exposition *exposition)
{
    *exposition = (struct exposition){0};
    encoder_init(&exposition->encoder);
}

void exposition_add(struct exposition *exposition, struct collector *collector)
{
    assert(exposition->count < EXPOSITION_COLLECTORS_MAX);
    exposition->collectors[exposition->count++] = collector;
}

bool exposition_fill(struct exposition *exposition, struct buffer *out, size_t want)
{
    encoder_set_out(&exposition->encoder, out);
    while (exposition->current < exposition->count) {
        struct collector *collector = exposition->collectors[exposition->current];
        if (out->len >= want || out->failed) return true;
        if (!collector->step(collector, &exposition->encoder)) exposition->current++;
    }
    return false;
}
