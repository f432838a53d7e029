/*
 * The normal path:
 *
 *     guard_handle -> check_login -> the handler
 *     guard_handle -> check_login -> [password.c] -> on_password -> the handler
 *
 * The second line is for a password that is not in the cache of password.c.
 *
 * Errors: if the connection is closed while the password is hashed, on_abort cancels the check without an
 * answer. Out of memory is answered with 401, like a wrong password.
 */
#include "web/guard.h"

#include "base/base64.h"
#include "base/bcrypt.h"
#include "base/container.h"
#include "base/dumps.h"
#include "base/log.h"
#include "web/answer.h"
#include "web/password.h"
#include "web/rate_limit.h"
#include "web/web_files.h"

#include <stdlib.h>

struct guard {
    struct web_files files;
    struct password_checker *checker; /* owned */
    server_handler_fn handler;
    void *handler_context;
    bool secured; /* TLS was configured at the start */

    /* The rate limit as configured at the start. Each listener has its own bucket. */
    bool has_rate_limit;
    uint64_t rate_interval_ns, rate_burst;
    struct rate_limit *buckets; /* owned */
    unsigned bucket_count;

    guard_close_fn on_close;
    void *on_close_context;
};

/* A request whose password is being hashed. */
struct login {
    struct guard *guard;
    struct exchange *exchange;
    const struct request *request;
    struct password_query query;
};

/* --- Rate limit --- */

/* Creates the bucket of a listener, if needed. Returns false when out of memory. */
static bool has_bucket(struct guard *guard, unsigned listener)
{
    if (listener < guard->bucket_count) return true;
    struct rate_limit *buckets = realloc(guard->buckets, (listener + 1) * sizeof(*buckets));
    if (!buckets) return false;
    guard->buckets = buckets;
    while (guard->bucket_count <= listener)
        rate_limit_init(&buckets[guard->bucket_count++], guard->rate_interval_ns, guard->rate_burst,
                        uv_hrtime());
    return true;
}

static bool is_too_often(struct guard *guard, unsigned listener)
{
    return guard->has_rate_limit &&
           (!has_bucket(guard, listener) || !rate_limit_take(&guard->buckets[listener], uv_hrtime()));
}

/* --- User and password --- */

static void answer_unauthorized(struct exchange *exchange)
{
    struct response response = {.status = 401, .content_type = TEXT_PLAIN, .authenticate = "Basic"};
    exchange_respond(exchange, &response, SLICE("Unauthorized\n"));
}

static void finish_login(struct guard *guard, struct exchange *exchange, const struct request *request,
                         bool good)
{
    if (good)
        guard->handler(guard->handler_context, exchange, request);
    else
        answer_unauthorized(exchange);
}

static void on_password(struct password_query *query, bool good)
{
    struct login login = *container_of(query, struct login, query);
    free(container_of(query, struct login, query));
    exchange_on_abort(login.exchange, NULL, NULL);
    finish_login(login.guard, login.exchange, login.request, good);
}

static void on_abort(void *context)
{
    struct login *login = context;
    password_cancel(&login->query);
    free(login);
}

/*
 * Decodes "Basic dXNlcjpwYXNz" and splits the result at the first colon. `user` and `password` point into
 * `storage`. Returns false if the header is missing or malformed.
 */
static bool read_credentials(struct slice header, struct buffer *storage, struct slice *user,
                             struct slice *password)
{
    struct slice scheme = slice_cut(&header, ' ');
    if (!slice_is_nocase(scheme, "Basic") || !header.data || !base64_decode(header, storage)) return false;
    *password = buffer_slice(storage);
    *user = slice_cut(password, ':');
    return password->data != NULL;
}

/*
 * Returns the hash of the user's password. Returns NULL for an unknown user or an invalid hash. The check
 * then takes as long as a normal one, so the time does not reveal which users exist.
 */
static const char *find_hash(const struct web_config *config, struct slice user)
{
    const char *hash = web_config_hash(config, user);
    return hash && !bcrypt_check_hash(slice_of(hash)) ? hash : NULL;
}

static void compare(struct guard *guard, struct exchange *exchange, const struct request *request,
                    struct slice user, const char *hash, struct slice password)
{
    struct login *login = malloc(sizeof(*login));
    if (!login) {
        answer_unauthorized(exchange);
        return;
    }
    *login = (struct login){guard, exchange, request, {.job = NULL}};
    enum password_result result =
        password_check(guard->checker, &login->query, user, hash, password, on_password);
    if (result == PASSWORD_LATER) {
        exchange_on_abort(exchange, on_abort, login);
        return;
    }
    free(login);
    finish_login(guard, exchange, request, result == PASSWORD_GOOD);
}

static void check_login(struct guard *guard, const struct web_config *config, struct exchange *exchange,
                        const struct request *request)
{
    struct buffer storage;
    struct slice user, password;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    if (!read_credentials(request->headers[HEADER_AUTHORIZATION], &storage, &user, &password))
        answer_unauthorized(exchange);
    else
        compare(guard, exchange, request, user, find_hash(config, user), password);
    buffer_wipe(&storage);
}

/* --- Requests --- */

void guard_handle(void *context, struct exchange *exchange, const struct request *request)
{
    struct guard *guard = context;
    const struct web_config *config = web_files_config(&guard->files);
    exchange_set_handler(exchange, "none");
    if (!config) {
        answer_line(exchange, 500, "Internal Server Error");
    } else if (is_too_often(guard, exchange_listener(exchange))) {
        answer_line(exchange, 429, "Too Many Requests");
    } else {
        if (config->header_count) exchange_set_headers(exchange, buffer_slice(&guard->files.headers));
        if (config->user_count)
            check_login(guard, config, exchange, request);
        else
            guard->handler(guard->handler_context, exchange, request);
    }
}

static struct tls_context *on_secure(void *context)
{
    struct guard *guard = context;
    return web_files_tls(&guard->files);
}

void guard_secure(struct guard *guard, struct server *server)
{
    if (guard->secured) server_secure(server, on_secure, guard);
}

/* --- Log --- */

/* Users search for these words, which Prometheus' own exporters log too. */
void guard_log_address(const struct guard *guard, struct slice address)
{
    log_line(LOG_INFO, guard && guard->secured ? "TLS is enabled." : "TLS is disabled.",
             LOG_FIELD("http2", "false"), (struct log_field){"address", address});
}

void guard_log(const struct guard *guard)
{
    char burst[24], interval[32];
    if (!guard) return;
    if (guard->secured && guard->files.config.http2)
        log_line(LOG_INFO, "the web configuration enables http2, but the exporter speaks only HTTP/1.1",
                 LOG_FIELD("file", guard->files.file));
    if (!guard->has_rate_limit) return;
    snprintf(burst, sizeof(burst), "%llu", (unsigned long long) guard->rate_burst);
    snprintf(interval, sizeof(interval), "%gs", (double) guard->rate_interval_ns / 1e9);
    log_line(LOG_INFO, "Rate Limiter is enabled.", LOG_FIELD("burst", burst),
             LOG_FIELD("interval", interval));
}

/* --- Life --- */

static void guard_free(struct guard *guard)
{
    web_files_deinit(&guard->files);
    free(guard->buckets);
    free(guard);
}

int guard_new(struct guard **out, uv_loop_t *loop, const char *file, server_handler_fn handler, void *context,
              struct buffer *error)
{
    struct guard *guard = calloc(1, sizeof(*guard));
    if (!guard) return UV_ENOMEM;
    int result = web_files_open(&guard->files, file, error);
    dumps_forbid(); /* memory holds a private key or password hashes */
    /* Always creates the checker: users may be added to the file later. */
    if (result == 0) result = password_checker_new(&guard->checker, loop);
    if (result < 0) {
        guard_free(guard);
        return result;
    }
    const struct web_config *config = &guard->files.config;
    guard->handler = handler;
    guard->handler_context = context;
    guard->secured = config->has_tls;
    guard->has_rate_limit = config->has_rate_limit;
    guard->rate_interval_ns = config->rate_interval_ns;
    guard->rate_burst = config->rate_burst;
    *out = guard;
    return 0;
}

static void on_checker_closed(void *context)
{
    struct guard *guard = context;
    guard_close_fn on_close = guard->on_close;
    void *on_close_context = guard->on_close_context;
    guard_free(guard);
    on_close(on_close_context);
}

void guard_close(struct guard *guard, guard_close_fn on_close, void *context)
{
    if (!guard) return;
    guard->on_close = on_close;
    guard->on_close_context = context;
    password_checker_close(guard->checker, on_checker_closed, guard);
}
