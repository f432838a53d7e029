/*
 * The happy path: ask -> libcurl connects and sends -> on_body, for each piece of the answer -> on_transfer
 * -> (thread) read_format -> on_read -> on_done.
 *
 * What can go wrong:
 * - The transfer fails or takes too long. libcurl gives the reason.
 * - The answer is too large. on_body ends the transfer.
 * - The answer has an unexpected status or type. on_transfer checks them.
 * - The answer is not in the format. read_format checks it.
 *
 * Each of these ends the question with an error. Closing removes a transfer at once, but waits for a thread
 * that is reading.
 */
#include "discovery/http_sd.h"

#include "base/buffer.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/utf8.h"
#include "base/version.h"
#include "discovery/discovery.h"
#include "discovery/sd_format.h"
#include "net/curl_loop.h"
#include "net/libcurl.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#define ERROR_MAX     4096
#define REDIRECTS_MAX 10

struct http_sd {
    struct discoverer discoverer;
    const struct discovery_config *config; /* borrowed */
    uv_loop_t *loop;                       /* borrowed */
    struct curl_loop *curl;
    CURL *easy;
    struct curl_slist *headers;
    char curl_error[CURL_ERROR_SIZE];
    bool transferring, reading, closing;
    unsigned parts; /* curl's loop while it is not closed, and work on the thread pool */
    uv_work_t work;

    /* Used by the thread while `reading`, otherwise by the loop. */
    bool answered; /* the last body was a valid answer */
    uint64_t hash; /* hash of the last body */
    struct buffer body, error;
    struct results found;
    int result;
};

static struct http_sd *http_sd_of(struct discoverer *discoverer)
{
    return container_of(discoverer, struct http_sd, discoverer);
}

static void http_sd_free(struct http_sd *sd)
{
    libcurl.easy_cleanup(sd->easy);
    libcurl.slist_free_all(sd->headers);
    libcurl.global_cleanup();
    buffer_deinit(&sd->body);
    buffer_deinit(&sd->error);
    free(sd);
}

static void part_ended(struct http_sd *sd)
{
    if (--sd->parts > 0) return;
    sd->discoverer.on_close(&sd->discoverer);
    http_sd_free(sd);
}

/* --- The end of a question --- */

/*
 * Reports `found`. If it is NULL, reports the error; without an error, an unchanged answer. Frees the memory
 * of the question, but not the content of `found`.
 */
static void finish_question(struct http_sd *sd, struct results *found)
{
    struct buffer error = sd->error;
    struct discovery_answer answer = {.found = found};
    if (error.len || error.failed) {
        buffer_append_char(&error, '\0');
        answer.error = error.failed ? "out of memory" : error.data;
    }
    answer.unchanged = !found && !answer.error;
    buffer_deinit(&sd->body);
    buffer_init(&sd->error, ERROR_MAX);
    sd->discoverer.on_done(&sd->discoverer, &answer);
    buffer_deinit(&error);
}

/* --- Reading --- */

/*
 * Parses the body on a thread, since a large body takes long. Sets `result` to 1 if the answer has not
 * changed.
 */
static void read_format(uv_work_t *work)
{
    struct http_sd *sd = container_of(work, struct http_sd, work);
    struct results_label origin = {"__meta_url", sd->config->http_sd.url};
    struct slice body = buffer_slice(&sd->body);
    uint64_t hash = hash_fnv1a(body);
    sd->result = 1;
    if (sd->answered && sd->hash == hash) return;
    sd->result = sd_format_read(&sd->found, body, SD_JSON, origin, &sd->error);
    sd->answered = sd->result == 0;
    sd->hash = hash;
}

/* Uses a local copy of the results, so that nothing that the owner does in on_done can change them. */
static void on_read(uv_work_t *work, int status)
{
    struct http_sd *sd = container_of(work, struct http_sd, work);
    struct results found = sd->found;
    sd->reading = false;
    if (status == 0 && !sd->closing) {
        if (sd->result == UV_ENOMEM) buffer_append_string(&sd->error, "out of memory");
        finish_question(sd, sd->result == 0 ? &found : NULL);
    }
    results_deinit(&found);
    part_ended(sd);
}

static void start_reading(struct http_sd *sd)
{
    results_init(&sd->found);
    int status = uv_queue_work(sd->loop, &sd->work, read_format, on_read);
    assert(status == 0);
    sd->reading = true;
    sd->parts++;
}

/* --- The transfer --- */

/* Stores a piece of the body. Returns 0 to end the transfer if the body is too large or memory runs out. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_sd *sd = context;
    buffer_append(&sd->body, data, size * count);
    return sd->body.failed ? 0 : size * count;
}

/* Returns true for application/json with any parameters, since JSON has only one encoding. */
static bool is_json(const char *type)
{
    struct slice rest = slice_of(type ? type : "");
    return slice_is_nocase(slice_trim(slice_cut(&rest, ';')), "application/json");
}

/* Returns true if there is a body to parse. Otherwise writes the error. */
static bool judge(struct http_sd *sd, CURLcode result)
{
    long status = 0;
    const char *type = NULL;
    if (sd->body.failed) {
        buffer_append_string(&sd->error, "the answer is larger than 16 MiB");
        return false;
    }
    if (result != CURLE_OK) {
        const char *reason = sd->curl_error[0] ? sd->curl_error : libcurl.easy_strerror(result);
        buffer_append_string(&sd->error, reason);
        return false;
    }
    libcurl.easy_getinfo(sd->easy, CURLINFO_RESPONSE_CODE, &status);
    libcurl.easy_getinfo(sd->easy, CURLINFO_CONTENT_TYPE, &type);
    if (status != 200) {
        buffer_printf(&sd->error, "HTTP status %ld: expected 200", status);
    } else if (!is_json(type)) {
        buffer_append_string(&sd->error, "Content-Type \"");
        utf8_append_escaped(&sd->error, slice_of(type ? type : ""));
        buffer_append_string(&sd->error, "\": expected application/json");
    }
    return status == 200 && is_json(type);
}

static void on_transfer(void *context, CURL *easy, CURLcode result)
{
    struct http_sd *sd = context;
    (void) easy;
    sd->transferring = false;
    if (judge(sd, result))
        start_reading(sd);
    else
        finish_question(sd, NULL);
}

static int http_sd_ask(struct discoverer *discoverer)
{
    struct http_sd *sd = http_sd_of(discoverer);
    sd->curl_error[0] = '\0';
    int status = curl_loop_add(sd->curl, sd->easy);
    sd->transferring = status == 0;
    return status;
}

/* --- Life --- */

static void on_curl_closed(void *context)
{
    part_ended(context);
}

static void http_sd_close(struct discoverer *discoverer)
{
    struct http_sd *sd = http_sd_of(discoverer);
    sd->closing = true;
    if (sd->transferring) curl_loop_remove(sd->curl, sd->easy);
    if (sd->reading) uv_cancel((uv_req_t *) &sd->work);
    curl_loop_close(sd->curl, on_curl_closed, sd);
}

static const struct discoverer_kind kind = {
    .name = "http_sd",
    .default_refresh_ms = 60 * 1000,
    .ask = http_sd_ask,
    .close = http_sd_close,
};

static bool add_header(struct http_sd *sd, const char *line)
{
    struct curl_slist *headers = libcurl.slist_append(sd->headers, line);
    if (headers) sd->headers = headers;
    return headers != NULL;
}

static bool set_headers(struct http_sd *sd)
{
    uint64_t refresh_ms = sd->config->refresh_ms ? sd->config->refresh_ms : kind.default_refresh_ms;
    struct buffer line;
    buffer_init(&line, 128);
    buffer_append_string(&line, "X-Prometheus-Refresh-Interval-Seconds: ");
    number_append_scaled(&line, refresh_ms, 3);
    buffer_append_char(&line, '\0');
    bool set = !line.failed && add_header(sd, line.data) && add_header(sd, "Accept: application/json") &&
               libcurl.easy_setopt(sd->easy, CURLOPT_HTTPHEADER, sd->headers) == CURLE_OK;
    buffer_deinit(&line);
    return set;
}

/*
 * Sets all options. A redirect must not contain credentials either. All encodings of libcurl are accepted:
 * the limit applies to the decoded bytes.
 */
static bool set_request(struct http_sd *sd)
{
    CURL *easy = sd->easy;
    uint64_t timeout_ms = sd->config->http_sd.timeout_ms;
    if (timeout_ms == 0) timeout_ms = HTTP_SD_TIMEOUT_MS;
    return set_headers(sd) && libcurl_set_url(easy, sd->config->http_sd.url) &&
           libcurl.easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_MAXREDIRS, (long) REDIRECTS_MAX) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_USERAGENT, PROGRAM_NAME) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, sd) == CURLE_OK &&
           libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, sd->curl_error) == CURLE_OK;
}

/*
 * Makes the transfer and its loop. The loop comes last, since closing it would take a turn of the event loop.
 */
static int set_up(struct http_sd *sd)
{
    sd->easy = libcurl_transfer_new();
    if (!sd->easy || !set_request(sd)) return UV_ENOMEM;
    return curl_loop_new(&sd->curl, sd->loop, on_transfer, sd);
}

static int check(const struct discovery_config *config, struct buffer *error)
{
    const char *expected = libcurl_url_fault(config->http_sd.url);
    if (!expected) return 0;
    buffer_printf(error, "expected %s", expected);
    return UV_EINVAL;
}

/* Makes a source whose URL has been checked. Returns NULL when out of memory. */
static struct http_sd *http_sd_make(uv_loop_t *loop, const struct discovery_config *config)
{
    if (libcurl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
    struct http_sd *sd = calloc(1, sizeof(*sd));
    if (!sd) {
        libcurl.global_cleanup();
        return NULL;
    }
    sd->discoverer.kind = &kind;
    sd->config = config;
    sd->loop = loop;
    sd->parts = 1;
    buffer_init(&sd->body, SD_TEXT_MAX);
    buffer_init(&sd->error, ERROR_MAX);
    if (set_up(sd) == 0) return sd;
    http_sd_free(sd);
    return NULL;
}

int http_sd_new(struct discoverer **discoverer, const struct discovery_services *services,
                const struct discovery_config *config, struct buffer *error)
{
    int status = check(config, error);
    if (status < 0) return status;
    struct http_sd *sd = http_sd_make(services->loop, config);
    if (!sd) {
        buffer_append_string(error, uv_strerror(UV_ENOMEM));
        return UV_ENOMEM;
    }
    *discoverer = &sd->discoverer;
    return 0;
}
