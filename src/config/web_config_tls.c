/* Reads the section tls_server_config of the web configuration file. */
#include "base/container.h"
#include "base/utf8.h"
#include "config/reading.h"
#include "config/web_config.h"

#include <string.h>
#include <uv.h>

/* Rejects a name that is in no table, and repeats it in the words of exporter-toolkit. */
static int reject_unknown(struct reading *reading, const struct node *node, const char *expected,
                          const char *kind)
{
    reading_reject(reading, node, expected);
    if (node->kind != NODE_SCALAR) return UV_EINVAL;
    buffer_printf(reading->error, " (unknown %s: ", kind);
    utf8_append_escaped(reading->error, node->text);
    buffer_append_char(reading->error, ')');
    return UV_EINVAL;
}

static int read_version(struct reading *reading, const struct node *node, void *place)
{
    static const char *const names[TLS_VERSION_COUNT] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    enum tls_version *version = place;
    for (enum tls_version n = 0; node->kind == NODE_SCALAR && n < TLS_VERSION_COUNT; n++) {
        if (!slice_is(node->text, names[n])) continue;
        *version = n;
        return 0;
    }
    return reject_unknown(reading, node, "TLS10, TLS11, TLS12 or TLS13", "TLS version");
}

struct tls_name {
    const char *name, *openssl;
};

/*
 * Cipher suites under their Go names, in Go's order of preference. The order in the file has no effect. TLS
 * 1.3 suites cannot be chosen, but their names are accepted.
 */
static const struct tls_name ciphers[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_AES_128_GCM_SHA256", NULL},
    {"TLS_AES_256_GCM_SHA384", NULL},
    {"TLS_CHACHA20_POLY1305_SHA256", NULL},
};

static const struct tls_name curves[] = {
    {"X25519", "X25519"},
    {"CurveP256", "P-256"},
    {"CurveP384", "P-384"},
    {"CurveP521", "P-521"},
};

/* A table of names to choose from. `kind` and `expected` are for messages. */
struct tls_choice {
    const struct tls_name *names;
    size_t count;
    const char *kind, *expected;
};

static int find_name(struct reading *reading, const struct node *node, const struct tls_choice *choice,
                     bool *chosen)
{
    for (size_t n = 0; node->kind == NODE_SCALAR && n < choice->count; n++) {
        if (!slice_is(node->text, choice->names[n].name)) continue;
        chosen[n] = true;
        return 0;
    }
    return reject_unknown(reading, node, choice->expected, choice->kind);
}

/*
 * Translates a list of names into OpenSSL's names, in the order of the table. An empty list leaves *place
 * unchanged.
 */
static int read_choice(struct reading *reading, const struct node *node, const struct tls_choice *choice,
                       const char **place)
{
    bool chosen[ARRAY_LEN(ciphers)] = {false};
    struct buffer joined;
    if (node_is_nothing(node)) return 0;
    if (node->kind != NODE_SEQUENCE) return reading_reject(reading, node, "a list");
    for (const struct node *item = node->first; item; item = item->next) {
        int result = find_name(reading, item, choice, chosen);
        if (result < 0) return result;
    }
    if (node->count == 0) return 0;
    buffer_init(&joined, 1024);
    for (size_t n = 0; n < choice->count; n++) {
        if (!chosen[n] || !choice->names[n].openssl) continue;
        if (joined.len) buffer_append_char(&joined, ':');
        buffer_append_string(&joined, choice->names[n].openssl);
    }
    int result = joined.failed ? UV_ENOMEM : copy_text(reading, buffer_slice(&joined), place);
    buffer_deinit(&joined);
    return result;
}

static int read_ciphers(struct reading *reading, const struct node *node, void *place)
{
    static const struct tls_choice choice = {ciphers, ARRAY_LEN(ciphers), "cipher",
                                             "a cipher suite such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
    return read_choice(reading, node, &choice, place);
}

static int read_curves(struct reading *reading, const struct node *node, void *place)
{
    static const struct tls_choice choice = {curves, ARRAY_LEN(curves), "curve",
                                             "CurveP256, CurveP384, CurveP521 or X25519"};
    return read_choice(reading, node, &choice, place);
}

static int read_sans(struct reading *reading, const struct node *node, void *place)
{
    struct web_config_tls *tls = place;
    tls->has_client_allowed_sans = true;
    return read_texts(reading, node, &tls->client_allowed_sans, &tls->client_allowed_san_count);
}

/* Checks the value and ignores it: the order of suites is always that of the table above. */
static int read_ignored_bool(struct reading *reading, const struct node *node, void *place)
{
    bool ignored;
    (void) place;
    return read_yaml_bool(reading, node, &ignored);
}

int read_web_tls(struct reading *reading, const struct node *node, void *place)
{
#define AT(member) offsetof(struct web_config_tls, member)
    static const struct field fields[] = {
        {"cert", read_any_text, AT(cert), false},
        {"key", read_secret, AT(key), false},
        {"client_ca", read_any_text, AT(client_ca), false},
        {"cert_file", read_file_name, AT(cert_file), false},
        {"key_file", read_file_name, AT(key_file), false},
        {"client_ca_file", read_file_name, AT(client_ca_file), false},
        {"client_auth_type", read_any_text, AT(client_auth_type), false},
        {"client_allowed_sans", read_sans, 0, false},
        {"min_version", read_version, AT(min_version), false},
        {"max_version", read_version, AT(max_version), false},
        {"cipher_suites", read_ciphers, AT(ciphers), false},
        {"prefer_server_cipher_suites", read_ignored_bool, 0, false},
        {"curve_preferences", read_curves, AT(groups), false},
    };
#undef AT
    static const struct schema schema = SCHEMA(fields);
    return node_is_nothing(node) ? 0 : reading_mapping(reading, node, &schema, place);
}

bool web_config_client_auth(const struct web_config *config, enum tls_client_auth *type, struct buffer *error)
{
    static const struct {
        const char *name;
        enum tls_client_auth type;
    } types[] = {
        {"", TLS_NO_CLIENT_CERT},
        {"NoClientCert", TLS_NO_CLIENT_CERT},
        {"RequestClientCert", TLS_REQUEST_CLIENT_CERT},
        {"RequireAnyClientCert", TLS_REQUIRE_ANY_CLIENT_CERT},
        {"RequireClientCert", TLS_REQUIRE_ANY_CLIENT_CERT},
        {"VerifyClientCertIfGiven", TLS_VERIFY_CLIENT_CERT_IF_GIVEN},
        {"RequireAndVerifyClientCert", TLS_REQUIRE_AND_VERIFY_CLIENT_CERT},
    };
    for (size_t n = 0; n < ARRAY_LEN(types); n++) {
        if (strcmp(config->tls.client_auth_type, types[n].name) != 0) continue;
        *type = types[n].type;
        return true;
    }
    buffer_printf(error, "invalid ClientAuth: ");
    utf8_append_escaped(error, slice_of(config->tls.client_auth_type));
    return false;
}
