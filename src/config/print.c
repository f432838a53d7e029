/* Prints a configuration for --config.check. */
#include "base/number.h"
#include "base/utf8.h"
#include "config/config.h"
#include "memcached/stats.h"

#include <inttypes.h>

static void print_quoted(struct buffer *out, const char *text)
{
    buffer_append_char(out, '"');
    utf8_append_escaped(out, slice_of(text));
    buffer_append_char(out, '"');
}

/* Prints `value`, which has `places` decimal places, in seconds: 0.25s, 60s. */
static void print_duration(struct buffer *out, uint64_t value, unsigned places)
{
    number_append_scaled(out, value, places);
    buffer_append_char(out, 's');
}

/* --- Groups --- */

static void print_module(const struct config_module *module, struct buffer *out)
{
    buffer_append_string(out, "module ");
    print_quoted(out, module->name);
    buffer_append_string(out, ": timeout ");
    print_duration(out, module->timeout_ns, 9);
    buffer_append_string(out, ", collectors");
    for (unsigned collector = 0; collector < COLLECTOR_COUNT; collector++) {
        unsigned bit = COMMAND_BIT(collector);
        if (!(module->collectors & bit)) continue;
        bool classless = module->collectors & WITHOUT_CLASSES(bit);
        buffer_printf(out, " %s%s", collector_name(collector), classless ? " (totals only)" : "");
    }
    if (module->wants.tls) buffer_append_string(out, ", TLS");
    if (module->wants.tls && module->wants.skip_verify) buffer_append_string(out, " without verification");
    if (push_is_given(module->wants.username)) {
        buffer_append_string(out, ", login as ");
        print_quoted(out, module->wants.username);
        if (module->url_targets) buffer_append_string(out, ", also at targets of URLs");
    }
    if (module->wants.protocol == PROTOCOL_TEXT) buffer_append_string(out, ", text protocol");
    if (module->wants.protocol == PROTOCOL_BINARY) buffer_append_string(out, ", binary protocol");
    buffer_append_char(out, '\n');
}

/* Prints the label as it is written in the file. */
static void print_label(const struct config_label *label, struct buffer *out)
{
    struct buffer value;
    buffer_init(&value, SIZE_MAX / 2);
    for (size_t i = 0; i < label->count; i++) {
        const struct config_label_part *part = &label->parts[i];
        if (part->reference)
            buffer_printf(&value, "${%s}", part->text + (slice_starts(slice_of(part->text), "__") ? 2 : 0));
        else
            buffer_append_string(&value, strcmp(part->text, "$") == 0 ? "$$" : part->text);
    }
    buffer_printf(out, "  label %s=\"", label->name);
    utf8_append_escaped(out, buffer_slice(&value));
    buffer_append_string(out, "\"\n");
    if (value.failed) out->failed = true;
    buffer_deinit(&value);
}

static void print_dns(const struct discovery_config *source, struct buffer *out)
{
    static const char *const types[] = {
        [DNS_A] = "A", [DNS_AAAA] = "AAAA", [DNS_SRV] = "SRV", [DNS_ADDRESSES] = "A and AAAA"};
    buffer_printf(out, "dns %s %s", types[source->dns.type], source->dns.name);
    if (source->dns.port) buffer_printf(out, " port %u", source->dns.port);
}

static void print_patterns(const struct discovery_config *source, struct buffer *out)
{
    buffer_append_string(out, "file_sd");
    for (size_t i = 0; i < source->file_sd.count; i++) {
        buffer_append_char(out, ' ');
        print_quoted(out, source->file_sd.patterns[i]);
    }
}

static void print_source(const struct discovery_config *source, struct buffer *out)
{
    buffer_append_string(out, "  ");
    switch (source->kind) {
    case DISCOVERY_DNS:
        print_dns(source, out);
        break;
    case DISCOVERY_FILE_SD:
        print_patterns(source, out);
        break;
    case DISCOVERY_HTTP_SD:
        buffer_append_string(out, "http_sd ");
        print_quoted(out, source->http_sd.url);
        break;
    case DISCOVERY_ELASTICACHE:
        buffer_append_string(out, "elasticache ");
        address_format(&source->elasticache.endpoint, out);
        break;
    }
    if (source->refresh_ms) {
        buffer_append_string(out, " every ");
        print_duration(out, source->refresh_ms, 3);
    }
    buffer_append_char(out, '\n');
}

static void print_group(const struct config_group *group, struct buffer *out)
{
    buffer_append_string(out, "group ");
    print_quoted(out, group->name);
    buffer_printf(out, ": %zu target%s, ", group->target_count, group->target_count == 1 ? "" : "s");
    print_module(group->module, out);
    for (size_t i = 0; i < group->label_count; i++) print_label(&group->labels[i], out);
    for (size_t i = 0; i < group->target_count; i++)
        buffer_printf(out, "  target %s\n", group->targets[i].name);
    for (const struct config_source *source = group->sources; source; source = source->next)
        print_source(&source->asks, out);
}

/* --- Policy and outputs --- */

static void print_rules(const struct policy_rules *rules, const char *verb, struct buffer *out)
{
    for (size_t i = 0; i < rules->count; i++) {
        buffer_printf(out, "scrape policy: %s ", verb);
        print_quoted(out, rules->items[i].text);
        buffer_append_char(out, '\n');
    }
}

static void print_outputs(const struct config *config, struct buffer *out)
{
    if (config->textfile[0]) {
        buffer_append_string(out, "output: textfile ");
        print_quoted(out, config->textfile);
        buffer_append_char(out, '\n');
    }
    /* The URL is not shown, because it may contain a password. */
    if (push_is_given(config->push.url)) buffer_append_string(out, "output: push\n");
    if (push_is_given(config->remote_write.url)) buffer_append_string(out, "output: remote write\n");
}

static void print_watch(const struct watch_config *watch, struct buffer *out)
{
    buffer_append_string(out, "watch:");
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        if (watch->streams & WATCH_BIT(stream)) buffer_printf(out, " %s", watch_stream_name(stream));
    }
    buffer_append_string(out, " for ");
    print_duration(out, watch->window_ns, 9);
    buffer_append_string(out, " every ");
    print_duration(out, watch->every_ns, 9);
    buffer_printf(out, ", %u server%s at once, keys %s\n", watch->servers, watch->servers == 1 ? "" : "s",
                  watch_keys_name(watch->keys));
}

void config_print(const struct config *config, struct buffer *out)
{
    buffer_append_string(out, "file ");
    print_quoted(out, config->file);
    buffer_printf(out, ": %zu group%s, %zu target%s\n", config->group_count,
                  config->group_count == 1 ? "" : "s", config->target_count,
                  config->target_count == 1 ? "" : "s");
    for (size_t i = 0; i < config->module_count; i++) print_module(&config->modules[i], out);
    for (size_t i = 0; i < config->group_count; i++) print_group(&config->groups[i], out);
    if (config->policy) {
        print_rules(&config->policy->allow, "allow", out);
        print_rules(&config->policy->deny, "deny", out);
    }
    if (config->watch.enabled) print_watch(&config->watch, out);
    if (config->census.enabled) {
        buffer_append_string(out, "census: every ");
        print_duration(out, config->census.every_ns, 9);
        buffer_printf(out, ", at most %" PRIu64 " items in ", config->census.max_items);
        print_duration(out, config->census.time_ns, 9);
        buffer_append_char(out, '\n');
    }
    print_outputs(config, out);
}
