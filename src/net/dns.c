/*
 * The happy path of a name that is not in /etc/hosts:
 *
 *     dns_ask -> go_on -> ask_candidate -> (dns_channel: A and AAAA) -> on_message, on_message ->
 *     finish_request -> the asker's on_answer
 *
 * A name in /etc/hosts is answered within dns_ask. If no server knows a candidate of the search list, go_on
 * asks for the next candidate.
 *
 * What can go wrong: one family is answered and the other is not (on_patience_over reports a partial answer,
 * and the request continues). The servers refuse, do not answer, or send a malformed message (the answer
 * reports this). resolv.conf changes (the channel aborts its queries). The channel cannot cancel a query, so
 * a request outlives a cancelled dns_query.
 */
#include "net/dns.h"

#include "base/buffer.h"
#include "base/container.h"
#include "base/read_file.h"
#include "net/address_order.h"
#include "net/delay_queue.h"
#include "net/dns_channel.h"
#include "net/dns_message.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TTL_MAX_MS     (3600 * 1000)
#define TTL_HOSTS_MS   10000
#define TTL_FAILURE_MS 1000

/* The resolution delay of RFC 8305. */
#define PATIENCE_MS 50

#define HOSTS_MAX     64          /* addresses per family of a name in /etc/hosts */
#define CONF_SIZE_MAX (64 * 1024) /* most bytes of resolv.conf */

/* State of one query: the records found so far, and the sources not yet asked. */
struct dns_request {
    struct dns *dns;
    struct dns_query *query; /* NULL if cancelled */
    enum dns_type type;
    const char *sources; /* sources not yet asked, see dns_channel_sources */
    size_t step;         /* index of the next candidate of the search list */
    unsigned awaited;    /* number of messages still expected */
    enum dns_outcome outcome;
    bool no_service;
    union endpoint *endpoints; /* endpoints and services are owned */
    struct dns_service *services;
    size_t count;
    uint64_t ttl_ms;
    struct delay_ticket patience;
    char name[];
};

/* Identifies a version of a file. */
struct version {
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct dns {
    char *path; /* owned: resolv.conf to watch; NULL if a list of servers was given */
    struct version version;
    struct resolv_conf conf;
    struct dns_channel *channel; /* owned; opened by the first query */
    struct delay_queue patience; /* requests that wait for the other family */
    struct closing parts;        /* the channel and the queue */
    dns_close_fn on_close;
    void *close_context;
};

static void go_on(struct dns_request *request);

/* --- Answers --- */

static const char *describe(enum dns_outcome outcome, enum dns_type type)
{
    switch (outcome) {
    case DNS_NOT_FOUND:
        return "name not found";
    case DNS_NO_SERVER:
        return "no name server could answer";
    case DNS_MALFORMED:
        return "the name server's answer is malformed";
    case DNS_NO_MEMORY:
        return "out of memory";
    case DNS_SILENT:
        return "the name servers do not answer";
    case DNS_ABORTED:
        return "the name servers were changed meanwhile";
    case DNS_FOUND:
    case DNS_NO_RECORDS:
        break;
    }
    return type == DNS_SRV ? "the name has no SRV record" : "the name has no address";
}

/* Passes the records, or the reason why there are none, to the asker. */
static void tell_asker(struct dns_request *request, bool partial)
{
    struct dns_query *query = request->query;
    struct dns_answer answer = {
        .endpoints = request->endpoints,
        .services = request->services,
        .count = request->count,
        .partial = partial,
        .incomplete = partial || request->outcome > DNS_NO_RECORDS,
        .ttl_ms = request->ttl_ms,
    };
    if (!query) return;
    if (request->type == DNS_ADDRESSES) address_order(request->endpoints, request->count);
    if (request->count == 0) {
        answer.endpoints = NULL;
        answer.services = NULL;
        answer.ttl_ms = TTL_FAILURE_MS;
        answer.error = request->no_service ? "the domain says that it does not have the service"
                                           : describe(request->outcome, request->type);
        answer.absent = request->outcome <= DNS_NO_RECORDS;
        answer.no_service = request->no_service;
        answer.aborted = request->outcome == DNS_ABORTED;
    }
    if (!partial) query->request = NULL;
    query->on_answer(query, &answer);
}

static void request_free(struct dns_request *request)
{
    free(request->endpoints);
    free(request->services);
    free(request);
}

static void finish_request(struct dns_request *request)
{
    delay_ticket_cancel(&request->patience);
    tell_asker(request, false);
    request_free(request);
}

static struct dns_request *request_of(struct delay_ticket *ticket)
{
    return container_of(ticket, struct dns_request, patience);
}

static void on_patience_over(struct delay_ticket *ticket)
{
    tell_asker(request_of(ticket), true);
}

/* --- /etc/hosts --- */

/* Appends addresses to the request. Returns false when out of memory. */
static bool add_endpoints(struct dns_request *request, const union endpoint *endpoints, size_t count)
{
    if (count == 0) return true;
    union endpoint *all = realloc(request->endpoints, (request->count + count) * sizeof(*all));
    if (!all) return false;
    memcpy(all + request->count, endpoints, count * sizeof(*all));
    request->endpoints = all;
    request->count += count;
    return true;
}

/* Adds the addresses of the name in /etc/hosts. Returns true if there is at least one. */
static bool look_into_hosts(struct dns_request *request)
{
    static const int families[] = {AF_INET, AF_INET6};
    union endpoint endpoints[HOSTS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (request->type == (families[i] == AF_INET ? DNS_AAAA : DNS_A) || request->type == DNS_SRV)
            continue;
        size_t count =
            dns_channel_hosts(request->dns->channel, request->name, families[i], endpoints, HOSTS_MAX);
        if (!add_endpoints(request, endpoints, count)) request->outcome = DNS_NO_MEMORY;
    }
    request->ttl_ms = TTL_HOSTS_MS;
    return request->count > 0;
}

/* --- The name servers --- */

static void add_records(struct dns_request *request, struct dns_records *records)
{
    uint64_t ttl_ms = (uint64_t) records->ttl * 1000;
    if (ttl_ms < request->ttl_ms) request->ttl_ms = ttl_ms;
    request->no_service = records->no_service && records->count == 0;
    if (records->services) {
        free(request->services);
        request->services = records->services;
        request->count = records->count;
        return;
    }
    if (!add_endpoints(request, records->endpoints, records->count)) request->outcome = DNS_NO_MEMORY;
    free(records->endpoints);
}

/*
 * Adds the records of a message. Keeps the worst outcome, so that a name counts as absent only if all answers
 * say so.
 */
static void take_message(struct dns_request *request, enum dns_type type, enum dns_outcome outcome,
                         const uint8_t *message, size_t len)
{
    struct dns_records records;
    if (outcome == DNS_FOUND) {
        int status = dns_message_read(message, len, type, &records);
        if (status == 0) {
            outcome = records.count ? DNS_FOUND : DNS_NO_RECORDS;
            add_records(request, &records);
        } else {
            outcome = status == UV_ENOMEM ? DNS_NO_MEMORY : DNS_MALFORMED;
        }
    }
    if (outcome > request->outcome) request->outcome = outcome;
    if (--request->awaited > 0) {
        if (request->count) delay_queue_add(&request->dns->patience, &request->patience);
    } else if (request->count || request->no_service || request->outcome >= DNS_SILENT) {
        finish_request(request);
    } else {
        go_on(request);
    }
}

static void on_a(void *context, enum dns_outcome outcome, const uint8_t *message, size_t len)
{
    take_message(context, DNS_A, outcome, message, len);
}

static void on_aaaa(void *context, enum dns_outcome outcome, const uint8_t *message, size_t len)
{
    take_message(context, DNS_AAAA, outcome, message, len);
}

static void on_srv(void *context, enum dns_outcome outcome, const uint8_t *message, size_t len)
{
    take_message(context, DNS_SRV, outcome, message, len);
}

/*
 * Asks the name servers for the next candidate of the search list. Returns false if there is none. May free
 * the request.
 */
static bool ask_candidate(struct dns_request *request)
{
    struct dns_channel *channel = request->dns->channel;
    enum dns_type type = request->type;
    char name[ADDRESS_HOST_MAX + 1];
    do {
        if (!resolv_conf_candidate(&request->dns->conf, request->name, request->step++, name)) return false;
    } while (!name[0]);
    request->awaited = type == DNS_ADDRESSES ? 2 : 1;
    request->ttl_ms = TTL_MAX_MS;
    if (type == DNS_SRV) dns_channel_ask(channel, name, ns_t_srv, on_srv, request);
    if (type == DNS_ADDRESSES || type == DNS_A) dns_channel_ask(channel, name, ns_t_a, on_a, request);
    if (type == DNS_ADDRESSES || type == DNS_AAAA)
        dns_channel_ask(channel, name, ns_t_aaaa, on_aaaa, request);
    return true;
}

/*
 * Asks the next source. If a message arrives inside dns_channel_ask, take_message continues the request. May
 * free the request.
 */
static void go_on(struct dns_request *request)
{
    for (; *request->sources; request->sources++) {
        if (*request->sources == 'b' && ask_candidate(request)) return;
        if (*request->sources == 'f' && look_into_hosts(request)) break;
    }
    finish_request(request);
}

void dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type,
             dns_answer_fn on_answer)
{
    bool open = dns_channel_open(dns->channel) == 0;
    struct dns_request *request = open ? calloc(1, sizeof(*request) + strlen(name) + 1) : NULL;
    *query = (struct dns_query){request, on_answer};
    if (!request) {
        on_answer(query,
                  &(struct dns_answer){.error = describe(DNS_NO_MEMORY, type), .ttl_ms = TTL_FAILURE_MS});
        return;
    }
    request->dns = dns;
    request->query = query;
    request->type = type;
    request->sources = dns_channel_sources(dns->channel);
    request->outcome = DNS_NOT_FOUND;
    delay_ticket_init(&request->patience);
    memcpy(request->name, name, strlen(name) + 1);
    go_on(request);
}

void dns_cancel(struct dns_query *query)
{
    if (query->request) query->request->query = NULL;
    query->request = NULL;
}

/* --- resolv.conf --- */

/* Returns the version of a file. All zero if the file does not exist or `path` is NULL. */
static struct version version_of(const char *path)
{
    struct stat status;
    if (!path || stat(path, &status) < 0) return (struct version){0};
    return (struct version){status.st_ino, status.st_size, status.st_mtim};
}

static bool same_version(const struct version *a, const struct version *b)
{
    return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

/* Reads resolv.conf. As in libc, an unreadable file counts as empty. */
static void read_conf(const char *path, struct resolv_conf *conf)
{
    char host[256] = "";
    struct buffer text, error;
    buffer_init(&text, CONF_SIZE_MAX + 1);
    buffer_init(&error, 1024);
    if (read_file(path, CONF_SIZE_MAX, &text, &error) < 0) buffer_clear(&text);
    gethostname(host, sizeof(host) - 1);
    resolv_conf_read(conf, buffer_slice(&text),
                     &(struct resolv_conf_surroundings){getenv("LOCALDOMAIN"), getenv("RES_OPTIONS"), host});
    buffer_deinit(&text);
    buffer_deinit(&error);
}

/*
 * If there is no memory for the new name servers, the old ones stay in use, and the next call tries again.
 */
void dns_refresh(struct dns *dns)
{
    struct version version = version_of(dns->path);
    struct resolv_conf conf;
    if (same_version(&version, &dns->version)) return;
    read_conf(dns->path, &conf);
    if (dns_channel_configure(dns->channel, &conf) < 0) return;
    dns->version = version;
    dns->conf = conf;
}

/* --- Life --- */

int dns_new(struct dns **result, uv_loop_t *loop, const char *servers)
{
    bool is_list = servers && servers[0] != '/';
    struct dns *dns = calloc(1, sizeof(*dns));
    int status = UV_ENOMEM;
    if (!dns) return status;
    if (is_list) {
        resolv_conf_init(&dns->conf);
    } else {
        dns->path = strdup(servers ? servers : "/etc/resolv.conf");
        if (!dns->path) goto failed;
        dns->version = version_of(dns->path);
        read_conf(dns->path, &dns->conf);
    }
    status = dns_channel_new(&dns->channel, loop, &dns->conf, is_list ? servers : NULL);
    if (status < 0) goto failed;
    delay_queue_init(&dns->patience, loop, PATIENCE_MS, on_patience_over);
    closing_count(&dns->parts);
    closing_count(&dns->parts);
    *result = dns;
    return 0;

failed:
    free(dns->path);
    free(dns);
    return status;
}

static void on_closed(void *context)
{
    struct dns *dns = context;
    dns_close_fn on_close = dns->on_close;
    void *close_context = dns->close_context;
    free(dns->path);
    free(dns);
    on_close(close_context);
}

void dns_close(struct dns *dns, dns_close_fn on_close, void *context)
{
    dns->on_close = on_close;
    dns->close_context = context;
    dns_channel_close(dns->channel, &dns->parts);
    delay_queue_close(&dns->patience, &dns->parts);
    closing_begin(&dns->parts, on_closed, dns);
}
