/* Queries: what each parameter asks for, and every refusal with its status and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "gather/expose.h"
#include "http/request.h"
#include "manager_world.h"
#include "web/parameters.h"

#include <sys/mman.h>
#include <unistd.h>

struct fixture {
    struct manager_world manager;
    struct handlers handlers;
    bool takes_targets;
    struct scrape_request *scrape;
    struct query_refusal refusal;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture) return -1;
    manager_world_open(&fixture->manager,
                       (const char *const[]){"--no-collector.settings", "--scrape.max-targets=3",
                                             "--memcached.timeout=2s", NULL});
    fixture->handlers = (struct handlers){
        .manager = fixture->manager.manager,
        .fleet = fixture->manager.fleet.fleet,
        .telemetry = &fixture->manager.fleet.telemetry,
    };
    fixture->takes_targets = true;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    manager_world_close(&fixture->manager);
    free(fixture);
    return 0;
}

static bool read_request(struct fixture *fixture, const struct request *request)
{
    fixture->scrape = scrape_request_new();
    assert_non_null(fixture->scrape);
    fixture->refusal = (struct query_refusal){0};
    return parameters_read(fixture->scrape, &fixture->handlers, request, fixture->takes_targets,
                           &fixture->refusal);
}

/* Reads a request that must be taken; the caller clears it. */
static const struct scrape_request *take_request(struct fixture *fixture, const struct request *request)
{
    const struct query_refusal *refusal = &fixture->refusal;
    if (!read_request(fixture, request)) {
        fail_msg("%.*s: %d %s \"%.*s\": %s", SLICE_ARG(request->query), refusal->status, refusal->what,
                 SLICE_ARG(refusal->subject), refusal->why);
    }
    return fixture->scrape;
}

static const struct scrape_request *take(struct fixture *fixture, const char *query)
{
    struct request request = {.query = slice_of(query)};
    return take_request(fixture, &request);
}

static void clear(struct fixture *fixture)
{
    scrape_request_release(fixture->scrape);
}

/* Reads a query that must be refused so; without a subject, that is NULL. */
static void refuse(struct fixture *fixture, const char *query, int status, const char *what,
                   const char *subject, const char *why)
{
    const struct query_refusal *refusal = &fixture->refusal;
    struct request request = {.query = slice_of(query)};
    if (read_request(fixture, &request)) fail_msg("%s is taken", query);
    if (refusal->status != status) fail_msg("%s: %d", query, refusal->status);
    assert_string_equal(refusal->what, what);
    assert_string_equal(refusal->why, why);
    if (subject && !slice_is(refusal->subject, subject))
        fail_msg("%s: \"%.*s\"", query, SLICE_ARG(refusal->subject));
    assert_int_equal(subject != NULL, refusal->subject.data != NULL);
    clear(fixture);
}

/* --- Targets --- */

static void expect_targets(struct fixture *fixture, const char *query, const char *const *names)
{
    const struct target_list *targets = &take(fixture, query)->url_targets;
    for (size_t n = 0; names[n] || n < targets->count; n++) {
        if (n >= targets->count || !names[n]) fail_msg("%s: %zu targets", query, targets->count);
        assert_string_equal(targets->items[n]->name, names[n]);
    }
    clear(fixture);
}

#define EXPECT_TARGETS(fixture, query, ...)                                                                  \
    expect_targets(fixture, query, (const char *const[]){__VA_ARGS__, NULL})

static void test_targets(void **state)
{
    EXPECT_TARGETS(*state, "target=a:1", "a:1");
    EXPECT_TARGETS(*state, "target=a:1&target=b&target=%5B::1%5D:7", "a:1", "b", "[::1]:7");
    EXPECT_TARGETS(*state, "&&target=a:1&", "a:1");
    EXPECT_TARGETS(*state, "target=%61%3a1", "a:1");
    EXPECT_TARGETS(*state, "%74arget=a", "a");
    EXPECT_TARGETS(*state, "target=&target=a", "a");
    EXPECT_TARGETS(*state, "nobody=knows&target=a&this", "a");
    EXPECT_TARGETS(*state, "TARGET=b&target=a", "a");
}

/* Named twice, it is scraped once; the same server by another name is another target. */
static void test_targets_named_twice(void **state)
{
    EXPECT_TARGETS(*state, "target=a:1&target=b:1&target=a:1", "a:1", "b:1");
    EXPECT_TARGETS(*state, "target=a&target=a:11211", "a", "a:11211");
}

/* A target carries its name as it was written, and without a port has memcached's. */
static void test_labels_and_ports_of_targets(void **state)
{
    struct fixture *fixture = *state;
    struct options *options = &manager_generation(fixture->manager.manager)->settings.options;
    char other[] = "server";
    const char *label = options->target_label;
    options->target_label = other;
    const struct target_list *targets = &take(fixture, "target=a&target=b:5")->url_targets;
    assert_string_equal(targets->items[0]->labels, "server=\"a\"");
    assert_string_equal(targets->items[0]->client->key.name, "a:11211");
    assert_string_equal(targets->items[1]->labels, "server=\"b:5\"");
    assert_string_equal(targets->items[1]->client->key.name, "b:5");
    clear(fixture);
    options->target_label = label;
}

static void test_without_target(void **state)
{
    struct fixture *fixture = *state;
    static const char *const queries[] = {
        "",          "&",      "target", "target=", "target=&target=", "name[]=x", "collect[]=items",
        "fail=true", "module="};
    for (size_t n = 0; n < ARRAY_LEN(queries); n++)
        refuse(fixture, queries[n], 400, "'target' parameter must be specified", NULL, "");
}

/* Where the targets are configured, none has to be named, and none is looked at. */
static void test_path_without_targets(void **state)
{
    struct fixture *fixture = *state;
    static const char *const queries[] = {
        "", "target=", "target=a", "target=a:b:c", "target=/run/x", "target=a&target=b&target=c&target=d"};
    fixture->takes_targets = false;
    for (size_t n = 0; n < ARRAY_LEN(queries); n++) {
        assert_int_equal(take(fixture, queries[n])->url_targets.count, 0);
        clear(fixture);
    }
    refuse(fixture, "target=%", 400, "malformed query", NULL,
           "expected '%' to be followed by two hexadecimal digits other than 00");
    refuse(fixture, "collect[]=x", 400, "unknown collector", "x", "");
}

static void test_malformed_targets(void **state)
{
    static const char *const names[] = {"a:b", "a:0", "a:65536", ":x", "[::1", "a b", "a\nb"};
    static const char *const queries[] = {"a:b", "a:0", "a:65536", ":x", "[::1", "a+b", "a%0ab"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        struct address address;
        char query[64], why[256];
        const char *expected = address_parse(&address, slice_of(names[n]), MEMCACHED_PORT);
        assert_non_null(expected);
        snprintf(query, sizeof(query), "target=good&target=%s", queries[n]);
        snprintf(why, sizeof(why), "expected %s", expected);
        refuse(*state, query, 400, "target", names[n], why);
    }
}

static void test_too_many_targets(void **state)
{
    EXPECT_TARGETS(*state, "target=a&target=b&target=c", "a", "b", "c");
    EXPECT_TARGETS(*state, "target=a&target=b&target=c&target=b", "a", "b", "c");
    refuse(*state, "target=a&target=b&target=c&target=d", 400, "target", "d",
           "too many targets, see --scrape.max-targets");
}

/* A unix socket may be anything on this machine: only those that are configured, however they are written. */
static void test_unix_sockets(void **state)
{
    struct fixture *fixture = *state;
    static const char why[] =
        "a unix socket may be scraped by URL only if it is configured or scrape_policy allows its path";
    refuse(fixture, "target=/run/m.sock", 403, "target", "/run/m.sock", why);
    refuse(fixture, "target=unix:/run/m.sock", 403, "target", "unix:/run/m.sock", why);
    world_add(&fixture->manager.fleet, "127.0.0.1:2");
    world_add(&fixture->manager.fleet, "unix:/run/m.sock");
    EXPECT_TARGETS(fixture, "target=/run/m.sock", "/run/m.sock");
    EXPECT_TARGETS(fixture, "target=unix:%2Frun/m.sock", "unix:/run/m.sock");
    refuse(fixture, "target=/run/m.sock&target=/run/m.sock2", 403, "target", "/run/m.sock2", why);
    refuse(fixture, "target=/run/../run/m.sock", 403, "target", "/run/../run/m.sock", why);
}

/* Puts a policy of one rule each in force, or NULL. */
static void set_policy(struct fixture *fixture, const char *allow, const char *deny)
{
    char text[256];
    snprintf(text, sizeof(text), "scrape_policy: {allow: [%s%s%s], deny: [%s%s%s]}", allow ? "'" : "",
             allow ? allow : "", allow ? "'" : "", deny ? "'" : "", deny ? deny : "", deny ? "'" : "");
    manager_world_set(&fixture->manager, text);
}

static void test_policy(void **state)
{
    struct fixture *fixture = *state;
    set_policy(fixture, "private", "10.9.0.0/16");
    EXPECT_TARGETS(fixture, "target=10.0.0.1&target=%5B::1%5D", "10.0.0.1", "[::1]");
    refuse(fixture, "target=8.8.8.8", 403, "target", "8.8.8.8",
           "no rule of scrape_policy allows 8.8.8.8:11211");
    refuse(fixture, "target=10.0.0.1&target=10.9.0.1:80", 403, "target", "10.9.0.1:80",
           "scrape_policy denies 10.9.0.0/16, and this is 10.9.0.1:80");
    refuse(fixture, "target=169.254.169.254:80", 403, "target", "169.254.169.254:80",
           "unless scrape_policy allows just that, a metadata address of a cloud may not be scraped by URL: "
           "169.254.169.254:80");
    /* What a name is resolved to will tell. */
    EXPECT_TARGETS(fixture, "target=cache-1", "cache-1");
    set_policy(fixture, "unix:/run/*", NULL);
    EXPECT_TARGETS(fixture, "target=/run/m.sock", "/run/m.sock");
    refuse(fixture, "target=cache-1", 403, "target", "cache-1",
           "no rule of scrape_policy allows cache-1:11211");
}

/* A server that is configured may be named, however it is written, as long as it is configured. */
static void test_policy_leaves_configured_servers_alone(void **state)
{
    struct fixture *fixture = *state;
    set_policy(fixture, "private", "any");
    world_add(&fixture->manager.fleet, "8.8.8.8");
    world_add(&fixture->manager.fleet, "Cache-1:11211");
    world_add(&fixture->manager.fleet, "/run/m.sock");
    EXPECT_TARGETS(fixture, "target=8.8.8.8:11211&target=cache-1", "8.8.8.8:11211", "cache-1");
    EXPECT_TARGETS(fixture, "target=unix:/run/m.sock", "unix:/run/m.sock");
    refuse(fixture, "target=8.8.8.8:80", 403, "target", "8.8.8.8:80",
           "scrape_policy denies any, and this is 8.8.8.8:80");
    /* Someone who was let in does not let others in. */
    assert_int_equal(take(fixture, "target=8.8.8.8")->url_targets.count, 1);
    struct scrape_request *holding = fixture->scrape;
    target_list_clear(&fixture->manager.fleet.targets);
    refuse(fixture, "target=8.8.8.8", 403, "target", "8.8.8.8",
           "scrape_policy denies any, and this is 8.8.8.8:11211");
    scrape_request_release(holding);
}

/* --- Shards --- */

static void test_shard(void **state)
{
    struct fixture *fixture = *state;
    static const char expected[] =
        "expected a shard I/N such as 0/4, with N from 1 to 4096 and I below N; I may "
        "be a pod's name that ends in -I";
    refuse(fixture, "target=a&shard=0/2", 400, "shard", "0/2",
           "only configured targets are divided into shards");
    fixture->takes_targets = false;
    const struct scrape_request *scrape = take(fixture, "shard=1/3");
    assert_int_equal(scrape->shard.index, 1);
    assert_int_equal(scrape->shard.count, 3);
    clear(fixture);
    assert_int_equal(take(fixture, "")->shard.count, 0);
    clear(fixture);
    refuse(fixture, "shard=3/3", 400, "shard", "3/3", expected);
    refuse(fixture, "shard=", 400, "shard", "", expected);
}

/* --- Commands --- */

static void expect_commands(struct fixture *fixture, const char *query, unsigned commands)
{
    assert_int_equal(take(fixture, query)->commands, commands);
    clear(fixture);
}

/* `stats` is asked in any case: what is up is judged by it. */
static void test_collectors(void **state)
{
    struct fixture *fixture = *state;
    unsigned stats = COMMAND_BIT(COMMAND_STATS), items = COMMAND_BIT(COMMAND_ITEMS);
    unsigned slabs = COMMAND_BIT(COMMAND_SLABS), all = stats | items | slabs | SLAB_SUMMARY;
    expect_commands(fixture, "target=a", all);
    expect_commands(fixture, "target=a&collect[]=items", stats | items);
    expect_commands(fixture, "collect%5B%5D=items&target=a", stats | items);
    expect_commands(fixture, "target=a&collect[]=stats", stats);
    expect_commands(fixture, "target=a&collect[]=items&collect[]=slabs&collect[]=items", all);
    expect_commands(fixture, "target=a&collect=items", all);
    expect_commands(fixture, "target=a&collect[]=slab-summary", all | WITHOUT_CLASSES(items | slabs));
    expect_commands(fixture, "target=a&collect[]=slab-summary&collect[]=items", all | WITHOUT_CLASSES(slabs));
    fixture->takes_targets = false;
    expect_commands(fixture, "", all);
    expect_commands(fixture, "collect[]=slabs", stats | slabs);
}

/* Those of the exporter itself; `stats` alone is asked beside them. */
static void test_own_collectors(void **state)
{
    struct fixture *fixture = *state;
    unsigned stats = COMMAND_BIT(COMMAND_STATS);
    char query[128];
    fixture->takes_targets = false;
    const struct scrape_request *scrape = take(fixture, "");
    assert_int_equal(scrape->own_collectors, own_collectors(&fixture->manager.options));
    clear(fixture);
    scrape = take(fixture, "collect[]=items");
    assert_int_equal(scrape->own_collectors, 0);
    clear(fixture);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        snprintf(query, sizeof(query), "collect[]=%s", own_collector(own)->name);
        scrape = take(fixture, query);
        assert_int_equal(scrape->own_collectors, OWN_BIT(own));
        assert_int_equal(scrape->commands, stats);
        clear(fixture);
    }
    scrape = take(fixture, "collect[]=build&collect[]=items&collect[]=process");
    assert_int_equal(scrape->own_collectors, OWN_BIT(OWN_BUILD) | OWN_BIT(OWN_PROCESS));
    assert_int_equal(scrape->commands, stats | COMMAND_BIT(COMMAND_ITEMS));
    clear(fixture);
}

static void test_refused_collectors(void **state)
{
    static const char why[] = "it is not enabled, see --collector.*";
    refuse(*state, "target=a&collect[]=settings", 400, "collector", "settings", why);
    refuse(*state, "target=a&collect[]=items&collect[]=sizes", 400, "collector", "sizes", why);
    refuse(*state, "target=a&collect[]=bogus", 400, "unknown collector", "bogus", "");
    refuse(*state, "target=a&collect[]=", 400, "unknown collector", "", "");
    refuse(*state, "target=a&collect[]=Items", 400, "unknown collector", "Items", "");
    refuse(*state, "target=a&collect[]=items%20", 400, "unknown collector", "items ", "");
    refuse(*state, "target=a&collect[]=reset", 400, "unknown collector", "reset", "");
}

/* --- The rest --- */

static void test_names(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(take(fixture, "target=a")->names.len, 0);
    clear(fixture);
    struct slice names = buffer_slice(&take(fixture, "name[]=memcached_up&target=a&name%5b%5D=x%5fy")->names);
    assert_int_equal(names.len, sizeof("memcached_up") + sizeof("x_y"));
    assert_memory_equal(names.data, "memcached_up\0x_y", names.len);
    clear(fixture);
}

static void test_fail(void **state)
{
    struct fixture *fixture = *state;
    static const char why[] = "expected true or false";
    assert_false(take(fixture, "target=a")->fail);
    clear(fixture);
    assert_true(take(fixture, "target=a&fail=true")->fail);
    clear(fixture);
    assert_false(take(fixture, "target=a&fail=false")->fail);
    clear(fixture);
    assert_false(take(fixture, "fail=true&target=a&fail=false")->fail);
    clear(fixture);
    refuse(fixture, "target=a&fail=1", 400, "fail", "1", why);
    refuse(fixture, "target=a&fail=", 400, "fail", "", why);
    refuse(fixture, "target=a&fail", 400, "fail", "", why);
    refuse(fixture, "target=a&fail=TRUE", 400, "fail", "TRUE", why);
}

static void test_modules(void **state)
{
    EXPECT_TARGETS(*state, "target=a&module=", "a");
    EXPECT_TARGETS(*state, "target=a&module", "a");
    EXPECT_TARGETS(*state, "target=a&module=default", "a");
    refuse(*state, "target=a&module=tls", 400, "unknown module", "tls", "");
}

/* What may be asked, and for how long, is the module's, wherever it stands in the query. */
static void test_modules_of_a_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned stats = COMMAND_BIT(COMMAND_STATS), sizes = COMMAND_BIT(COMMAND_SIZES);
    manager_world_set(&fixture->manager, "modules: {m: {timeout: 100ms, collectors: [sizes]}}");
    const struct scrape_request *scrape = take(fixture, "module=m&target=a");
    assert_int_equal(scrape->commands, stats | sizes);
    assert_int_equal(scrape->url_targets.items[0]->profile->timeout_ms, 100);
    assert_int_equal(scrape->url_targets.items[0]->profile->commands, stats | sizes);
    clear(fixture);
    assert_int_equal(take(fixture, "target=a")->url_targets.items[0]->profile->timeout_ms, 2000);
    clear(fixture);
    assert_int_equal(take(fixture, "target=a&module=m")->url_targets.items[0]->profile->timeout_ms, 100);
    clear(fixture);
    expect_commands(fixture, "collect[]=sizes&target=a&module=m", stats | sizes);
    expect_commands(fixture, "collect[]=stats&target=a&module=m", stats);
    refuse(fixture, "target=a&collect[]=items&module=m", 400, "collector", "items",
           "it is not enabled, see --collector.*");
    refuse(fixture, "target=a&module=M", 400, "unknown module", "M", "");
    fixture->takes_targets = false;
    refuse(fixture, "module=m", 400, "module", "m", "configured targets have the module of their group");
    expect_commands(fixture, "", fixture->manager.options.collectors | sizes);
    expect_commands(fixture, "collect[]=sizes", stats | sizes);
}

/* The targets before and after the parameter are traced, and the answer is a text. */
static void test_debug(void **state)
{
    struct fixture *fixture = *state;
    static const char *const traced[] = {"debug=true&target=a", "target=a&debug=true",
                                         "debug=false&target=a&debug=true"};
    for (size_t n = 0; n < ARRAY_LEN(traced); n++) {
        const struct scrape_request *scrape = take(fixture, traced[n]);
        assert_true(scrape->debug && scrape->url_targets.items[0]->profile->traced);
        assert_non_null(scrape->url_targets.items[0]->client->trace);
        assert_string_equal(scrape->content_type, TEXT_PLAIN);
        clear(fixture);
    }
    const struct scrape_request *plain = take(fixture, "target=a&debug=false");
    assert_false(plain->debug || plain->url_targets.items[0]->profile->traced);
    assert_null(plain->url_targets.items[0]->client->trace);
    clear(fixture);

    refuse(fixture, "debug&target=a", 400, "debug", "", "expected true or false");
    refuse(fixture, "debug=1&target=a", 400, "debug", "1", "expected true or false");
    fixture->takes_targets = false;
    refuse(fixture, "debug=true", 400, "debug", "true", "it is for targets in the URL of /scrape");
}

static void test_malformed_escapes(void **state)
{
    static const char *const queries[] = {"%",           "target=%",      "target=a%4",        "target=%zz",
                                          "target=a%00", "target=a&%0=x", "target=a&name[]=%f"};
    for (size_t n = 0; n < ARRAY_LEN(queries); n++) {
        refuse(*state, queries[n], 400, "malformed query", NULL,
               "expected '%' to be followed by two hexadecimal digits other than 00");
    }
}

/* As long as a request's head may be. */
static void test_longest_query(void **state)
{
    struct fixture *fixture = *state;
    static char query[REQUEST_HEAD_MAX + 1];
    memset(query, 'x', REQUEST_HEAD_MAX);
    memcpy(query, "target=a&name[]=", 16);
    const struct scrape_request *scrape = take(fixture, query);
    assert_int_equal(scrape->names.len, REQUEST_HEAD_MAX - 16 + 1);
    clear(fixture);
}

/* --- Headers --- */

static void test_formats(void **state)
{
    static const struct {
        const char *accept;
        enum format format;
        const char *content_type;
    } rows[] = {
        {"", FORMAT_TEXT, "text/plain; version=0.0.4; charset=utf-8"},
        {"text/html", FORMAT_TEXT, "text/plain; version=0.0.4; charset=utf-8"},
        {"text/plain;version=0.0.4;escaping=dots", FORMAT_TEXT,
         "text/plain; version=0.0.4; charset=utf-8; escaping=dots"},
        {"text/plain;escaping=nobody-knows", FORMAT_TEXT, "text/plain; version=0.0.4; charset=utf-8"},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
         FORMAT_OPENMETRICS,
         "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
         "escaping=underscores",
         FORMAT_PROTOBUF,
         "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; "
         "escaping=underscores"},
    };
    struct fixture *fixture = *state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct request request = {.query = SLICE("target=a"),
                                  .headers[HEADER_ACCEPT] = slice_of(rows[n].accept)};
        const struct scrape_request *scrape = take_request(fixture, &request);
        assert_int_equal(scrape->format, rows[n].format);
        assert_string_equal(scrape->content_type, rows[n].content_type);
        clear(fixture);
    }
}

/*
 * What Prometheus gives, less the offset of a quarter of a second and the time for the answer; a target's own
 * time is in its profile.
 */
static void test_timeouts(void **state)
{
    static const struct {
        const char *header;
        uint64_t timeout_ms;
    } rows[] = {
        {"", SCRAPE_NO_TIMEOUT},
        {"10", 9730},
        {"1", 730},
        {"0.25", 109},
        {"0.001", 1},
        {"1e1", 9730},
        {"0", SCRAPE_NO_TIMEOUT},
        {"-1", SCRAPE_NO_TIMEOUT},
        {"ten", SCRAPE_NO_TIMEOUT},
    };
    struct fixture *fixture = *state;
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct request request = {.query = SLICE("target=a"),
                                  .headers[HEADER_SCRAPE_TIMEOUT] = slice_of(rows[n].header)};
        for (unsigned url = 0; url < 2; url++) {
            fixture->takes_targets = url;
            uint64_t timeout_ms = take_request(fixture, &request)->timeout_ms;
            if (timeout_ms != rows[n].timeout_ms)
                fail_msg("\"%s\": %ju", rows[n].header, (uintmax_t) timeout_ms);
            clear(fixture);
        }
    }
}

/* Anybody can send such headers as fast as they like. */
static void test_malformed_timeouts_are_logged_once_a_minute(void **state)
{
    struct fixture *fixture = *state;
    struct request request = {.query = SLICE("target=a"), .headers[HEADER_SCRAPE_TIMEOUT] = SLICE("soon")};
    char text[4096];
    int log = memfd_create("log", 0);
    assert_true(log >= 0);
    log_configure(LOG_WARN, LOG_LOGFMT, log);
    for (unsigned n = 0; n < 100; n++) {
        take_request(fixture, &request);
        clear(fixture);
    }
    ssize_t len = pread(log, text, sizeof(text), 0);
    assert_true(len > 0 && len < 1000);
    assert_int_equal(memchr(text, '\n', (size_t) len), text + len - 1);
    assert_non_null(memmem(text, (size_t) len, "value=soon", strlen("value=soon")));
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    close(log);
}

/* A query, whether it names targets, and what the log says of it; "" for nothing. */
static const struct {
    const char *query, *said;
    bool takes_targets;
} doubtful[] = {
    {"target=a&x=1&auth=y", "", true},
    {"target=a&collect=slabs", "parameter=collect did_you_mean=collect[]", true},
    {"target=a&modul=x", "parameter=modul did_you_mean=module", true},
    {"targets=a&target=b", "parameter=targets did_you_mean=target", true},
    {"target=a", "msg=\"ignoring a target in a request for all configured servers; ", false},
    {"target=", "", false},
};

/* Unknown parameters are logged once a minute: of several, the first. */
static void test_doubtful_parameters_are_logged(void **state)
{
    struct fixture *fixture = *state;
    bool was_said = false;
    for (size_t n = 0; n < ARRAY_LEN(doubtful); n++) {
        char text[4096];
        int log = memfd_create("log", 0);
        assert_true(log >= 0);
        log_configure(LOG_WARN, LOG_LOGFMT, log);
        fixture->takes_targets = doubtful[n].takes_targets;
        take(fixture, doubtful[n].query);
        clear(fixture);
        ssize_t len = pread(log, text, sizeof(text) - 1, 0);
        assert_true(len >= 0);
        text[len] = '\0';
        bool first = *doubtful[n].said && !(was_said && doubtful[n].takes_targets);
        if (first ? !strstr(text, doubtful[n].said) : *text != '\0')
            fail_msg("%s: %s", doubtful[n].query, text);
        was_said |= *doubtful[n].said != '\0';
        log_configure(LOG_ERROR, LOG_LOGFMT, 2);
        close(log);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_doubtful_parameters_are_logged), /* first, while nothing is logged yet */
        TEST(test_targets),
        TEST(test_targets_named_twice),
        TEST(test_labels_and_ports_of_targets),
        TEST(test_without_target),
        TEST(test_path_without_targets),
        TEST(test_malformed_targets),
        TEST(test_too_many_targets),
        TEST(test_unix_sockets),
        TEST(test_policy),
        TEST(test_policy_leaves_configured_servers_alone),
        TEST(test_shard),
        TEST(test_collectors),
        TEST(test_own_collectors),
        TEST(test_refused_collectors),
        TEST(test_names),
        TEST(test_fail),
        TEST(test_modules),
        TEST(test_modules_of_a_file),
        TEST(test_debug),
        TEST(test_malformed_escapes),
        TEST(test_longest_query),
        TEST(test_formats),
        TEST(test_timeouts),
        TEST(test_malformed_timeouts_are_logged_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
