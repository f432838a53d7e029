/*
 * The happy path: elasticache_ask -> (the dialer) -> on_dialed -> send_command -> on_written -> on_read ...
 * -> end
 *
 * If the server does not know the first command, the second command is sent on the same connection.
 *
 * What can go wrong:
 * - The connection fails. The dialer gives the reason.
 * - The connection ends, or the reply is malformed. The error quotes the reply.
 * - There is no answer in time. on_deadline covers the whole question.
 * - The version is older than the last accepted one.
 *
 * Every question ends in `end`, which reports to the owner. Only closing ends a question without a report.
 */
#include "discovery/elasticache.h"

#include "base/container.h"
#include "discovery/cluster.h"
#include "discovery/discovery.h"
#include "net/dialer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_REFRESH_MS 60000
#define OLDER_REFRESHES    3

/* Size of the reply buffer: the longest configuration, its first line, and the end of the reply. */
#define REPLY_SIZE (CLUSTER_REPLY_MAX + 1024)

#define ERROR_MAX 1024

enum dialogue_phase { PHASE_IDLE, PHASE_DIALING, PHASE_TALKING };

struct elasticache {
    struct discoverer discoverer;
    uv_loop_t *loop;                       /* borrowed */
    const struct discovery_config *config; /* borrowed */
    uint64_t timeout_ms, refresh_ms;
    struct dial_plan dial;
    struct dial_record record;
    struct dialer *dialer; /* while dialing; otherwise NULL */
    struct stream *stream; /* while connected, owned; otherwise NULL */
    uv_timer_t deadline;

    /* The current question. */
    enum dialogue_phase phase;
    size_t command; /* index of the last command that was sent */
    char *reply;    /* owned */
    size_t reply_len;
    struct results found;
    char error[ERROR_MAX]; /* error of the question; "": none */

    /* Versions of earlier answers, to compare the next version with. */
    bool answered;
    uint64_t version;        /* version of the last accepted answer */
    bool is_older;           /* all answers since then had lower versions */
    uint64_t older_since_ms; /* time of the first of those answers */
};

static const struct slice commands[] = {
    SLICE("config get cluster\r\n"), SLICE("get AmazonElastiCache:cluster\r\n"), /* before 1.4.14 */
};

/* --- The end of a question --- */

/* Sets the error of the question. Puts the endpoint before `why`. */
static void fail_question(struct elasticache *elasticache, const char *why)
{
    struct buffer endpoint;
    buffer_init(&endpoint, ERROR_MAX);
    address_format(&elasticache->config->elasticache.endpoint, &endpoint);
    snprintf(elasticache->error, sizeof(elasticache->error), "%.*s: %s", SLICE_ARG(buffer_slice(&endpoint)),
             why);
    buffer_deinit(&endpoint);
}

static void tell(struct elasticache *elasticache)
{
    struct discovery_answer answer = {.found = &elasticache->found};
    uv_timer_stop(&elasticache->deadline);
    if (elasticache->error[0]) answer = (struct discovery_answer){.error = elasticache->error};
    elasticache->discoverer.on_done(&elasticache->discoverer, &answer);
}

/* Ends the current question without a report. Harmless if there is none. */
static void hang_up(struct elasticache *elasticache)
{
    if (elasticache->dialer) dialer_cancel(elasticache->dialer, true);
    elasticache->dialer = NULL;
    stream_dispose(elasticache->stream);
    elasticache->stream = NULL;
    elasticache->phase = PHASE_IDLE;
    free(elasticache->reply);
    elasticache->reply = NULL;
}

/* Ends the question and reports the result. */
static void end(struct elasticache *elasticache)
{
    hang_up(elasticache);
    tell(elasticache);
}

static void on_deadline(uv_timer_t *timer)
{
    struct elasticache *elasticache = container_of(timer, struct elasticache, deadline);
    static const char *const doings[] = {
        [DIALER_IDLE] = "while its reply was read",
        [DIALER_RESOLVING] = "while its name was looked up",
        [DIALER_QUEUED] = "while it waited for other connections",
        [DIALER_CONNECTING] = "while it was connected to",
        [DIALER_FULL] = "while its queue of connections was full",
    };
    char why[ERROR_MAX];
    snprintf(why, sizeof(why), "no answer within %" PRIu64 " ms, %s", elasticache->timeout_ms,
             doings[dialer_phase(elasticache->dialer)]);
    fail_question(elasticache, why);
    end(elasticache);
}

/* --- From a configuration to targets --- */

/* Returns true if the version is too old to be accepted; see elasticache.h. */
static bool is_refused(struct elasticache *elasticache, uint64_t version)
{
    uint64_t now_ms = uv_now(elasticache->loop);
    if (!elasticache->answered || version >= elasticache->version) return false;
    if (!elasticache->is_older) elasticache->older_since_ms = now_ms;
    elasticache->is_older = true;
    return now_ms - elasticache->older_since_ms < OLDER_REFRESHES * elasticache->refresh_ms;
}

/* Adds a node. cluster_read has checked its hosts. */
static bool add_node(struct results *found, const struct cluster_node *node, const char *version)
{
    struct address host, address;
    struct buffer text;
    struct results_label labels[] = {
        {"__meta_elasticache_version", version},
        {"__meta_elasticache_host", host.host},
    };
    address_parse(&host, node->host, node->port);
    address_parse(&address, node->ip.len ? node->ip : node->host, node->port);
    buffer_init(&text, SIZE_MAX);
    address_format(&address, &text);
    bool added = !text.failed && results_add(found, buffer_slice(&text), labels, node->host.len ? 2 : 1);
    buffer_deinit(&text);
    return added;
}

static void take_nodes(struct elasticache *elasticache, const struct cluster *cluster)
{
    struct slice nodes = cluster->nodes;
    struct cluster_node node;
    char version[24], why[ERROR_MAX];
    bool complete = true;
    if (is_refused(elasticache, cluster->version)) {
        snprintf(why, sizeof(why),
                 "expected version %" PRIu64 " of the configuration or a later one, found %" PRIu64,
                 elasticache->version, cluster->version);
        fail_question(elasticache, why);
        return;
    }
    snprintf(version, sizeof(version), "%" PRIu64, cluster->version);
    while (complete && cluster_next(&nodes, &node)) complete = add_node(&elasticache->found, &node, version);
    if (!complete) {
        fail_question(elasticache, uv_strerror(UV_ENOMEM));
        return;
    }
    results_sort(&elasticache->found);
    elasticache->answered = true;
    elasticache->is_older = false;
    elasticache->version = cluster->version;
}

/* --- The session --- */

static void give_up(struct elasticache *elasticache, const char *why)
{
    fail_question(elasticache, why);
    end(elasticache);
}

static void on_written(struct stream *stream, int status);

static void send_command(struct elasticache *elasticache, size_t command)
{
    struct slice text = commands[command];
    uv_buf_t bytes = uv_buf_init((char *) (uintptr_t) text.data, (unsigned) text.len);
    elasticache->command = command;
    elasticache->reply_len = 0;
    int status = stream_write(elasticache->stream, &bytes, 1, on_written);
    if (status < 0) give_up(elasticache, uv_strerror(status));
}

static uv_buf_t on_lend(struct stream *stream);
static void on_read(struct stream *stream, ssize_t n);

static void on_written(struct stream *stream, int status)
{
    struct elasticache *elasticache = stream->context;
    if (status == 0) status = stream_read(stream, on_lend, on_read);
    if (status < 0) give_up(elasticache, uv_strerror(status));
}

static uv_buf_t on_lend(struct stream *stream)
{
    struct elasticache *elasticache = stream->context;
    return uv_buf_init(elasticache->reply + elasticache->reply_len,
                       (unsigned) (REPLY_SIZE - elasticache->reply_len));
}

/* Sends the next command, since the server does not know this one. Gives up after the last command. */
static void try_next_command(struct elasticache *elasticache)
{
    if (elasticache->command + 1 == ARRAY_LEN(commands)) {
        give_up(elasticache,
                "expected a configuration endpoint, found a server without \"config get cluster\"");
        return;
    }
    stream_read_stop(elasticache->stream);
    send_command(elasticache, elasticache->command + 1);
}

/* Parses all bytes received so far again. This is cheap, since the first line has the length of the reply. */
static void read_reply(struct elasticache *elasticache)
{
    struct cluster cluster;
    struct buffer why;
    buffer_init(&why, ERROR_MAX);
    switch (cluster_read(&cluster, (struct slice){elasticache->reply, elasticache->reply_len}, &why)) {
    case CLUSTER_WHOLE:
        take_nodes(elasticache, &cluster);
        end(elasticache);
        break;
    case CLUSTER_PART:
        if (elasticache->reply_len == REPLY_SIZE) give_up(elasticache, "expected a reply of at most 64 KiB");
        break;
    case CLUSTER_UNKNOWN:
        try_next_command(elasticache);
        break;
    case CLUSTER_BAD:
        buffer_append_char(&why, '\0');
        give_up(elasticache, why.failed ? uv_strerror(UV_ENOMEM) : why.data);
        break;
    }
    buffer_deinit(&why);
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct elasticache *elasticache = stream->context;
    if (n == UV_EOF) {
        give_up(elasticache, elasticache->reply_len ? "the connection ended within the reply"
                                                    : "the connection ended without a reply");
    } else if (n < 0) {
        give_up(elasticache, uv_strerror((int) n));
    } else {
        elasticache->reply_len += (size_t) n;
        read_reply(elasticache);
    }
}

/* --- The question --- */

static void on_dialed(void *context, struct stream *stream, int status, const char *why)
{
    struct elasticache *elasticache = context;
    elasticache->phase = PHASE_TALKING;
    elasticache->dialer = NULL;
    if (status < 0) {
        give_up(elasticache, why);
        return;
    }
    elasticache->stream = stream;
    stream->context = elasticache;
    send_command(elasticache, 0);
}

static int elasticache_ask(struct discoverer *discoverer)
{
    struct elasticache *elasticache = container_of(discoverer, struct elasticache, discoverer);
    results_deinit(&elasticache->found);
    elasticache->error[0] = '\0';
    elasticache->reply = malloc(REPLY_SIZE);
    if (!elasticache->reply) return UV_ENOMEM;
    elasticache->phase = PHASE_DIALING;
    int status = dialer_start(&elasticache->dialer, &elasticache->dial, on_dialed, elasticache);
    if (status < 0) {
        hang_up(elasticache);
        return status;
    }
    uv_timer_start(&elasticache->deadline, on_deadline, elasticache->timeout_ms, 0);
    return 0;
}

/* --- Life --- */

static void on_deadline_closed(uv_handle_t *handle)
{
    struct elasticache *elasticache = container_of((uv_timer_t *) handle, struct elasticache, deadline);
    elasticache->discoverer.on_close(&elasticache->discoverer);
    results_deinit(&elasticache->found);
    free(elasticache);
}

static void elasticache_close(struct discoverer *discoverer)
{
    struct elasticache *elasticache = container_of(discoverer, struct elasticache, discoverer);
    hang_up(elasticache);
    uv_close((uv_handle_t *) &elasticache->deadline, on_deadline_closed);
}

static const struct discoverer_kind kind = {
    .name = "elasticache",
    .default_refresh_ms = DEFAULT_REFRESH_MS,
    .empty_is_failure = true,
    .ask = elasticache_ask,
    .close = elasticache_close,
};

int elasticache_new(struct discoverer **discoverer, const struct discovery_services *services,
                    const struct discovery_config *config, struct buffer *error)
{
    struct elasticache *elasticache = calloc(1, sizeof(*elasticache));
    if (!elasticache) {
        buffer_append_string(error, uv_strerror(UV_ENOMEM));
        return UV_ENOMEM;
    }
    elasticache->discoverer.kind = &kind;
    elasticache->loop = services->loop;
    elasticache->config = config;
    elasticache->timeout_ms = config->elasticache.timeout_ms;
    if (elasticache->timeout_ms == 0) elasticache->timeout_ms = ELASTICACHE_TIMEOUT_MS;
    elasticache->refresh_ms = config->refresh_ms ? config->refresh_ms : DEFAULT_REFRESH_MS;
    elasticache->dial = (struct dial_plan){
        .loop = services->loop,
        .resolver = services->resolver,
        .limiter = services->limiter,
        .address = &config->elasticache.endpoint,
        .record = &elasticache->record,
        .time_ms = elasticache->timeout_ms,
    };
    uv_timer_init(services->loop, &elasticache->deadline);
    *discoverer = &elasticache->discoverer;
    return 0;
}
