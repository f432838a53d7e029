/*
 * The happy path: gateway_push -> libcurl connects -> on_body, for each piece that the socket has room for ->
 * on_answer -> on_transfer -> on_done.
 *
 * What can go wrong:
 * - The password or the token cannot be read. Then nothing starts.
 * - The producer fails. on_body aborts the transfer.
 * - The name, the connection, TLS or the time limit fails. libcurl says which.
 * - The gateway refuses. The error has its status and its answer, where Pushgateway explains a 400. For a
 *   redirect, the error has the new address.
 *
 * Each of these, except the first, ends in on_transfer.
 */
#include "outputs/gateway.h"

#include "base/dumps.h"
#include "base/duration.h"
#include "base/version.h"
#include "net/curl_loop.h"
#include "net/libcurl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many bytes to ask the producer for, and the most that it may return. */
#define PIECE     (64 * 1024)
#define PIECE_CAP (16 * PIECE)

/* "Expect:" does not wait for "100 Continue". */
static const char *const group_headers[] = {
    "Expect:", "Content-Type: text/plain; version=0.0.4; charset=utf-8", NULL};
const struct gateway_protocol gateway_of_groups = {group_headers, true};

/* Most bytes of the gateway's answer that are kept for the error message. */
#define ANSWER_MAX 960
/* Most bytes of a password, or of a token, which may be a long JWT. */
#define SECRET_MAX (8 * 1024)

struct gateway {
    struct curl_loop *curl;
    CURL *easy;
    struct curl_slist *headers;       /* headers of a push */
    const struct push_config *config; /* borrowed */
    const struct gateway_protocol *protocol;
    long status;            /* HTTP status of the last answer, or 0 */
    uint64_t retry_after_s; /* what the last answer asked for, or 0 */
    bool busy;
    gateway_done_fn on_done;
    void *context;
    gateway_close_fn on_close;
    void *close_context;

    /* The body of the current push; released between two requests. */
    struct producer *producer;
    bool more;           /* the producer has more bytes */
    struct buffer piece; /* current piece from the producer */
    size_t taken;        /* bytes of the piece that were passed to libcurl */

    char answer[ANSWER_MAX]; /* one line, cut to fit */
    size_t answer_len;
    char curl_error[CURL_ERROR_SIZE];
    char error[CURL_ERROR_SIZE + ANSWER_MAX];
};

static void release_producer(struct gateway *gateway)
{
    struct producer *producer = gateway->producer;
    gateway->producer = NULL;
    buffer_deinit(&gateway->piece);
    if (producer) producer->release(producer);
}

/* --- A request's callbacks --- */

/* Gets the next piece. If one byte of the last piece was held back, it comes first. */
static void refill(struct gateway *gateway)
{
    struct buffer *piece = &gateway->piece;
    char held = gateway->taken < piece->len ? piece->data[gateway->taken] : '\0';
    bool holds = gateway->taken < piece->len;
    buffer_clear(piece);
    gateway->taken = 0;
    if (holds) buffer_append_char(piece, held);
    gateway->more = producer_fill_some(gateway->producer, piece, PIECE);
}

/*
 * Passes bytes to libcurl. Never ends with a line end before the end of the body, so that an aborted body
 * ends within a line. Otherwise Pushgateway up to version 1.5 would accept a body that breaks off between two
 * lines, despite the chunked framing, and replace the group by a part of the metrics.
 */
static size_t on_body(char *to, size_t size, size_t count, void *context)
{
    struct gateway *gateway = context;
    struct buffer *piece = &gateway->piece;
    if (gateway->more && piece->len - gateway->taken <= 1) refill(gateway);
    if (piece->failed) return CURL_READFUNC_ABORT;
    size_t left = piece->len - gateway->taken;
    /* Returning 0 would tell libcurl that the body has ended. */
    assert(left > 0 || !gateway->more);
    if (left == 0) return 0;
    const char *from = piece->data + gateway->taken;
    size_t len = left < size * count ? left : size * count;
    bool end = len == left && !gateway->more;
    while (!end && len > 1 && from[len - 1] == '\n') len--;
    memcpy(to, from, len);
    gateway->taken += len;
    return len;
}

/* Keeps the beginning of the answer. Replaces line ends and other control characters by blanks. */
static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
    struct gateway *gateway = context;
    for (size_t n = 0; n < size * count && gateway->answer_len < sizeof(gateway->answer); n++)
        gateway->answer[gateway->answer_len++] = (unsigned char) data[n] < ' ' ? ' ' : data[n];
    return size * count;
}

/* Returns NULL if the gateway has accepted the request, otherwise the error. */
static const char *judge(struct gateway *gateway, CURLcode result)
{
    const char *location = NULL;
    curl_off_t retry_after_s = 0;
    if (result == CURLE_ABORTED_BY_CALLBACK) return "the exposition could not be made";
    if (result != CURLE_OK)
        return gateway->curl_error[0] ? gateway->curl_error : libcurl.easy_strerror(result);
    libcurl.easy_getinfo(gateway->easy, CURLINFO_RESPONSE_CODE, &gateway->status);
    long status = gateway->status;
    if (status >= 200 && status < 300) return NULL;
    /* A date has become seconds here, below 0 if it is past. */
    if (status == 429 || status == 503)
        libcurl.easy_getinfo(gateway->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (retry_after_s > 0) gateway->retry_after_s = (uint64_t) retry_after_s;
    if (status >= 300 && status < 400) libcurl.easy_getinfo(gateway->easy, CURLINFO_REDIRECT_URL, &location);
    struct slice answer = slice_trim((struct slice){gateway->answer, gateway->answer_len});
    if (location) {
        snprintf(gateway->error, sizeof(gateway->error),
                 "HTTP status %ld, a redirect to %s, which is not followed", status, location);
    } else {
        snprintf(gateway->error, sizeof(gateway->error), "HTTP status %ld%s%.*s", status,
                 answer.len ? ": " : "", SLICE_ARG(answer));
    }
    return gateway->error;
}

static void on_transfer(void *context, CURL *easy, CURLcode result)
{
    struct gateway *gateway = context;
    (void) easy;
    const char *error = judge(gateway, result);
    gateway->busy = false;
    release_producer(gateway);
    gateway->on_done(gateway->context, error);
}

/* --- A request's start --- */

/*
 * Reads a password or a token without its line end. Returns its length, or -1 with errno. Refuses all but
 * regular files: a FIFO would block.
 */
static ssize_t read_secret(const char *path, char *text, size_t size)
{
    struct stat status;
    ssize_t len = -1;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return -1;
    if (fstat(file, &status) == 0) {
        errno = EINVAL;
        if (S_ISREG(status.st_mode) && status.st_size < (off_t) size) len = read(file, text, size - 1);
    }
    int error = errno;
    close(file);
    errno = error;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) len--;
    return len;
}

/* Returns whether the bytes can be the value of a header as they are. Base64 hides those of a password. */
static bool is_token(struct slice bytes)
{
    for (size_t n = 0; n < bytes.len; n++) {
        if (bytes.data[n] <= ' ' || bytes.data[n] > '~') return false;
    }
    return bytes.len > 0;
}

/*
 * Reads the password, or the token, and sets it. Reads it for each request, since secrets may be renewed
 * while the exporter runs. Returns NULL or the error.
 */
static const char *set_secret(struct gateway *gateway)
{
    const struct push_config *config = gateway->config;
    bool bears = push_is_given(config->bearer_token_file);
    const char *path = bears ? config->bearer_token_file : config->password_file;
    char text[SECRET_MAX];
    if (!push_is_given(path)) return NULL;
    dumps_forbid();
    ssize_t len = read_secret(path, text, sizeof(text));
    if (len < 0) {
        snprintf(gateway->error, sizeof(gateway->error), "the %s file cannot be read: %s",
                 bears ? "token" : "password", strerror(errno));
        return gateway->error;
    }
    text[len] = '\0';
    bool sendable = !bears || is_token((struct slice){text, (size_t) len});
    CURLcode result = libcurl.easy_setopt(gateway->easy, bears ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
                                          sendable ? text : NULL);
    explicit_bzero(text, sizeof(text));
    if (!sendable) return "the token file has to hold one line of printable ASCII characters without blanks";
    return result == CURLE_OK ? NULL : "out of memory";
}

static const char *start(struct gateway *gateway, bool upload, const char *method, uint64_t timeout_ms)
{
    CURL *easy = gateway->easy;
    gateway->answer_len = 0;
    gateway->status = 0;
    gateway->retry_after_s = 0;
    gateway->curl_error[0] = '\0';
    const char *error = set_secret(gateway);
    if (error) return error;
    if (libcurl.easy_setopt(easy, CURLOPT_UPLOAD, upload ? 1L : 0L) != CURLE_OK ||
        libcurl.easy_setopt(easy, CURLOPT_HTTPHEADER, upload ? gateway->headers : NULL) != CURLE_OK ||
        libcurl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK ||
        libcurl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms) != CURLE_OK ||
        curl_loop_add(gateway->curl, easy) < 0)
        return "out of memory";
    gateway->busy = true;
    return NULL;
}

const char *gateway_push(struct gateway *gateway, struct producer *producer)
{
    assert(!gateway->busy);
    gateway->producer = producer;
    gateway->more = true;
    gateway->taken = 0;
    buffer_init(&gateway->piece, PIECE_CAP);
    const struct push_config *config = gateway->config;
    const char *error =
        start(gateway, true, config->post ? "POST" : "PUT", duration_to_ms(config->timeout_ns));
    if (error) release_producer(gateway);
    return error;
}

const char *gateway_post(struct gateway *gateway, struct slice body)
{
    assert(!gateway->busy);
    gateway->more = false;
    gateway->taken = 0;
    buffer_init(&gateway->piece, body.len);
    buffer_append_slice(&gateway->piece, body);
    CURLcode sized = libcurl.easy_setopt(gateway->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) body.len);
    const char *error = gateway->piece.failed || sized != CURLE_OK ? "out of memory" : NULL;
    if (!error) error = start(gateway, true, "POST", duration_to_ms(gateway->config->timeout_ns));
    if (error) release_producer(gateway);
    return error;
}

long gateway_status(const struct gateway *gateway)
{
    return gateway->status;
}

uint64_t gateway_retry_after_s(const struct gateway *gateway)
{
    return gateway->retry_after_s;
}

const char *gateway_delete(struct gateway *gateway, uint64_t timeout_ms)
{
    assert(!gateway->busy);
    return start(gateway, false, "DELETE", timeout_ms);
}

/* --- Life --- */

static bool set_headers(struct gateway *gateway)
{
    for (const char *const *header = gateway->protocol->headers; *header; header++) {
        struct curl_slist *longer = libcurl.slist_append(gateway->headers, *header);
        if (!longer) return false;
        gateway->headers = longer;
    }
    return true;
}

static bool set_url(const struct gateway *gateway, CURL *easy, const struct push_config *config)
{
    struct buffer url;
    buffer_init(&url, PUSH_URL_MAX);
    if (gateway->protocol->by_group)
        push_config_url(config, &url);
    else
        buffer_append_string(&url, config->url);
    buffer_append_char(&url, '\0');
    bool set = !url.failed && libcurl_set_url(easy, url.data);
    buffer_deinit(&url);
    return set;
}

static bool set_given(CURL *easy, CURLoption option, const char *text)
{
    return !push_is_given(text) || libcurl.easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_transport(CURL *easy, const struct push_config *config)
{
    return libcurl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           set_given(easy, CURLOPT_CAINFO, config->ca_file) &&
           set_given(easy, CURLOPT_SSLCERT, config->cert_file) &&
           set_given(easy, CURLOPT_SSLKEY, config->key_file);
}

static bool set_request(struct gateway *gateway, const struct push_config *config)
{
    CURL *easy = gateway->easy;
    unsigned long login = push_is_given(config->bearer_token_file) ? CURLAUTH_BEARER : CURLAUTH_BASIC;
    return set_url(gateway, easy, config) && set_headers(gateway) &&
           libcurl.easy_setopt(easy, CURLOPT_USERAGENT, PROGRAM_NAME) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_HTTPAUTH, (long) login) == CURLE_OK &&
           set_given(easy, CURLOPT_USERNAME, config->username) &&
           libcurl.easy_setopt(easy, CURLOPT_READFUNCTION, on_body) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_READDATA, gateway) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, gateway) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, gateway->curl_error) == CURLE_OK;
}

static bool set_up(struct gateway *gateway)
{
    gateway->easy = libcurl_transfer_new();
    return gateway->easy && set_transport(gateway->easy, gateway->config) &&
           set_request(gateway, gateway->config);
}

static void gateway_free(struct gateway *gateway)
{
    libcurl.easy_cleanup(gateway->easy);
    libcurl.slist_free_all(gateway->headers);
    libcurl.global_cleanup();
    free(gateway);
}

/*
 * Makes the transfer and its loop. The loop comes last, since closing it would take a turn of the event loop.
 */
int gateway_new(struct gateway **result, uv_loop_t *loop, const struct push_config *config,
                const struct gateway_protocol *protocol, gateway_done_fn on_done, void *context)
{
    if (libcurl_load() < 0) return UV_ENOENT;
    if (libcurl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return UV_ENOMEM;
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    if (!gateway) {
        libcurl.global_cleanup();
        return UV_ENOMEM;
    }
    gateway->config = config;
    gateway->protocol = protocol;
    gateway->on_done = on_done;
    gateway->context = context;
    int status = set_up(gateway) ? 0 : UV_ENOMEM;
    if (status == 0) status = curl_loop_new(&gateway->curl, loop, on_transfer, gateway);
    if (status < 0) {
        gateway_free(gateway);
        return status;
    }
    *result = gateway;
    return 0;
}

void gateway_cancel(struct gateway *gateway)
{
    if (!gateway->busy) return;
    gateway->busy = false;
    curl_loop_remove(gateway->curl, gateway->easy);
    release_producer(gateway);
}

static void on_curl_closed(void *context)
{
    struct gateway *gateway = context;
    gateway_close_fn on_close = gateway->on_close;
    void *close_context = gateway->close_context;
    gateway_free(gateway);
    on_close(close_context);
}

void gateway_close(struct gateway *gateway, gateway_close_fn on_close, void *context)
{
    gateway_cancel(gateway);
    gateway->on_close = on_close;
    gateway->close_context = context;
    curl_loop_close(gateway->curl, on_curl_closed, gateway);
}
