#include "config/web_tls.h"

#include "base/utf8.h"

#include <uv.h>

/*
 * Certificate and key are replaced one after the other. A mismatch within this time after a change counts as
 * an unfinished replacement.
 */
#define REPLACING_MS 1000

/* The inputs of a context. The key is wiped after use. */
struct material {
    struct buffer cert, key, client_ca;
};

static int reject_tls(const struct web_config *config, const char *what, struct buffer *error)
{
    buffer_clear(error);
    utf8_append_escaped(error, slice_of(config->file));
    buffer_printf(error, ": %s", what);
    return UV_EINVAL;
}

/* Reads the file that `key` names into `out`. If `file` is "", copies `text`, which the configuration has. */
static int read_material(const struct web_config *config, const char *key, const char *file, const char *text,
                         struct file_stamp *stamp, struct buffer *out, struct buffer *error)
{
    size_t start = error->len;
    if (!*file) {
        buffer_init(out, SIZE_MAX / 2);
        buffer_append_string(out, text);
        return out->failed ? UV_ENOMEM : 0;
    }
    *stamp = file_stamp_take(file);
    utf8_append_escaped(error, slice_of(config->file));
    buffer_printf(error, ": tls_server_config.%s: ", key);
    int result = web_config_read_file(file, out, error);
    if (result == 0) error->len = start;
    return result;
}

static int read_pair(struct web_tls *tls, const struct web_config *config, struct material *material,
                     struct buffer *error)
{
    const struct web_config_tls *from = &config->tls;
    if (!*from->cert && !*from->cert_file)
        return reject_tls(config, "missing one of cert or cert_file", error);
    if (!*from->key && !*from->key_file) return reject_tls(config, "missing one of key or key_file", error);
    int result = read_material(config, "cert_file", from->cert_file, from->cert, &tls->cert_file,
                               &material->cert, error);
    if (result == 0)
        result = read_material(config, "key_file", from->key_file, from->key, &tls->key_file, &material->key,
                               error);
    return result;
}

static int read_client_ca(struct web_tls *tls, const struct web_config *config, struct material *material,
                          struct buffer *error)
{
    const struct web_config_tls *from = &config->tls;
    if (!*from->client_ca_file && !*from->client_ca) return 0;
    return read_material(config, "client_ca_file", from->client_ca_file, from->client_ca,
                         &tls->client_ca_file, &material->client_ca, error);
}

/* Writes the rules for clients as bytes. A name may contain any bytes, so its length precedes it. */
static void write_client_rules(struct buffer *rules, const struct tls_server_settings *settings)
{
    buffer_init(rules, SIZE_MAX / 2);
    buffer_printf(rules, "%d %d %d ", settings->client_auth, settings->has_client_ca,
                  settings->has_client_sans);
    for (size_t n = 0; n < settings->client_san_count; n++)
        buffer_printf(rules, "%zu %.*s ", settings->client_sans[n].len, SLICE_ARG(settings->client_sans[n]));
    buffer_append_slice(rules, settings->client_ca);
}

/*
 * Checks the pair of certificate and key, in a context without rules for clients. exporter-toolkit, too,
 * checks the pair before the type of client authentication.
 */
static int check_pair(const struct tls_server_settings *settings, struct buffer *error)
{
    struct tls_server_settings pair = {
        .identity = settings->identity, .min_version = TLS_1_2, .max_version = TLS_1_3};
    struct tls_context *context = NULL;
    int result = tls_context_new_server(&context, &pair, error);
    if (result == 0) tls_context_release(context);
    return result;
}

static bool is_being_replaced(const struct web_tls *tls, const struct material *material, int result)
{
    bool halves = result == UV_EAGAIN || (result == UV_EINVAL && (!material->cert.len || !material->key.len));
    return halves && (file_stamp_is_younger(&tls->cert_file, REPLACING_MS) ||
                      file_stamp_is_younger(&tls->key_file, REPLACING_MS));
}

static int make_context(struct web_tls *tls, const struct web_config *config, struct material *material,
                        struct buffer *error)
{
    const struct web_config_tls *from = &config->tls;
    struct tls_server_settings settings = {
        .identity = {buffer_slice(&material->cert), buffer_slice(&material->key)},
        .has_client_ca = *from->client_ca_file || *from->client_ca,
        .client_sans = from->client_allowed_sans,
        .client_san_count = from->client_allowed_san_count,
        .has_client_sans = from->has_client_allowed_sans,
        .min_version = from->min_version,
        .max_version = from->max_version,
        .ciphers = from->ciphers,
        .groups = from->groups,
    };
    utf8_append_escaped(error, slice_of(config->file));
    buffer_append_string(error, ": ");
    int result = check_pair(&settings, error);
    if (result < 0)
        return is_being_replaced(tls, material, result) ? UV_EAGAIN
               : result == UV_EAGAIN                    ? UV_EINVAL
                                                        : result;
    buffer_clear(error);
    result = read_client_ca(tls, config, material, error);
    if (result < 0) return result;
    settings.client_ca = buffer_slice(&material->client_ca);
    utf8_append_escaped(error, slice_of(config->file));
    buffer_append_string(error, ": ");
    if (!web_config_client_auth(config, &settings.client_auth, error)) return UV_EINVAL;
    if (settings.has_client_ca && settings.client_auth == TLS_NO_CLIENT_CERT)
        return reject_tls(config, "client CA's have been configured without a Client Auth Policy", error);
    write_client_rules(&tls->client_rules, &settings);
    if (tls->client_rules.failed) return UV_ENOMEM;
    result = tls_context_new_server(&tls->context, &settings, error);
    if (result == 0) buffer_clear(error);
    return result;
}

int web_tls_load(struct web_tls *tls, const struct web_config *config, struct buffer *error)
{
    struct material material = {.cert = {.len = 0}};
    *tls = (struct web_tls){.context = NULL};
    buffer_clear(error);
    int result = read_pair(tls, config, &material, error);
    if (result == 0) result = make_context(tls, config, &material, error);
    buffer_deinit(&material.cert);
    buffer_wipe(&material.key);
    buffer_deinit(&material.client_ca);
    return result;
}

int web_tls_open(struct web_tls *tls, struct web_config *config, const char *file, struct buffer *error)
{
    *tls = (struct web_tls){.context = NULL};
    int result = web_config_load(config, file, error);
    if (result < 0) return result;
    if (!web_config_check_hashes(config, error)) return UV_EINVAL;
    return config->has_tls ? web_tls_load(tls, config, error) : 0;
}

bool web_tls_is_current(const struct web_tls *tls, const struct web_config *config)
{
    const struct web_config_tls *from = &config->tls;
    return (!*from->cert_file || file_stamp_holds(&tls->cert_file, from->cert_file)) &&
           (!*from->key_file || file_stamp_holds(&tls->key_file, from->key_file)) &&
           (!*from->client_ca_file || file_stamp_holds(&tls->client_ca_file, from->client_ca_file));
}

void web_tls_deinit(struct web_tls *tls)
{
    tls_context_release(tls->context);
    buffer_deinit(&tls->client_rules);
    *tls = (struct web_tls){.context = NULL};
}
