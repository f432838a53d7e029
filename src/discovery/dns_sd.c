/*
 * The happy path: dns_sd_ask -> (net/dns) -> on_answer -> the owner's on_done. A name in /etc/hosts is
 * answered within the call.
 *
 * What can go wrong:
 * - The name servers fail, or resolv.conf changes during the question. Both are failures, and the question is
 *   soon asked again.
 * - A record does not name a valid host or port. The record is left out and counted.
 * - Memory runs out.
 *
 * If a domain says that it does not have the service (SRV "."), that is accepted at once. Closing cancels the
 * query and leaves nothing on the loop.
 */
#include "discovery/dns_sd.h"

#include "base/container.h"
#include "base/utf8.h"
#include "discovery/discovery.h"
#include "net/dns.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_REFRESH_MS 30000
#define ERROR_MAX          512

struct dns_sd {
    struct discoverer discoverer;
    struct dns *dns;                       /* borrowed */
    const struct discovery_config *config; /* borrowed */
    struct dns_query query;
};

static const char *const type_names[] = {
    [DNS_A] = "A", [DNS_AAAA] = "AAAA", [DNS_SRV] = "SRV", [DNS_ADDRESSES] = "A and AAAA"};

static void on_answer(struct dns_query *query, const struct dns_answer *answer);

static int dns_sd_ask(struct discoverer *discoverer)
{
    struct dns_sd *sd = container_of(discoverer, struct dns_sd, discoverer);
    dns_refresh(sd->dns);
    dns_ask(sd->dns, &sd->query, sd->config->dns.name, sd->config->dns.type, on_answer);
    return 0;
}

/* --- From records to targets --- */

/* Adds an address with the configured port. Returns NULL, or what is wrong. */
static const char *add_endpoint(const struct dns_sd *sd, struct results *found,
                                const union endpoint *endpoint)
{
    union endpoint complete = *endpoint;
    struct results_label label = {"__meta_dns_name", sd->config->dns.name};
    struct buffer address;
    buffer_init(&address, SIZE_MAX);
    endpoint_set_port(&complete, sd->config->dns.port);
    endpoint_format(&complete, &address);
    bool added = !address.failed && results_add(found, buffer_slice(&address), &label, 1);
    buffer_deinit(&address);
    return added ? NULL : "there are too many addresses, or no memory for them";
}

static const char *add_service(const struct dns_sd *sd, struct results *found,
                               const struct dns_service *service)
{
    char address[sizeof(service->host) + sizeof(":65535")], target[sizeof(service->host) + 1], port[8];
    struct address parsed;
    snprintf(address, sizeof(address), "%s:%u", service->host, (unsigned) service->port);
    snprintf(target, sizeof(target), "%s.", service->host);
    snprintf(port, sizeof(port), "%u", (unsigned) service->port);
    const char *expected = address_parse(&parsed, slice_of(address), 0);
    if (expected) {
        char fault[sizeof(address) + 128];
        struct buffer shown;
        buffer_init(&shown, sizeof(fault) - 1);
        utf8_append_escaped(&shown, slice_of(address));
        snprintf(fault, sizeof(fault), "\"%.*s\": expected %s", SLICE_ARG(buffer_slice(&shown)), expected);
        buffer_deinit(&shown);
        return results_drop(found, fault, 1) ? NULL : "no memory";
    }
    const struct results_label labels[] = {
        {"__meta_dns_name", sd->config->dns.name},
        {"__meta_dns_srv_record_port", port},
        {"__meta_dns_srv_record_target", target},
    };
    bool added = results_add(found, slice_of(address), labels, ARRAY_LEN(labels));
    return added ? NULL : "there are too many records, or no memory for them";
}

static const char *add_all(const struct dns_sd *sd, struct results *found, const struct dns_answer *answer)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < answer->count && !wrong; i++) {
        if (answer->services)
            wrong = add_service(sd, found, &answer->services[i]);
        else
            wrong = add_endpoint(sd, found, &answer->endpoints[i]);
    }
    return wrong;
}

/* Sorts the results, since name servers change the order of records from answer to answer. */
static void on_answer(struct dns_query *query, const struct dns_answer *answer)
{
    struct dns_sd *sd = container_of(query, struct dns_sd, query);
    char error[ERROR_MAX];
    struct results found;
    if (answer->partial) return;
    struct discovery_answer result = {.ttl_ms = answer->ttl_ms};
    results_init(&found);
    result.empty_counts = answer->no_service;
    const char *wrong = answer->aborted ? "the name servers were changed meanwhile" : answer->error;
    if (answer->count) wrong = add_all(sd, &found, answer);
    if (!wrong || answer->absent || answer->no_service) result.found = &found;
    if (wrong && !answer->no_service) {
        snprintf(error, sizeof(error), "%s %s: %s", type_names[sd->config->dns.type], sd->config->dns.name,
                 wrong);
        result.error = error;
    }
    results_sort(&found);
    sd->discoverer.on_done(&sd->discoverer, &result);
    results_deinit(&found);
}

/* --- Life --- */

static void dns_sd_close(struct discoverer *discoverer)
{
    struct dns_sd *sd = container_of(discoverer, struct dns_sd, discoverer);
    dns_cancel(&sd->query);
    discoverer->on_close(discoverer);
    free(sd);
}

static const struct discoverer_kind kind = {
    .name = "dns",
    .default_refresh_ms = DEFAULT_REFRESH_MS,
    .empty_is_failure = true,
    .ask = dns_sd_ask,
    .close = dns_sd_close,
};

int dns_sd_new(struct discoverer **discoverer, const struct discovery_services *services,
               const struct discovery_config *config, struct buffer *error)
{
    struct dns_sd *sd = calloc(1, sizeof(*sd));
    if (!sd) {
        buffer_append_string(error, uv_strerror(UV_ENOMEM));
        return UV_ENOMEM;
    }
    sd->discoverer.kind = &kind;
    sd->dns = services->dns;
    sd->config = config;
    *discoverer = &sd->discoverer;
    return 0;
}
