#include "net/policy_rule.h"

#include "base/container.h"
#include "base/number.h"
#include "base/utf8.h"

#include <arpa/inet.h>

static const char expected_rule[] = "any, private, loopback, link-local, metadata, a network such as "
                                    "10.0.0.0/8, a host such as *.example.com:11211, or unix:/path";
static const char expected_clean[] = "a rule without blanks and control characters";
static const char expected_short[] = "a rule of at most 253 bytes";
static const char expected_path[] = "an absolute path after unix:";
static const char expected_port[] = "a port from 1 to 65535 or * after the colon";
static const char expected_bits[] = "a network such as 10.0.0.0/8 or fd00::/8";
static const char expected_v6[] =
    "an IPv6 network such as fd00::/8, in brackets if a port follows: [fd00::/8]:11211";
static const char expected_host[] = "a host of letters, digits, '-', '_', '.' and the wildcards * and ?";

/* --- Reading --- */

/* The text fits, since policy_rule_parse has limited its length. */
static void set_pattern(struct policy_rule *rule, enum policy_rule_kind kind, struct slice text)
{
    rule->kind = kind;
    for (size_t n = 0; n < text.len; n++) {
        char c = text.data[n];
        rule->pattern[n] = kind == POLICY_NAME && c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
    }
    rule->pattern[text.len] = '\0';
}

static bool consists_of(struct slice text, const char *bytes)
{
    for (size_t n = 0; n < text.len; n++) {
        if (text.data[n] == '\0' || !strchr(bytes, text.data[n])) return false;
    }
    return text.len > 0;
}

static bool is_clean(struct slice text)
{
    for (size_t n = 0; n < text.len; n++) {
        if ((unsigned char) text.data[n] <= ' ' || text.data[n] == 0x7f) return false;
    }
    return utf8_is_valid(text);
}

static const char *read_network(struct policy_rule *rule, struct slice text)
{
    rule->kind = POLICY_NETWORK;
    if (network_parse(&rule->network, text)) return NULL;
    return memchr(text.data, ':', text.len) ? expected_v6 : expected_bits;
}

static const char *read_host(struct policy_rule *rule, struct slice host)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*?";
    if (slice_is(host, "any") || slice_is(host, "*")) {
        rule->kind = POLICY_ANY;
        return NULL;
    }
    rule->list = network_list_find(host);
    if (rule->list) {
        rule->kind = POLICY_LIST;
        return NULL;
    }
    if (host.len && (memchr(host.data, '/', host.len) || consists_of(host, "0123456789.")))
        return read_network(rule, host);
    if (!consists_of(host, name_bytes)) return host.len ? expected_host : expected_rule;
    if (consists_of(host, "0123456789.*?")) {
        set_pattern(rule, POLICY_LITERAL, host);
        return NULL;
    }
    if (host.data[host.len - 1] == '.') host.len--;
    set_pattern(rule, POLICY_NAME, host);
    return NULL;
}

static const char *read_port(struct policy_rule *rule, struct slice text)
{
    uint64_t port;
    if (slice_is(text, "*")) return NULL;
    if (!number_parse_u64(text, &port) || port < 1 || port > UINT16_MAX) return expected_port;
    rule->port = (uint16_t) port;
    return NULL;
}

/* Parses the text after '['. */
static const char *read_bracketed(struct policy_rule *rule, struct slice text)
{
    struct slice rest = text;
    struct slice inside = slice_cut(&rest, ']');
    if (!rest.data || !memchr(inside.data, ':', inside.len)) return expected_v6;
    const char *expected = read_network(rule, inside);
    if (expected || rest.len == 0) return expected;
    return rest.data[0] == ':' ? read_port(rule, slice_from(rest, 1)) : expected_v6;
}

static const char *read_path(struct policy_rule *rule, struct slice path)
{
    if (!slice_starts(path, "/")) return expected_path;
    set_pattern(rule, POLICY_PATH, path);
    return NULL;
}

const char *policy_rule_parse(struct policy_rule *rule, struct slice text)
{
    *rule = (struct policy_rule){0};
    if (text.len == 0) return expected_rule;
    if (!is_clean(text)) return expected_clean;
    if (text.len > ADDRESS_HOST_MAX) return expected_short;
    memcpy(rule->text, text.data, text.len);
    if (slice_starts(text, "unix:")) return read_path(rule, slice_from(text, strlen("unix:")));
    if (text.data[0] == '[') return read_bracketed(rule, slice_from(text, 1));

    struct slice port = text;
    struct slice host = slice_cut(&port, ':');
    if (port.data && memchr(port.data, ':', port.len)) return read_network(rule, text);
    const char *expected = read_host(rule, host);
    return expected || !port.data ? expected : read_port(rule, port);
}

/* --- Matching --- */

/*
 * Returns true if the pattern matches the whole text. At a mismatch, the last '*' takes one more byte;
 * earlier wildcards never need to be retried. If `fence` is not NUL, no wildcard matches that byte.
 */
static bool matches_pattern(const char *pattern, struct slice text, char fence)
{
    const char *star = NULL;
    size_t at = 0, taken = 0;
    while (at < text.len) {
        char c = text.data[at];
        if (*pattern == '*') {
            star = pattern++;
            taken = at;
        } else if (*pattern == c || (*pattern == '?' && c != fence)) {
            pattern++;
            at++;
        } else if (star && text.data[taken] != fence) {
            pattern = star + 1;
            at = ++taken;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

static bool matches_bytes(const struct policy_rule *rule, const struct in6_addr *bytes)
{
    char text[INET_ADDRSTRLEN];
    switch (rule->kind) {
    case POLICY_ANY:
        return true;
    case POLICY_LIST:
        return network_list_has(rule->list, bytes);
    case POLICY_NETWORK:
        return network_has(&rule->network, bytes);
    case POLICY_LITERAL:
        if (!network_is_v4(bytes)) return false;
        inet_ntop(AF_INET, &bytes->s6_addr[12], text, sizeof(text));
        return matches_pattern(rule->pattern, slice_of(text), '\0');
    default:
        return false;
    }
}

static bool matches_endpoint(const struct policy_rule *rule, const union endpoint *endpoint)
{
    struct meanings all = meanings_of(endpoint);
    for (size_t n = 0; n < all.count; n++) {
        if (matches_bytes(rule, &all.items[n])) return true;
    }
    return false;
}

static bool matches_name(const struct policy_rule *rule, struct slice name)
{
    if (name.data[name.len - 1] == '.') name.len--;
    return matches_pattern(rule->pattern, name, '\0');
}

enum policy_match policy_rule_match(const struct policy_rule *rule, const struct address *address,
                                    const union endpoint *endpoint)
{
    union endpoint literal;
    struct slice host = slice_of(address->host);
    bool matches = false;
    if (address->kind == ADDRESS_UNIX) {
        matches = rule->kind == POLICY_PATH && matches_pattern(rule->pattern, host, '/');
    } else if (rule->kind == POLICY_PATH || (rule->port && rule->port != address->port)) {
        matches = false;
    } else if (rule->kind == POLICY_ANY) {
        matches = true;
    } else if (rule->kind == POLICY_NAME) {
        matches = address->kind == ADDRESS_NAME && matches_name(rule, host);
    } else if (endpoint) {
        matches = matches_endpoint(rule, endpoint);
    } else if (address_endpoint(address, &literal)) {
        matches = matches_endpoint(rule, &literal);
    } else {
        return POLICY_MATCH_LATER;
    }
    return matches ? POLICY_MATCH : POLICY_NO_MATCH;
}

/* --- Special addresses --- */

/*
 * Returns the resolved address of a name, or the endpoint of an IP address. Returns NULL for paths and
 * unresolved names.
 */
static const union endpoint *place_of(const struct address *address, const union endpoint *endpoint,
                                      union endpoint *literal)
{
    if (endpoint) return endpoint;
    return address->kind == ADDRESS_IP && address_endpoint(address, literal) ? literal : NULL;
}

const struct network_list *policy_special(const struct address *address, const union endpoint *endpoint)
{
    union endpoint literal;
    const union endpoint *place = place_of(address, endpoint, &literal);
    if (!place) return NULL;
    struct meanings meanings = meanings_of(place);
    return network_list_special(&meanings);
}

bool policy_rule_means_special(const struct policy_rule *rule, const struct address *address,
                               const union endpoint *endpoint)
{
    union endpoint literal;
    const union endpoint *place = place_of(address, endpoint, &literal);
    if (!place) return false;
    struct meanings meanings = meanings_of(place);
    const struct network_list *special = network_list_special(&meanings);
    if (!special || policy_rule_match(rule, address, place) != POLICY_MATCH) return false;
    if (rule->kind == POLICY_ANY || rule->list == special) return true;
    if (rule->kind != POLICY_NETWORK) return false;
    for (size_t n = 0; n < special->count; n++) {
        if (rule->network.bits >= special->networks[n].bits &&
            network_has(&special->networks[n], &rule->network.prefix))
            return true;
    }
    return false;
}

/* --- Doubts --- */

const char *policy_rule_doubt(const struct policy_rule *rule, const struct policy_rule *others, size_t count)
{
    if (rule->kind == POLICY_NAME && !strpbrk(rule->pattern, ".*?"))
        return "is taken for the name of a host; the words are any, private, loopback, link-local and "
               "metadata";
    const struct network *other = rule->kind == POLICY_NETWORK ? network_counterpart(&rule->network) : NULL;
    for (size_t n = 0; other && n < count; n++) {
        if (others[n].kind == POLICY_NETWORK && network_equal(&others[n].network, other)) return NULL;
    }
    if (!other) return NULL;
    return rule->network.bits >= NETWORK_MAPPED_BITS && network_is_v4(&rule->network.prefix)
               ? "denies IPv4 addresses alone, not the IPv6 ones of the same kind"
               : "denies IPv6 addresses alone, not the IPv4 ones of the same kind";
}
