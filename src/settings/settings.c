#include "settings/settings.h"

#include "base/utf8.h"
#include "settings/push.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct config_rules settings_rules(const struct options *flags)
{
    return (struct config_rules){
        .timeout_ns = flags->timeout_ns,
        .collectors = flags->collectors,
        .target_label = flags->target_label,
        .label_reserved = options_label_reserved,
        .check_textfile = options_check_textfile,
    };
}

/* --- What the file says --- */

/* Nobody writes to the texts of options. */
static void take_text(char **place, const char *said)
{
    if (said) *place = (char *) said;
}

static void take_time(uint64_t *place, uint64_t said)
{
    if (said) *place = said;
}

static void take_switch(bool *place, enum config_switch said)
{
    if (said != CONFIG_UNSAID) *place = said == CONFIG_ON;
}

/* The pairs as the flag has them. */
static int take_grouping(struct settings *settings, const struct config_push *push)
{
    struct string_list *grouping = &settings->grouping;
    if (!push->grouping) return 0;
    grouping->items = calloc(push->grouping_count + 1, sizeof(grouping->items[0]));
    if (!grouping->items) return UV_ENOMEM;
    for (size_t n = 0; n < push->grouping_count; n++) {
        const struct config_pair *pair = &push->grouping[n];
        if (asprintf(&grouping->items[n], "%s=%s", pair->name, pair->value) < 0) return UV_ENOMEM;
        grouping->count++;
    }
    settings->options.push_grouping = *grouping;
    return 0;
}

static int take_push(struct settings *settings, const struct config_push *push)
{
    struct options *options = &settings->options;
    take_text(&options->push_url, push->url);
    take_text(&options->push_job, push->job);
    take_time(&options->push_interval_ns, push->interval_ns);
    take_time(&options->push_timeout_ns, push->timeout_ns);
    take_switch(&options->push_post, push->post);
    take_switch(&options->push_delete_on_exit, push->delete_on_exit);
    take_text(&options->push_username, push->username);
    take_text(&options->push_password_file, push->password_file);
    take_text(&options->push_ca_file, push->ca_file);
    take_text(&options->push_cert_file, push->cert_file);
    take_text(&options->push_key_file, push->key_file);
    return take_grouping(settings, push);
}

/* There is also a configuration of what the flags say. */
static bool has_file(const struct config *config)
{
    return config && config->file;
}

static int take_config(struct settings *settings, const struct config *config)
{
    struct options *options = &settings->options;
    if (config->has_groups) options->addresses = (struct string_list){0};
    options->timeout_ns = config->modules[0].timeout_ns;
    options->collectors = config->modules[0].collectors;
    take_text(&options->target_label, config->target_label);
    if (config->shard.count) options->shard = config->shard;
    take_text(&options->textfile, config->textfile.path);
    take_time(&options->textfile_interval_ns, config->textfile.interval_ns);
    return take_push(settings, &config->push);
}

/* --- Whether it can be done --- */

/* "FILE:LINE:COLUMN: outputs.push", where the file speaks of a push, or "--push". */
static void append_push_place(struct buffer *error, const struct config *config)
{
    if (!config || !config->has_push) {
        buffer_append_string(error, "--push");
        return;
    }
    utf8_append_escaped(error, slice_of(config->file));
    buffer_printf(error, ":%u:%u: outputs.push", config->push.place.line, config->push.place.column);
}

/* The key of a flag: "ca_file" of "tls.ca-file". */
static void append_setting(struct buffer *error, const struct config *config, const char *setting)
{
    bool key = config && config->has_push;
    if (key && slice_starts(slice_of(setting), "tls.")) setting += strlen("tls.");
    for (buffer_append_char(error, '.'); *setting; setting++)
        buffer_append_char(error, (char) (key && *setting == '-' ? '_' : *setting));
}

static int check_push(const struct settings *settings, const struct config *config, struct buffer *error)
{
    struct push_options push;
    struct buffer reason;
    const char *setting;
    if (!settings->options.push_url[0]) return 0;
    buffer_init(&reason, 8192);
    int result = push_options_make(&push, &settings->options, &setting, &reason);
    if (result < 0 && setting) {
        append_push_place(error, config);
        append_setting(error, config, setting);
        buffer_append_string(error, ": ");
        buffer_append_slice(error, buffer_slice(&reason));
    }
    push_options_deinit(&push);
    buffer_deinit(&reason);
    return result;
}

/* The same that options_parse says of flags without a file. */
static int check_together(const struct settings *settings, const struct config *config, struct buffer *error)
{
    const struct options *options = &settings->options;
    if (options->once && options->push_url[0]) {
        append_push_place(error, config);
        buffer_append_string(error, ": expected none beside --once");
        return UV_EINVAL;
    }
    if (!options->web && !options->once && !options->textfile[0] && !options->push_url[0]) {
        buffer_append_string(error, "--web: \"false\": expected --once, or a textfile or push as an output");
        return UV_EINVAL;
    }
    return 0;
}

int settings_make(struct settings *settings, const struct options *flags, const struct config *config,
                  struct buffer *error)
{
    *settings = (struct settings){.options = *flags};
    buffer_clear(error);
    int result = config ? take_config(settings, config) : 0;
    if (result == 0 && has_file(config)) result = check_together(settings, config, error);
    if (result == 0) result = check_push(settings, config, error);
    return result;
}

void settings_deinit(struct settings *settings)
{
    for (size_t n = 0; n < settings->grouping.count; n++) free(settings->grouping.items[n]);
    free(settings->grouping.items);
    *settings = (struct settings){0};
}

int settings_check(const struct options *flags, struct buffer *error)
{
    struct settings settings;
    int result = settings_make(&settings, flags, NULL, error);
    settings_deinit(&settings);
    return result;
}

/* --- Comparing --- */

bool settings_same_outputs(const struct settings *a, const struct settings *b)
{
    return options_same(&a->options, &b->options, "output.") &&
           options_same(&a->options, &b->options, "push.");
}

void settings_append_overruled(const struct settings *settings, const struct options *flags,
                               struct buffer *out)
{
    options_append_overruled(flags, &settings->options, out);
}
