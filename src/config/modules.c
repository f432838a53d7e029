/*
 * Reads modules: settings for asking servers. Missing settings come from the flags. Only the module `default`
 * takes TLS and login from the flags.
 */
#include "base/container.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "config/reading.h"
#include "memcached/stats.h"

#include <uv.h>

static int read_collector(struct reading *reading, const struct node *node, unsigned *collectors)
{
    struct nearest nearest;
    nearest_init(&nearest, node->text);
    unsigned found = collector_find(node->text);
    *collectors |= found;
    if (found) return 0;
    for (unsigned collector = 0; collector < COLLECTOR_COUNT; collector++)
        nearest_try(&nearest, collector_name(collector));
    return reading_reject_name(reading, node, "a collector such as settings, items or slabs", nearest.name);
}

static int read_collectors(struct reading *reading, const struct node *node, void *place)
{
    unsigned *collectors = place;
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list of collectors");
    *collectors = COMMAND_BIT(COMMAND_STATS);
    for (const struct node *item = node->first; item; item = item->next) {
        int result = read_collector(reading, item, collectors);
        if (result < 0) return result;
    }
    *collectors = collectors_complete(*collectors, reading->rules->collectors & SLAB_SUMMARY);
    return 0;
}

#define WANTS(member) (offsetof(struct config_module, wants) + offsetof(struct access_settings, member))

/* Reads `tls`. This section replaces all TLS flags. */
static int read_tls(struct reading *reading, const struct node *node, void *place)
{
    static const struct field tls_fields[] = {
        {"ca_file", read_path, WANTS(ca_file), false},
        {"cert_file", read_path, WANTS(cert_file), false},
        {"key_file", read_path, WANTS(key_file), false},
        {"server_name", read_text, WANTS(server_name), false},
        {"insecure_skip_verify", read_switch, WANTS(skip_verify), false},
    };
    static const struct schema tls_schema = SCHEMA(tls_fields);
    struct config_module *module = place;
    struct access_settings *wants = &module->wants;
    if (node->kind != NODE_MAPPING) return reading_reject(reading, node, "a mapping; {} takes the defaults");
    *wants = (struct access_settings){.username = wants->username,
                                      .password_file = wants->password_file,
                                      .password = wants->password,
                                      .protocol = wants->protocol,
                                      .tls = true};
    int result = reading_mapping(reading, node, &tls_schema, module);
    if (result < 0) return result;
    if (wants->cert_file && !wants->key_file) return reading_reject_missing(reading, node, "key_file");
    return wants->key_file && !wants->cert_file ? reading_reject_missing(reading, node, "cert_file") : 0;
}

static int read_username(struct reading *reading, const struct node *node, void *place)
{
    int result = read_text(reading, node, place);
    const char *username = result == 0 ? *(const char **) place : "";
    for (; *username; username++) {
        if ((unsigned char) *username <= ' ' || *username == 0x7f)
            return reading_reject(reading, node, "a user name without blanks");
    }
    return result;
}

static int read_auth(struct reading *reading, const struct node *node, void *place)
{
    static const struct field auth_fields[] = {
        {"username", read_username, WANTS(username), true},
        {"password_file", read_path, WANTS(password_file), true},
    };
    static const struct schema auth_schema = SCHEMA(auth_fields);
    struct config_module *module = place;
    module->wants.password = NULL;
    return reading_mapping(reading, node, &auth_schema, module);
}

static int read_protocol(struct reading *reading, const struct node *node, void *place)
{
    if (node_is_text(node) && protocol_choice_parse(node->text, place)) return 0;
    return reading_reject(reading, node, PROTOCOL_CHOICES);
}

static const struct field fields[] = {
    {"timeout", read_duration, offsetof(struct config_module, timeout_ns), false},
    {"collectors", read_collectors, offsetof(struct config_module, collectors), false},
    {"tls", read_tls, 0, false},
    {"auth", read_auth, 0, false},
    {"protocol", read_protocol, WANTS(protocol), false},
    {"url_targets", read_switch, offsetof(struct config_module, url_targets), false},
};
static const struct schema schema = SCHEMA(fields);

int read_modules(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    const struct config_rules *rules = reading->rules;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of modules by their names");
    struct config_module *modules = arena_alloc(&config->arena, node->count + 1, sizeof(*modules));
    if (!modules) return UV_ENOMEM;
    modules[0] = config->modules[0];
    config->modules = modules;
    for (const struct node *child = node->first; child; child = child->next) {
        bool is_standard = slice_is(child->key->text, modules[0].name);
        struct config_module *module = is_standard ? modules : &modules[config->module_count++];
        *module = (struct config_module){.timeout_ns = rules->timeout_ns, .collectors = rules->collectors};
        module->place = (struct config_place){child->line, child->column};
        if (is_standard) module->wants = rules->wants;
        if (child->key->text.len == 0) return reading_reject_key(reading, child, "a name that is not empty");
        int result = copy_text(reading, child->key->text, &module->name);
        if (result == 0) result = reading_mapping(reading, child, &schema, module);
        if (result < 0) return result;
    }
    return 0;
}

int config_open_accesses(struct config *config, struct buffer *error)
{
    for (size_t n = 0; n < config->module_count; n++) {
        struct config_module *module = &config->modules[n];
        size_t start = error->len;
        if (module->place.line) {
            utf8_append_escaped(error, slice_of(config->file));
            buffer_printf(error, ":%u:%u: modules.", module->place.line, module->place.column);
            utf8_append_escaped(error, slice_of(module->name));
            buffer_append_string(error, ": ");
        }
        int result = access_new(&module->access, &module->wants, error);
        if (result == 0 || result == UV_ENOMEM) error->len = start;
        if (result < 0) return result;
    }
    return 0;
}
