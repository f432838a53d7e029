#include "net/resolv_conf.h"

#include "base/container.h"
#include "base/number.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define DNS_PORT 53

static const char blanks[] = " \t\r\f\v";

/*
 * Removes and returns the next word of the text. Returns an empty word at the end of the text and before a
 * comment.
 */
static struct slice cut_word(struct slice *text)
{
    while (text->len && strchr(blanks, text->data[0])) *text = slice_from(*text, 1);
    if (text->len && strchr("#;", text->data[0])) text->len = 0;
    struct slice word = {text->data, 0};
    while (word.len < text->len && !strchr(blanks, text->data[word.len])) word.len++;
    *text = slice_from(*text, word.len);
    return word;
}

static bool copy_word(char *out, size_t size, struct slice word)
{
    if (word.len >= size || memchr(word.data, '\0', word.len)) return false;
    memcpy(out, word.data, word.len);
    out[word.len] = '\0';
    return true;
}

static void add_server(struct resolv_conf *conf, struct slice word)
{
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    if (conf->server_count == ARRAY_LEN(conf->servers) || !copy_word(text, sizeof(text), word)) return;
    union endpoint *server = &conf->servers[conf->server_count];
    memset(server, 0, sizeof(*server));
    if (inet_aton(text, &server->v4.sin_addr)) {
        server->any.sa_family = AF_INET;
    } else {
        struct address address;
        if (address_parse(&address, word, DNS_PORT) || address.kind != ADDRESS_IP) return;
        address_endpoint(&address, server);
    }
    endpoint_set_port(server, DNS_PORT);
    conf->server_count++;
}

static void add_domain(struct resolv_conf *conf, struct slice word)
{
    if (conf->search_count == ARRAY_LEN(conf->search)) return;
    if (word.len && word.data[word.len - 1] == '.') word.len--;
    if (copy_word(conf->search[conf->search_count], sizeof(conf->search[0]), word)) conf->search_count++;
}

/* Replaces the search list by at most `most` of the words. Does nothing if there is no word. */
static void set_search(struct resolv_conf *conf, struct slice words, size_t most)
{
    struct slice word = cut_word(&words);
    if (word.len == 0) return;
    conf->search_count = 0;
    for (; word.len && most; word = cut_word(&words), most--) add_domain(conf, word);
}

static void set_options(struct resolv_conf *conf, struct slice words)
{
    for (struct slice word; (word = cut_word(&words)).len;) {
        uint64_t ndots;
        if (slice_is(word, "rotate")) conf->rotate = true;
        if (slice_is(word, "use-vc")) conf->use_tcp = true;
        if (slice_is(word, "no-tld-query")) conf->no_tld_query = true;
        if (!slice_starts(word, "ndots:")) continue;
        if (number_parse_u64(slice_from(word, strlen("ndots:")), &ndots))
            conf->ndots = ndots > RESOLV_CONF_NDOTS_MAX ? RESOLV_CONF_NDOTS_MAX : (unsigned) ndots;
    }
}

static void read_line(struct resolv_conf *conf, struct slice line)
{
    struct slice keyword = cut_word(&line);
    if (slice_is(keyword, "nameserver"))
        add_server(conf, cut_word(&line));
    else if (slice_is(keyword, "domain"))
        set_search(conf, line, 1);
    else if (slice_is(keyword, "search"))
        set_search(conf, line, SIZE_MAX);
    else if (slice_is(keyword, "options"))
        set_options(conf, line);
}

void resolv_conf_init(struct resolv_conf *conf)
{
    *conf = (struct resolv_conf){.ndots = 1};
}

void resolv_conf_read(struct resolv_conf *conf, struct slice text,
                      const struct resolv_conf_surroundings *surroundings)
{
    const char *domain = surroundings->host ? strchr(surroundings->host, '.') : NULL;
    resolv_conf_init(conf);
    while (text.len) read_line(conf, slice_cut(&text, '\n'));
    if (surroundings->localdomain)
        set_search(conf, slice_of(surroundings->localdomain), SIZE_MAX);
    else if (conf->search_count == 0 && domain && domain[1])
        set_search(conf, slice_of(domain + 1), 1);
    if (surroundings->res_options) set_options(conf, slice_of(surroundings->res_options));
    if (conf->server_count == 0) add_server(conf, SLICE("127.0.0.1"));
}

static void join(char *candidate, const char *name, const char *domain)
{
    int len = snprintf(candidate, ADDRESS_HOST_MAX + 1, "%s%s%s", name, domain[0] ? "." : "", domain);
    if (len < 0 || len > ADDRESS_HOST_MAX) candidate[0] = '\0';
}

/*
 * Uses the order of glibc's res_search. A name with at least ndots dots is first tried without a domain, then
 * with each domain. A name with fewer dots is tried without a domain last. The root domain in the search list
 * means the name without a domain.
 */
bool resolv_conf_candidate(const struct resolv_conf *conf, const char *name, size_t step, char *candidate)
{
    size_t len = strlen(name), dots = 0;
    for (const char *c = name; *c; c++) dots += *c == '.';
    if (len && name[len - 1] == '.') {
        join(candidate, name, "");
        candidate[strlen(candidate) ? strlen(candidate) - 1 : 0] = '\0';
        return step == 0;
    }
    bool plain = dots >= conf->ndots;
    if (plain && step-- == 0) {
        join(candidate, name, "");
        return true;
    }
    for (size_t i = 0; i < conf->search_count; i++) {
        const char *domain = conf->search[i];
        if (!domain[0] && plain) continue;
        plain = plain || !domain[0];
        if (step-- > 0) continue;
        join(candidate, name, domain);
        return true;
    }
    join(candidate, name, "");
    bool last = !plain && (dots || conf->search_count == 0 || !conf->no_tld_query);
    return last && step == 0;
}
