#include "collectors/targets.h"

#include "base/container.h"

#define PREFIX "memcached_exporter_"

/* Sources written per step. */
#define SOURCES_A_STEP 64

/* --- Sources --- */

#define SOURCE "group,kind,source"

/* One line per number of a source: X(name, type, value taken from a discovery_state, help). */
#define SOURCE_NUMBERS(X)                                                                                    \
    X(targets, METRIC_GAUGE, (double) state->targets,                                                        \
      "Targets that a source found when it last answered well.")                                             \
    X(empty, METRIC_GAUGE, state->empty,                                                                     \
      "Whether the last answer of a source named no target, taken or not.")                                  \
    X(refreshes_total, METRIC_COUNTER, (double) state->refreshes,                                            \
      "Answers of a source, the failures among them.")                                                       \
    X(failures_total, METRIC_COUNTER, (double) state->failures,                                              \
      "Times that a source failed; what it had found before is then kept.")                                  \
    X(last_success_timestamp_seconds, METRIC_GAUGE, state->last_success_s,                                   \
      "When a source last answered well, as Unix time; 0 for never.")

#define VALUE(name, type, value, help)                                                                       \
    static double source_##name(const struct discovery_state *state)                                         \
    {                                                                                                        \
        return value;                                                                                        \
    }
SOURCE_NUMBERS(VALUE)

#define ROW(name, type, value, help) {{PREFIX "discovery_" #name, help, type, SOURCE}, source_##name},
static const struct {
    struct family family;
    double (*value)(const struct discovery_state *state);
} numbers[] = {SOURCE_NUMBERS(ROW)};

#define NUMBER(name, type, value, help) NUMBER_##name,
enum number { SOURCE_NUMBERS(NUMBER) };

/*
 * Returns how many earlier sources of the same group have the same labels. One name may be looked up for two
 * types of DNS records.
 */
static unsigned count_twins(const struct generation *generation, size_t n)
{
    struct generation_source source = generation_source(generation, n);
    unsigned twins = 0;
    while (n-- > 0) {
        struct generation_source other = generation_source(generation, n);
        if (strcmp(source.group, other.group) != 0) break;
        twins += strcmp(source.state->kind, other.state->kind) == 0 &&
                 strcmp(source.state->subject, other.state->subject) == 0;
    }
    return twins;
}

static void append_source(struct buffer *labels, const struct generation *generation, size_t n)
{
    struct generation_source source = generation_source(generation, n);
    unsigned twins = count_twins(generation, n);
    struct buffer name;
    buffer_init(&name, SIZE_MAX / 2);
    buffer_append_string(&name, source.state->subject);
    if (twins) buffer_printf(&name, "#%u", twins + 1);
    labels_append(labels, "group", slice_of(source.group));
    labels_append(labels, "kind", slice_of(source.state->kind));
    labels_append(labels, "source", buffer_slice(&name));
    if (name.failed) labels->failed = true;
    buffer_deinit(&name);
}

/* Writes a sample of one source. Skips the source if there is no memory for its labels. */
static void write_source(const struct manager_walk *walk, struct encoder *encoder)
{
    struct buffer labels;
    const struct generation *generation = manager_generation(walk->manager);
    double value = numbers[walk->family].value(generation_source(generation, walk->source).state);
    buffer_init(&labels, SIZE_MAX / 2);
    append_source(&labels, generation, walk->source);
    if (!labels.failed) encoder_sample_double(encoder, SLICE(""), buffer_slice(&labels), value);
    buffer_deinit(&labels);
}

/* --- The configuration file, and targets left out --- */

static const struct family successful_family = {PREFIX "config_last_reload_successful",
                                                "Whether the configuration file was taken when it was last "
                                                "read.",
                                                METRIC_GAUGE, ""};
static const struct family success_family = {PREFIX "config_last_reload_success_timestamp_seconds",
                                             "When the configuration file was last taken, as Unix time.",
                                             METRIC_GAUGE, ""};
static const struct family info_family = {PREFIX "config_info", "The configuration file that is in force.",
                                          METRIC_INFO, "hash"};
static const struct family dropped_family = {PREFIX "targets_dropped",
                                             "Targets that are configured or were found, and are not "
                                             "scraped: no address, named twice, or with a label "
                                             "that metrics have themselves.",
                                             METRIC_GAUGE, "reason"};

#define FAMILY_OF(name, type, value, help) &numbers[NUMBER_##name].family,
static const struct family *const families[] = {&successful_family, &success_family, &info_family,
                                                &dropped_family, SOURCE_NUMBERS(FAMILY_OF)};

const struct collector targets_collector = {"inventory", families, ARRAY_LEN(families), ""};

static void write_labelled(struct encoder *encoder, const char *name, const char *text, uint64_t value)
{
    struct buffer labels;
    buffer_init(&labels, 256);
    labels_append(&labels, name, slice_of(text));
    encoder_sample_u64(encoder, SLICE(""), buffer_slice(&labels), value);
    buffer_deinit(&labels);
}

static void write_file(const struct manager_walk *walk, struct encoder *encoder)
{
    const struct config *config = manager_generation(walk->manager)->config;
    if (!config->file || !walk->has_reload) return;
    encoder_family(encoder, &successful_family);
    encoder_sample_u64(encoder, SLICE(""), SLICE(""), walk->reload.successful);
    encoder_family(encoder, &success_family);
    encoder_sample_double(encoder, SLICE(""), SLICE(""), walk->reload.last_success_s);
    encoder_family(encoder, &info_family);
    write_labelled(encoder, "hash", config->hash, 1);
}

static void write_dropped(const struct manager_walk *walk, struct encoder *encoder)
{
    struct manager_counts counts = manager_counts(walk->manager);
    encoder_family(encoder, &dropped_family);
    write_labelled(encoder, "reason", "address", counts.malformed);
    write_labelled(encoder, "reason", "duplicate", counts.duplicates);
    write_labelled(encoder, "reason", "label", counts.refused);
    write_labelled(encoder, "reason", "policy", counts.forbidden);
}

/* --- The walk --- */

/*
 * Writes some sources of one family. If another generation has become active since the walk began, the walk
 * ends: its sources have other indexes, and some may already be written. The next scrape shows them.
 */
static bool targets_step(struct walk *base, struct encoder *encoder)
{
    struct manager_walk *walk = container_of(base, struct manager_walk, walk);
    const struct generation *generation = manager_generation(walk->manager);
    if (walk->generation != generation->number) return false;
    if (walk->family == 0 && walk->source == 0) {
        write_file(walk, encoder);
        write_dropped(walk, encoder);
    }
    size_t count = generation->provider_count;
    encoder_family(encoder, &numbers[walk->family].family);
    for (unsigned n = 0; n < SOURCES_A_STEP && walk->source < count; n++, walk->source++)
        write_source(walk, encoder);
    if (walk->source < count) return true;
    walk->source = 0;
    return ++walk->family < ARRAY_LEN(numbers);
}

void manager_walk_init(struct manager_walk *walk, const struct manager *manager,
                       const struct reload_state *reload)
{
    *walk = (struct manager_walk){
        .walk = {&targets_collector, targets_step},
        .manager = manager,
        .has_reload = reload,
        .reload = reload ? *reload : (struct reload_state){0},
        .generation = manager_generation(manager)->number,
    };
}
