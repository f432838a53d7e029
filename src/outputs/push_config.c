#include "outputs/push_config.h"

#include "base/digits.h"
#include "base/label_name.h"
#include "base/utf8.h"
#include "net/libcurl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* --- The rules --- */

/* What is found: which setting is at fault, and what was expected instead. */
struct discovery_answer {
    const char **setting;
    struct buffer *reason;
};

static int refuse(const struct discovery_answer *answer, const char *setting, const char *expected)
{
    *answer->setting = setting;
    buffer_append_string(answer->reason, expected);
    return UV_EINVAL;
}

static int check_url(const char *url, const struct discovery_answer *answer)
{
    const char *expected = libcurl_url_fault(url);
    if (expected) return refuse(answer, "url", expected);
    if (strpbrk(url, "?#")) return refuse(answer, "url", "a URL without query and fragment");
    if (strlen(url) > PUSH_URL_MAX / 8) return refuse(answer, "url", "a shorter URL");
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int check_label(const struct push_config *config, size_t n, const struct discovery_answer *answer)
{
    const struct push_label *label = &config->grouping[n];
    if (!label_name_is_valid(slice_of(label->name)))
        return refuse(answer, "grouping", "a label name of letters, digits and underscores");
    if (strcmp(label->name, "job") == 0) return refuse(answer, "grouping", "no label job beside the job");
    if (!utf8_is_valid(slice_of(label->value))) return refuse(answer, "grouping", "a label value in UTF-8");
    for (size_t other = 0; other < n; other++) {
        if (strcmp(config->grouping[other].name, label->name) == 0)
            return refuse(answer, "grouping", "each label at most once");
    }
    return 0;
}

static int check_labels(const struct push_config *config, const struct discovery_answer *answer)
{
    size_t len = 3 * strlen(config->job);
    if (!config->job[0]) return refuse(answer, "job", "a job that is not empty");
    if (!utf8_is_valid(slice_of(config->job))) return refuse(answer, "job", "a job in UTF-8");
    for (size_t n = 0; n < config->count; n++) {
        int result = check_label(config, n, answer);
        if (result < 0) return result;
        len += strlen(config->grouping[n].name) + 3 * strlen(config->grouping[n].value) + 16;
    }
    if (len > PUSH_URL_MAX / 2) return refuse(answer, "grouping", "shorter labels");
    return 0;
}

/* Unlike the others, a fault of the machine and not of the settings. */
static int check_file(const char *path, const char *setting, const struct discovery_answer *answer)
{
    if (!path || access(path, R_OK) == 0) return 0;
    int result = -errno;
    *answer->setting = setting;
    buffer_printf(answer->reason, "a file that can be read, but %s: %s", path, strerror(-result));
    return result;
}

static int check_files(const struct push_config *config, const struct discovery_answer *answer)
{
    int result = check_file(config->password_file, "password-file", answer);
    if (result == 0) result = check_file(config->ca_file, "tls.ca-file", answer);
    if (result == 0) result = check_file(config->cert_file, "tls.cert-file", answer);
    if (result == 0) result = check_file(config->key_file, "tls.key-file", answer);
    return result;
}

static int check_credentials(const struct push_config *config, const struct discovery_answer *answer)
{
    if (!config->username != !config->password_file)
        return refuse(answer, "username", "a user name and a password file, or neither");
    /* RFC 7617, section 2: the first colon ends the user name. */
    if (config->username && strchr(config->username, ':'))
        return refuse(answer, "username", "a user name without a colon");
    if (!config->cert_file != !config->key_file)
        return refuse(answer, "tls.cert-file", "a certificate and its key, or neither");
    return check_files(config, answer);
}

int push_config_check(const struct push_config *config, const char **setting, struct buffer *reason)
{
    struct discovery_answer answer = {setting, reason};
    int result = check_url(config->url, &answer);
    if (result == 0) result = check_labels(config, &answer);
    if (result == 0 && (config->interval_ms == 0 || config->timeout_ms == 0)) {
        result = refuse(&answer, "interval", "an interval and a time-out above 0");
    }
    return result < 0 ? result : check_credentials(config, &answer);
}

/* --- The URL --- */

/* RFC 4648, section 5; Pushgateway takes it without padding, but wants a '=' for an empty value. */
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

/* RFC 3986, section 2.3: all but the unreserved characters. */
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

/* Segments of dots would be taken away on the way, as would be empty ones; '/' would be two segments. */
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
    for (size_t n = 0; n < config->count; n++)
        append_label(out, config->grouping[n].name, config->grouping[n].value);
}
