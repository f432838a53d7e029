#include "web/debug.h"

#include "base/container.h"
#include "base/utf8.h"

#include <stdlib.h>

struct debug {
    struct producer producer;
    struct gather *gather;    /* owned reference */
    struct producer *samples; /* owned */
    size_t next;              /* next target to write */
    bool has_head;            /* the line before the samples is written */
};

static void write_commands(struct buffer *out, const char *what, unsigned commands)
{
    buffer_printf(out, "%s", what);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (commands & COMMAND_BIT(command)) buffer_printf(out, " %s", command_info(command)->name);
    }
    if (!(commands & COMMANDS_ALL)) buffer_append_string(out, " nothing");
}

static void write_profile(struct buffer *out, const struct profile *profile)
{
    const struct access *access = profile->access;
    write_commands(out, "  collectors:", profile->commands | COMMAND_BIT(COMMAND_STATS));
    if (profile->timeout_ms == UINT64_MAX)
        buffer_append_string(out, "; time-out: none");
    else
        buffer_printf(out, "; time-out: %.3f s", (double) profile->timeout_ms / 1000);
    buffer_printf(out, "; TLS: %s", access && access_tls(access, profile->is_anonymous) ? "yes" : "no");
    if (!access || !access_has_login(access))
        buffer_append_string(out, "; login: none\n");
    else
        buffer_append_string(out, profile->logs_in
                                      ? "; login: yes, not shown\n"
                                      : "; login: not for servers that a URL names, see url_targets\n");
}

static void write_verdict(struct buffer *out, const struct target *target, const struct snapshot *snapshot)
{
    if (!snapshot) {
        buffer_append_string(out, "  verdict: not asked, out of memory\n");
        return;
    }
    struct slice error = slice_of(snapshot->error);
    buffer_printf(out, "  verdict: %s", target_state_name(snapshot->state));
    if (access_is_told_in(target->client->key.profile->access, error))
        error = SLICE("(not shown: it repeats the login)");
    if (error.len) buffer_append_string(out, ", ");
    utf8_append_escaped(out, error);
    buffer_printf(out, ", after %.3f ms\n", (double) snapshot->duration_ns / 1e6);
    write_commands(out, "  answered:", snapshot->answered);
    buffer_append_string(out, "\n");
}

static void write_target(struct buffer *out, const struct gather *gather, size_t n)
{
    const struct target *target = fan_out_target(gather->fan_out, n);
    const struct trace *trace = target->client->trace;
    utf8_append_escaped(out, slice_of(target->name));
    buffer_append_char(out, '\n');
    write_profile(out, target->client->key.profile);
    if (trace)
        buffer_append_slice(out, trace_text(trace));
    else
        buffer_append_string(out, "  no memory for the steps\n");
    if (trace_left_out(trace)) buffer_printf(out, "  and %u steps more\n", trace_left_out(trace));
    write_verdict(out, target, fan_out_snapshot(gather->fan_out, n));
    buffer_append_char(out, '\n');
}

static bool fill_debug(struct producer *producer, struct buffer *out, size_t want)
{
    struct debug *debug = container_of(producer, struct debug, producer);
    size_t start = out->len;
    while (debug->next < debug->gather->targets && out->len - start < want && !out->failed)
        write_target(out, debug->gather, debug->next++);
    if (debug->next < debug->gather->targets || out->failed) return true;
    if (!debug->has_head) buffer_append_string(out, "Samples:\n");
    debug->has_head = true;
    return debug->samples->fill(debug->samples, out, want);
}

static void release_debug(struct producer *producer)
{
    struct debug *debug = container_of(producer, struct debug, producer);
    struct producer *samples = debug->samples;
    gather_release(debug->gather);
    free(debug);
    if (samples) samples->release(samples);
}

struct producer *debug_producer(struct gather *gather)
{
    struct debug *debug = calloc(1, sizeof(*debug));
    if (!debug) return NULL;
    debug->producer = (struct producer){fill_debug, release_debug};
    debug->gather = gather_hold(gather);
    return &debug->producer;
}

void debug_set_samples(struct producer *producer, struct producer *samples)
{
    container_of(producer, struct debug, producer)->samples = samples;
}
