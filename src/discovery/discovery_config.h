/*
 * The settings of one source of targets: its kind, what to ask for and how often. The configuration file and
 * the flags are read into this struct. Data only.
 */
#ifndef DISCOVERY_DISCOVERY_CONFIG_H
#define DISCOVERY_DISCOVERY_CONFIG_H

#include "base/buffer.h"
#include "net/address.h"
#include "net/dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum discovery_kind { DISCOVERY_DNS, DISCOVERY_FILE_SD, DISCOVERY_HTTP_SD, DISCOVERY_ELASTICACHE };

struct discovery_config {
    enum discovery_kind kind;
    uint64_t refresh_ms; /* 0: the TTL for DNS (at least 1 s), otherwise the kind's own default */
    union {
        struct {
            const char *name;
            enum dns_type type;
            uint16_t port; /* 0 for SRV, since SRV records contain the port */
        } dns;
        struct {
            const char *const *patterns; /* globs; relative ones are below `directory` */
            size_t count;
            const char *directory; /* directory of the configuration file */
        } file_sd;
        struct {
            const char *url;     /* accepted by libcurl_url_fault */
            uint64_t timeout_ms; /* 0: the kind's own default */
        } http_sd;
        struct {
            struct address endpoint;
            uint64_t timeout_ms; /* 0: the kind's own default */
        } elasticache;
    };
};

/*
 * Makes a copy that owns its strings. Returns false when out of memory. Call discovery_config_deinit in any
 * case.
 */
bool discovery_config_copy(struct discovery_config *copy, const struct discovery_config *config);

/* Frees the strings of a copy. Only for copies. */
void discovery_config_deinit(struct discovery_config *copy);

/* Returns true if both have the same settings. */
bool discovery_config_equal(const struct discovery_config *a, const struct discovery_config *b);

/*
 * Appends what the source asks, for people: the name, the patterns joined by ',', the URL, or the endpoint.
 */
void discovery_config_describe(const struct discovery_config *config, struct buffer *out);

#endif
