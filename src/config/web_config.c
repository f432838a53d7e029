#include "config/web_config.h"

#include "base/bcrypt.h"
#include "base/container.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/read_file.h"
#include "base/utf8.h"
#include "config/reading.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define FILE_MAX ((size_t) 1024 * 1024)

/* --- Values, with the rules of Go's YAML library --- */

bool node_is_nothing(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node_is_text(node) && !node->quoted;
}

/* Accepts any scalar. A missing value gives the empty text. */
int read_any_text(struct reading *reading, const struct node *node, void *place)
{
    if (node->kind != NODE_SCALAR) return reading_reject(reading, node, "a text");
    return copy_text(reading, node_is_text(node) ? node->text : SLICE(""), place);
}

/* Like read_any_text, but messages do not show the value. */
int read_secret(struct reading *reading, const struct node *node, void *place)
{
    if (node->kind != NODE_SCALAR) return reading_reject_unseen(reading, node, "a text");
    return read_any_text(reading, node, place);
}

int read_file_name(struct reading *reading, const struct node *node, void *place)
{
    if (node->kind == NODE_SCALAR && node_is_text(node) && node->text.len)
        return read_path(reading, node, place);
    return read_any_text(reading, node, place);
}

int read_yaml_bool(struct reading *reading, const struct node *node, void *place)
{
    static const char *const yes[] = {"true", "yes", "on", "y"}, *const no[] = {"false", "no", "off", "n"};
    bool *value = place;
    for (size_t n = 0; node->kind == NODE_SCALAR && !node->quoted && n < ARRAY_LEN(yes); n++) {
        *value = slice_is_nocase(node->text, yes[n]);
        if (*value || slice_is_nocase(node->text, no[n])) return 0;
    }
    return reading_reject(reading, node, "true or false");
}

int read_texts(struct reading *reading, const struct node *node, const struct slice **texts, size_t *count)
{
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list");
    struct slice *items = arena_alloc(reading->arena, node->count + 1, sizeof(*items));
    if (!items) return UV_ENOMEM;
    *texts = items;
    *count = 0;
    for (const struct node *item = node->first; item; item = item->next) {
        const char *text;
        int result = read_any_text(reading, item, &text);
        if (result < 0) return result;
        items[(*count)++] = slice_of(text);
    }
    return 0;
}

/* --- Headers --- */

/*
 * The headers that may be set. `values` lists the allowed values and ends with NULL; an empty list allows any
 * value.
 */
static const struct {
    const char *name;
    const char *values[3];
} allowed_headers[] = {
    {"Strict-Transport-Security", {NULL}},
    {"X-Content-Type-Options", {"nosniff", NULL}},
    {"X-Frame-Options", {"deny", "sameorigin", NULL}},
    {"X-XSS-Protection", {NULL}},
    {"Content-Security-Policy", {NULL}},
};

static bool is_header_text(const char *value)
{
    for (; *value; value++) {
        if ((unsigned char) *value < ' ' && *value != '\t') return false;
    }
    return true;
}

static int check_header(struct reading *reading, const struct node *node, const char *value)
{
    for (size_t n = 0; n < ARRAY_LEN(allowed_headers); n++) {
        const char *const *values = allowed_headers[n].values;
        if (!slice_is(node->key->text, allowed_headers[n].name)) continue;
        if (!is_header_text(value)) return reading_reject(reading, node, "one line");
        if (!values[0]) return 0;
        for (; *values; values++) {
            if (strcmp(value, *values) == 0) return 0;
        }
        node_append_place(node, reading->error);
        buffer_printf(reading->error, "invalid value for %s. Expected one of: [", allowed_headers[n].name);
        for (values = allowed_headers[n].values; *values; values++)
            buffer_printf(reading->error, "%s\"%s\"", values == allowed_headers[n].values ? "" : " ",
                          *values);
        buffer_append_string(reading->error, "], but got: \"");
        utf8_append_escaped(reading->error, slice_of(value));
        buffer_append_char(reading->error, '"');
        return UV_EINVAL;
    }
    node_append_key_place(node, reading->error);
    buffer_append_string(reading->error, "HTTP header \"");
    utf8_append_escaped(reading->error, node->key->text);
    buffer_append_string(reading->error, "\" can not be configured");
    return UV_EINVAL;
}

static int read_headers(struct reading *reading, const struct node *node, void *place)
{
    struct web_config *config = place;
    if (node_is_nothing(node)) return 0;
    if (node->kind != NODE_MAPPING)
        return reading_reject(reading, node, "a mapping of headers to their values");
    struct web_config_header *headers = arena_alloc(reading->arena, node->count + 1, sizeof(*headers));
    if (!headers) return UV_ENOMEM;
    config->headers = headers;
    for (const struct node *child = node->first; child; child = child->next) {
        struct web_config_header *header = &headers[config->header_count];
        int result = read_any_text(reading, child, &header->value);
        if (result == 0) result = copy_text(reading, child->key->text, &header->name);
        if (result == 0) result = check_header(reading, child, header->value);
        if (result < 0) return result;
        config->header_count++;
    }
    return 0;
}

static int read_http(struct reading *reading, const struct node *node, void *place)
{
    static const struct field fields[] = {
        {"http2", read_yaml_bool, offsetof(struct web_config, http2), false},
        {"headers", read_headers, 0, false},
    };
    static const struct schema schema = SCHEMA(fields);
    return node_is_nothing(node) ? 0 : reading_mapping(reading, node, &schema, place);
}

/* --- Users --- */

static int read_users(struct reading *reading, const struct node *node, void *place)
{
    struct web_config *config = place;
    if (node_is_nothing(node)) return 0;
    if (node->kind != NODE_MAPPING)
        return reading_reject_unseen(reading, node, "a mapping of users to hashes");
    struct web_config_user *users = arena_alloc(reading->arena, node->count + 1, sizeof(*users));
    if (!users) return UV_ENOMEM;
    config->users = users;
    for (const struct node *child = node->first; child; child = child->next) {
        struct web_config_user *user = &users[config->user_count];
        int result = read_secret(reading, child, &user->hash);
        if (result == 0) result = copy_text(reading, child->key->text, &user->name);
        if (result < 0) return result;
        config->user_count++;
    }
    return 0;
}

bool web_config_check_hashes(const struct web_config *config, struct buffer *error)
{
    if (config->user_count > 0 && !bcrypt_load()) {
        utf8_append_escaped(error, slice_of(config->file));
        buffer_append_string(error,
                             ": basic_auth_users: checking passwords needs libcrypt (libcrypt.so.1), which "
                             "cannot be loaded");
        return false;
    }
    for (size_t n = 0; n < config->user_count; n++) {
        const char *expected = bcrypt_check_hash(slice_of(config->users[n].hash));
        if (!expected) continue;
        utf8_append_escaped(error, slice_of(config->file));
        buffer_append_string(error, ": basic_auth_users: the hash of \"");
        utf8_append_escaped(error, slice_of(config->users[n].name));
        buffer_printf(error, "\": expected %s", expected);
        return false;
    }
    return true;
}

const char *web_config_hash(const struct web_config *config, struct slice user)
{
    for (size_t n = 0; n < config->user_count; n++) {
        if (slice_is(user, config->users[n].name)) return config->users[n].hash;
    }
    return NULL;
}

/* --- The rate limit --- */

/* Reads a duration, or a number of nanoseconds. 0 or a negative value means no limit. */
static int read_interval(struct reading *reading, const struct node *node, void *place)
{
    struct web_config *config = place;
    struct slice text = node->text;
    if (node_is_nothing(node)) return 0;
    bool negative = node->kind == NODE_SCALAR && slice_starts(text, "-");
    if (negative) text = slice_from(text, 1);
    if (node->kind != NODE_SCALAR || (!number_parse_u64(text, &config->rate_interval_ns) &&
                                      !duration_parse(text, &config->rate_interval_ns)))
        return reading_reject(reading, node, "a duration such as 250ms or 1s");
    config->has_rate_limit = config->rate_interval_ns > 0 && !negative;
    return 0;
}

static int read_burst(struct reading *reading, const struct node *node, void *place)
{
    uint64_t *burst = place;
    struct slice text = node->text;
    if (node_is_nothing(node)) return 0;
    bool negative = node->kind == NODE_SCALAR && slice_starts(text, "-");
    if (negative) text = slice_from(text, 1);
    if (node->kind != NODE_SCALAR || !number_parse_u64(text, burst))
        return reading_reject(reading, node, "a number");
    if (negative) *burst = 0;
    return 0;
}

static int read_rate_limit(struct reading *reading, const struct node *node, void *place)
{
    static const struct field fields[] = {
        {"interval", read_interval, 0, false},
        {"burst", read_burst, offsetof(struct web_config, rate_burst), false},
    };
    static const struct schema schema = SCHEMA(fields);
    return node_is_nothing(node) ? 0 : reading_mapping(reading, node, &schema, place);
}

/* --- The file --- */

/*
 * Returns the first document of `text`. The document ends at a line that begins another document, or at a
 * line of "...".
 */
static struct slice first_document(struct slice text)
{
    struct slice rest = text;
    bool begun = false;
    while (rest.data && rest.len) {
        size_t at = text.len - rest.len;
        struct slice line = slice_cut(&rest, '\n');
        struct slice trimmed = slice_trim(line);
        bool marker = (slice_starts(line, "---") || slice_starts(line, "...")) &&
                      (line.len == 3 || line.data[3] == ' ' || line.data[3] == '\t' || line.data[3] == '\r');
        if (marker && (begun || line.data[0] == '.')) return (struct slice){text.data, at};
        begun = begun || marker || (trimmed.len && trimmed.data[0] != '#' && trimmed.data[0] != '%');
    }
    return text;
}

static bool counts_as_tls(const struct web_config_tls *tls)
{
    const char *const switches[] = {tls->cert,
                                    tls->key,
                                    tls->client_ca,
                                    tls->cert_file,
                                    tls->key_file,
                                    tls->client_ca_file,
                                    tls->client_auth_type};
    for (size_t n = 0; n < ARRAY_LEN(switches); n++) {
        if (*switches[n]) return true;
    }
    return false;
}

static int read_parts(struct reading *reading, const struct node *root, struct web_config *config)
{
    static const struct field fields[] = {
        {"tls_server_config", read_web_tls, offsetof(struct web_config, tls), false},
        {"rate_limit", read_rate_limit, 0, false},
        {"basic_auth_users", read_users, 0, false},
        {"http_server_config", read_http, 0, false}, /* last, because headers are checked only after
                                                        everything else is read */
    };
    static const struct schema schema = SCHEMA(fields);
    if (!root || node_is_nothing(root)) return 0;
    return reading_mapping(reading, root, &schema, config);
}

static int init(struct web_config *config, struct slice file)
{
    const char *slash = memrchr(file.data, '/', file.len);
    struct slice directory = slash ? (struct slice){file.data, (size_t) (slash - file.data)} : SLICE(".");
    if (slash == file.data) directory.len = 1;
    *config = (struct web_config){
        .http2 = true,
        .tls = {"", "", "", "", "", "", "", .min_version = TLS_1_2, .max_version = TLS_1_3},
    };
    arena_init(&config->arena);
    config->file = arena_copy(&config->arena, file);
    config->directory = arena_copy(&config->arena, directory);
    return config->file && config->directory ? 0 : UV_ENOMEM;
}

int web_config_read(struct web_config *config, const char *file, struct slice text, struct buffer *error)
{
    struct document document;
    int result = init(config, slice_of(file));
    struct reading reading = {.arena = &config->arena, .directory = config->directory, .error = error};
    if (result < 0) return result;
    buffer_clear(error);
    utf8_append_escaped(error, slice_of(file));
    buffer_append_string(error, ": yaml: ");
    result = document_read_yaml(&document, first_document(text), DOCUMENT_NO_ALIASES, error);
    if (result == 0) result = read_parts(&reading, document.root, config);
    document_deinit(&document);
    if (result == 0) buffer_clear(error);
    config->has_tls = counts_as_tls(&config->tls);
    return result;
}

int web_config_read_file(const char *path, struct buffer *text, struct buffer *error)
{
    size_t start = error->len;
    buffer_init(text, FILE_MAX + 1);
    if (strcmp(path, "/dev/null") == 0) return 0; /* not a regular file, but commonly used as an empty file */
    int result = read_file(path, FILE_MAX, text, error);
    if (result != UV_ENOENT) return result;
    error->len = start;
    utf8_append_escaped(error, slice_of(path));
    buffer_append_string(error, ": no such file or directory");
    return result;
}

int web_config_load(struct web_config *config, const char *file, struct buffer *error)
{
    struct buffer text;
    buffer_clear(error);
    buffer_append_string(error, "--web.config.file: ");
    *config = (struct web_config){0};
    int result = web_config_read_file(file, &text, error);
    if (result == 0) result = web_config_read(config, file, buffer_slice(&text), error);
    buffer_wipe(&text);
    return result;
}

void web_config_deinit(struct web_config *config)
{
    if (config->tls.key) explicit_bzero((char *) (uintptr_t) config->tls.key, strlen(config->tls.key));
    arena_deinit(&config->arena);
    *config = (struct web_config){0};
}
