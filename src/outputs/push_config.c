#include "outputs/push_config.h"

#include "base/container.h"
#include "base/digits.h"
#include "base/label_name.h"
#include "base/utf8.h"
#include "net/libcurl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SETTINGS(output, labels)                                                                             \
    {                                                                                                        \
        [PUSH_URL] = {output ".url", "url"}, [PUSH_JOB] = {output ".job", "job"},                            \
        [PUSH_GROUPING] = {output "." labels, labels}, [PUSH_USERNAME] = {output ".username", "username"},   \
        [PUSH_PASSWORD_FILE] = {output ".password-file", "password_file"},                                   \
        [PUSH_BEARER_TOKEN_FILE] = {output ".bearer-token-file", "bearer_token_file"},                       \
        [PUSH_CA_FILE] = {output ".tls.ca-file", "ca_file"},                                                 \
        [PUSH_CERT_FILE] = {output ".tls.cert-file", "cert_file"},                                           \
        [PUSH_KEY_FILE] = {output ".tls.key-file", "key_file"},                                              \
    }

const struct push_setting_names push_settings[PUSH_KINDS][PUSH_CHECKED] = {
    [PUSH_GATEWAY] = SETTINGS("push", "grouping"),
    [PUSH_REMOTE_WRITE] = SETTINGS("remote-write", "labels"),
};

const char *push_section(enum push_kind kind)
{
    return kind == PUSH_GATEWAY ? "push" : "remote_write";
}

/* --- The rules --- */

/* Receives the setting that is wrong, and what was expected. */
struct fault {
    enum push_setting *setting;
    struct buffer *reason;
};

static int reject_setting(const struct fault *fault, enum push_setting setting, const char *expected)
{
    *fault->setting = setting;
    buffer_printf(fault->reason, "expected %s", expected);
    return UV_EINVAL;
}

/*
 * Returns true if the URL ends with /metrics or contains "/metrics/job", which people copy from the address
 * of a group.
 */
static bool names_metrics(const char *url)
{
    static const char metrics[] = "/metrics";
    size_t len = strlen(url);
    while (len && url[len - 1] == '/') len--;
    bool ends = len >= strlen(metrics) && memcmp(url + len - strlen(metrics), metrics, strlen(metrics)) == 0;
    return ends || strstr(url, "/metrics/job");
}

static int check_url(const struct push_config *config, const struct fault *fault)
{
    const char *url = config->url, *expected = libcurl_url_fault(url);
    bool is_gateway = config->kind == PUSH_GATEWAY;
    if (!expected && is_gateway && strpbrk(url, "?#")) expected = "a URL without query and fragment";
    if (!expected && strchr(url, '#')) expected = "a URL without a fragment";
    if (!expected && is_gateway && names_metrics(url))
        expected = "a URL without /metrics, which the push adds itself";
    if (!expected && strlen(url) > PUSH_URL_MAX / 8) expected = "a shorter URL";
    return expected ? reject_setting(fault, PUSH_URL, expected) : 0;
}

/* Checks label n, and that no earlier label has the same name. Returns NULL, or what was expected. */
static const char *label_fault(const struct push_labels *labels, size_t n)
{
    const struct push_label *label = &labels->items[n];
    if (!label_name_is_valid(slice_of(label->name)))
        return "a label name of letters, digits and _, not beginning with a digit or __";
    if (strcmp(label->name, "job") == 0) return "no label job, which has a setting of its own";
    if (!utf8_is_valid(slice_of(label->value))) return "a label value in UTF-8";
    for (size_t other = 0; other < n; other++) {
        if (strcmp(labels->items[other].name, label->name) == 0) return "each label at most once";
    }
    return NULL;
}

static int check_labels(const struct push_config *config, const struct fault *fault)
{
    size_t len = 3 * strlen(config->job);
    if (!config->job[0]) return reject_setting(fault, PUSH_JOB, "a job that is not empty");
    if (!utf8_is_valid(slice_of(config->job))) return reject_setting(fault, PUSH_JOB, "a job in UTF-8");
    for (size_t n = 0; n < config->grouping.count; n++) {
        const struct push_label *label = &config->grouping.items[n];
        const char *expected = label_fault(&config->grouping, n);
        if (expected) return reject_setting(fault, PUSH_GROUPING, expected);
        len += strlen(label->name) + 3 * strlen(label->value) + 16;
    }
    return len > PUSH_URL_MAX / 2 ? reject_setting(fault, PUSH_GROUPING, "shorter labels") : 0;
}

static int check_pairs(const struct push_config *config, const struct fault *fault)
{
    if (push_is_given(config->username) != push_is_given(config->password_file))
        return reject_setting(fault, PUSH_USERNAME, "a user name and a password file, or neither");
    /* RFC 7617, section 2: the first colon ends the user name. */
    if (push_is_given(config->username) && strchr(config->username, ':'))
        return reject_setting(fault, PUSH_USERNAME, "a user name without a colon");
    if (push_is_given(config->username) && push_is_given(config->bearer_token_file))
        return reject_setting(fault, PUSH_BEARER_TOKEN_FILE, "a user name or a bearer token, not both");
    if (push_is_given(config->cert_file) != push_is_given(config->key_file))
        return reject_setting(fault, PUSH_CERT_FILE, "a certificate and its key, or neither");
    return 0;
}

/* Checks that the files can be read. Unlike the other checks, this one depends on the machine. */
static int check_files(const struct push_config *config, const struct fault *fault)
{
    const struct {
        enum push_setting setting;
        const char *path;
    } files[] = {
        {PUSH_PASSWORD_FILE, config->password_file},
        {PUSH_BEARER_TOKEN_FILE, config->bearer_token_file},
        {PUSH_CA_FILE, config->ca_file},
        {PUSH_CERT_FILE, config->cert_file},
        {PUSH_KEY_FILE, config->key_file},
    };
    for (size_t n = 0; n < ARRAY_LEN(files); n++) {
        if (!push_is_given(files[n].path) || access(files[n].path, R_OK) == 0) continue;
        int result = uv_translate_sys_error(errno);
        *fault->setting = files[n].setting;
        buffer_printf(fault->reason, "expected a readable file, but cannot read %s: %s", files[n].path,
                      strerror(errno));
        return result;
    }
    return 0;
}

int push_config_check(const struct push_config *config, enum push_setting *setting, struct buffer *reason)
{
    const struct fault fault = {setting, reason};
    int result = check_url(config, &fault);
    if (result == 0) result = check_labels(config, &fault);
    if (result == 0) result = check_pairs(config, &fault);
    return result < 0 ? result : check_files(config, &fault);
}

/* --- The URL --- */

/*
 * Appends base64url (RFC 4648, section 5). Pushgateway accepts it without padding, but requires a '=' for an
 * empty value.
 */
static void append_base64url(struct buffer *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, waiting = 0;
    if (bytes.len == 0) buffer_append_char(out, '=');
    for (size_t n = 0; n < bytes.len; n++) {
        bits = (bits << 8 | (unsigned char) bytes.data[n]) & 0xffff;
        for (waiting += 8; waiting >= 6; waiting -= 6)
            buffer_append_char(out, digits[bits >> (waiting - 6) & 63]);
    }
    if (waiting) buffer_append_char(out, digits[bits << (6 - waiting) & 63]);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Percent-encodes all but the unreserved characters (RFC 3986, section 2.3). */
static void append_percent_encoded(struct buffer *out, struct slice bytes)
{
    for (size_t n = 0; n < bytes.len; n++) {
        char c = bytes.data[n];
        if (is_letter(c) || is_digit(c) || (c && strchr("-._~", c)))
            buffer_append_char(out, c);
        else
            buffer_printf(out, "%%%02X", (unsigned) (unsigned char) c);
    }
}

/*
 * Returns true if the value cannot be one segment of a path. HTTP libraries remove empty segments, "." and
 * ".."; a '/' would make two segments.
 */
static bool needs_base64(const char *value)
{
    return !value[0] || strcmp(value, ".") == 0 || strcmp(value, "..") == 0 || strchr(value, '/');
}

static void append_label(struct buffer *out, const char *name, const char *value)
{
    bool base64 = needs_base64(value);
    buffer_append_char(out, '/');
    buffer_append_string(out, name);
    buffer_append_string(out, base64 ? "@base64/" : "/");
    if (base64)
        append_base64url(out, slice_of(value));
    else
        append_percent_encoded(out, slice_of(value));
}

void push_config_url(const struct push_config *config, struct buffer *out)
{
    size_t len = strlen(config->url);
    while (len && config->url[len - 1] == '/') len--;
    buffer_append(out, config->url, len);
    buffer_append_string(out, "/metrics");
    append_label(out, "job", config->job);
    for (size_t n = 0; n < config->grouping.count; n++)
        append_label(out, config->grouping.items[n].name, config->grouping.items[n].value);
}
