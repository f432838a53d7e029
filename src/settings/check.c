#include "settings/check.h"

#include "base/version.h"
#include "config/config.h"
#include "config/web_tls.h"
#include "settings/settings.h"

#include <uv.h>

static size_t count_owned(const struct config *config, struct shard shard)
{
    size_t count = 0;
    for (size_t n = 0; n < config->group_count; n++) {
        const struct config_group *group = &config->groups[n];
        for (size_t t = 0; t < group->target_count; t++)
            count += shard_owns_address(shard, &group->targets[t].address);
    }
    return count;
}

/* Prints settings that also depend on the flags. */
static void print_in_force(const struct config *config, const struct settings *settings, struct buffer *out)
{
    const struct options *options = &settings->options;
    buffer_printf(out, "in force: target label %s, shard %u/%u, which has %zu of the %zu targets\n",
                  options->target_label, options->shard.index, options->shard.count,
                  count_owned(config, options->shard), config->target_count);
}

/* Prints the lines that `append` makes, each after `begin`. */
static void print_flags(const struct settings *settings, const struct options *flags,
                        void (*append)(const struct settings *, const struct options *, struct buffer *),
                        const char *begin, struct buffer *out)
{
    struct buffer lines;
    buffer_init(&lines, OPTIONS_TEXT_MAX);
    append(settings, flags, &lines);
    for (struct slice rest = buffer_slice(&lines); rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        buffer_printf(out, "%s%.*s\n", begin, SLICE_ARG(line));
    }
    if (lines.failed) out->failed = true;
    buffer_deinit(&lines);
}

static void print_warnings(const struct config *config, struct buffer *out)
{
    for (const struct config_warning *warning = config->warnings; warning; warning = warning->next)
        buffer_printf(out, "warning: %s\n", warning->text);
}

/*
 * Checks the web configuration file like a start does. Returns 0, or a negative code with a line in `error`.
 */
static int check_web_config(const char *file, struct buffer *text, struct buffer *error)
{
    struct web_config config;
    struct web_tls tls;
    if (!*file) return 0;
    int result = web_tls_open(&tls, &config, file, error);
    if (result == 0)
        buffer_printf(text, "web configuration: TLS %s, %zu users, %zu headers, rate limit %s\n",
                      config.has_tls ? "on" : "off", config.user_count, config.header_count,
                      config.has_rate_limit ? "on" : "off");
    web_tls_deinit(&tls);
    web_config_deinit(&config);
    return result;
}

/* Prints the error in the same form as errors of flags. */
static void print_error(int result, const struct buffer *error, struct buffer *text)
{
    buffer_clear(text);
    buffer_append_string(text, PROGRAM_NAME ": ");
    if (error->len && !error->failed)
        buffer_append_slice(text, buffer_slice(error));
    else
        buffer_append_string(text, uv_strerror(result));
    buffer_append_char(text, '\n');
}

bool check_config(const struct options *flags, struct buffer *text)
{
    struct config config;
    struct settings settings;
    struct buffer error;
    buffer_init(&error, OPTIONS_TEXT_MAX);
    int result = settings_read(&config, flags, &error);
    if (result == 0) result = settings_make(&settings, flags, &config, &error);
    if (result == 0 && config.file) {
        config_print(&config, text);
        print_in_force(&config, &settings, text);
        print_flags(&settings, flags, settings_append_overruled, "the file overrides ", text);
        print_flags(&settings, flags, settings_append_idle, "warning: no effect of ", text);
        print_warnings(&config, text);
    }
    if (result == 0) result = check_web_config(flags->web_config_file, text, &error);
    if (result == 0 && text->failed) result = UV_ENOMEM;
    if (result < 0) print_error(result, &error, text);
    buffer_deinit(&error);
    config_deinit(&config);
    return result == 0;
}
