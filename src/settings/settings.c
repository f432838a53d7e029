#include "settings/settings.h"

#include "base/utf8.h"
#include "settings/from_flags.h"

#include <uv.h>

struct config_rules settings_rules(const struct options *flags)
{
    return (struct config_rules){
        .timeout_ns = flags->timeout_ns,
        .collectors = flags->collectors,
        .wants = {.tls = flags->tls_enable,
                  .skip_verify = flags->tls_insecure_skip_verify,
                  .ca_file = flags->tls_ca_file,
                  .cert_file = flags->tls_cert_file,
                  .key_file = flags->tls_key_file,
                  .server_name = flags->tls_server_name,
                  .username = flags->username,
                  .password_file = flags->password_file,
                  .password = flags->password_file[0] ? NULL : flags->password,
                  .protocol = flags->protocol},
        .target_label = flags->target_label,
        .shard = flags->shard,
        .textfile = flags->textfile,
        .textfile_interval_ns = flags->textfile_interval_ns,
        .push = flags->push,
        .remote_write = flags->remote_write,
        .label_reserved = options_label_reserved,
        .check_textfile = options_check_textfile,
    };
}

int settings_read(struct config *config, const struct options *flags, struct buffer *error)
{
    struct config_rules rules = settings_rules(flags);
    buffer_clear(error);
    int result = flags->config_file[0] ? config_load(config, flags->config_file, &rules, error)
                                       : config_init(config, &rules);
    if (result == 0) result = config_add_policy(config, flags);
    if (result == 0 && !config->has_groups) result = config_add_flags(config, flags, error);
    return result == 0 ? config_open_accesses(config, error) : result;
}

/* --- Checks --- */

/*
 * Appends where the setting comes from: "FILE:LINE:COLUMN: outputs.push.ca_file: " if the file has it, else
 * "--push.tls.ca-file: ".
 */
static void append_push_setting(struct buffer *error, const struct config *config, enum push_kind kind,
                                enum push_setting setting)
{
    const struct config_place *place = &config->push_places[kind][setting];
    const struct push_setting_names *names = &push_settings[kind][setting];
    if (place->line == 0) {
        buffer_printf(error, "--%s: ", names->flag);
        return;
    }
    utf8_append_escaped(error, slice_of(config->file));
    buffer_printf(error, ":%u:%u: outputs.%s.%s: ", place->line, place->column, push_section(kind),
                  names->key);
}

/*
 * Returns true if samples have the target label. A single target from the flags needs no label if no other
 * target can be added: see generation_needs_labels.
 */
static bool has_target_label(const struct config *config)
{
    return config->file || config->groups[0].sources || config->target_count > 1 || config->shard.count > 1;
}

/* Returns true if samples of servers have a label with this name. */
static bool samples_have(const struct options *options, const struct config *config, const char *name)
{
    bool own = !options->disable_exporter_metrics && (options->collect_build || options->collect_telemetry);
    if (options_label_reserved(slice_of(name))) return true;
    if ((config->watch.enabled || config->census.enabled) && watch_has_label(slice_of(name))) return true;
    if (own && options_label_of_exporter(slice_of(name))) return true;
    if (has_target_label(config) && strcmp(name, config->target_label) == 0) return true;
    for (size_t n = 0; n < config->group_count; n++) {
        for (size_t l = 0; l < config->groups[n].label_count; l++) {
            if (strcmp(name, config->groups[n].labels[l].name) == 0) return true;
        }
    }
    return false;
}

/*
 * Rejects grouping labels that samples already have. Pushgateway would replace the value in the samples by
 * the value of the grouping.
 */
static int check_grouping(const struct options *options, const struct config *config,
                          enum push_setting *setting, struct buffer *reason)
{
    const struct push_labels *grouping = &config->push.grouping;
    for (size_t n = 0; n < grouping->count; n++) {
        if (!samples_have(options, config, grouping->items[n].name)) continue;
        *setting = PUSH_GROUPING;
        buffer_printf(reason,
                      "expected only labels that the samples do not already have, but they already have %s",
                      grouping->items[n].name);
        return UV_EINVAL;
    }
    return 0;
}

static int check_push(const struct options *options, const struct config *config,
                      const struct push_config *push, struct buffer *error)
{
    enum push_setting setting;
    struct buffer reason;
    if (!push_is_given(push->url)) return 0;
    buffer_init(&reason, OPTIONS_TEXT_MAX);
    int result = push_config_check(push, &setting, &reason);
    if (result == 0 && push->kind == PUSH_GATEWAY)
        result = check_grouping(options, config, &setting, &reason);
    if (result < 0) {
        append_push_setting(error, config, push->kind, setting);
        buffer_append_slice(error, buffer_slice(&reason));
    }
    buffer_deinit(&reason);
    return result;
}

/* Checks flags and file together. options_parse has checked the flags alone. */
static int check_together(const struct options *options, struct buffer *error)
{
    bool pushes = push_is_given(options->push.url) || push_is_given(options->remote_write.url);
    if (options->top) return 0;
    if (!options->web && !options->once && !options->textfile[0] && !pushes) {
        buffer_append_string(error, "--no-web: expected --once, or an output in the file");
        return UV_EINVAL;
    }
    return 0;
}

/* Keys that top --keys shows of each server, if the screen has room for them. */
#define LIVE_KEYS 50

/* With top --keys, the servers are watched for half of the time. What is shown of keys is up to the file. */
static void watch_live(struct watch_config *watch, const struct options *options)
{
    uint64_t window_ns = options->interval_ns / 2;
    if (window_ns < WATCH_WINDOW_MIN_NS) window_ns = WATCH_WINDOW_MIN_NS;
    if (window_ns > WATCH_WINDOW_MAX_NS) window_ns = WATCH_WINDOW_MAX_NS;
    if (!watch->enabled) watch->keys = WATCH_KEYS_FULL;
    watch->enabled = true;
    watch->streams = WATCH_BIT(WATCH_FETCHERS);
    watch->window_ns = watch->every_ns = window_ns;
    watch->hot_keys = LIVE_KEYS;
}

/* A program that ends after one scrape, or shows a table, has nothing to watch for. */
static void set_watching(struct settings *settings, const struct config *config)
{
    const struct options *options = &settings->options;
    settings->watch = config->watch;
    settings->census = config->census;
    if (options->keys) watch_live(&settings->watch, options);
    if (options->once || (options->top && !options->keys)) settings->watch.enabled = false;
    if (options->once || options->top) settings->census.enabled = false;
}

int settings_make(struct settings *settings, const struct options *flags, const struct config *config,
                  struct buffer *error)
{
    struct options *options = &settings->options;
    buffer_clear(error);
    *options = *flags;
    if (config->has_groups) options->addresses = (struct string_list){0};
    if (config->has_policy) options->scrape_allow = options->scrape_deny = (struct string_list){0};
    options->timeout_ns = config->modules[0].timeout_ns;
    options->collectors = config->modules[0].collectors;
    options->target_label = config->target_label;
    options->shard = config->shard;
    options->textfile = config->textfile;
    options->textfile_interval_ns = config->textfile_interval_ns;
    options->push = config->push;
    options->remote_write = config->remote_write;
    if (options->check || options->top) /* they write to standard output instead */
        options->textfile = options->push.url = options->remote_write.url = "";
    if (options->once) options->push.delete_on_exit = false;
    set_watching(settings, config);
    int result = config->file ? check_together(options, error) : 0;
    if (result == 0) result = check_push(options, config, &config->push, error);
    return result == 0 ? check_push(options, config, &config->remote_write, error) : result;
}

/* --- Comparing --- */

bool settings_same_outputs(const struct settings *a, const struct settings *b)
{
    return options_same(&a->options, &b->options, "output.") &&
           options_same(&a->options, &b->options, "push.") &&
           options_same(&a->options, &b->options, "remote-write.");
}

void settings_append_idle(const struct settings *settings, const struct options *flags, struct buffer *out)
{
    options_append_idle(flags, &settings->options, out);
}

void settings_append_overruled(const struct settings *settings, const struct options *flags,
                               struct buffer *out)
{
    options_append_overruled(flags, &settings->options, out);
}
