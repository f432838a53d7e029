/*
 * The happy path: curl_loop_add makes libcurl set its timer to expire at once -> on_timer -> libcurl opens a
 * socket and asks the loop to watch it (on_socket) -> on_ready and on_timer run until the transfer ends ->
 * report_ended -> on_done. libcurl keeps the connection for the next transfer; nobody watches its socket
 * meanwhile.
 *
 * What can go wrong: a failed transfer reports its result. A transfer that hangs ends by libcurl's own
 * time-out. If there is no memory to watch a socket, the transfer also ends by that time-out. Reporting the
 * lack of memory to libcurl would make all later transfers fail.
 *
 * libcurl must not be called from its own callbacks. So on_socket and on_wanted_timeout only use libuv and
 * multi_assign, and on_done runs after libcurl has returned.
 */
#include "net/curl_loop.h"

#include "base/container.h"
#include "base/list.h"
#include "net/libcurl.h"

#include <stdbool.h>
#include <stdlib.h>

struct curl_loop {
    uv_loop_t *loop; /* borrowed */
    CURLM *multi;
    uv_timer_t timer;
    struct list watches;
    unsigned handles; /* number of handles not yet closed */
    bool closing;
    curl_loop_done_fn on_done;
    void *context;
    curl_loop_close_fn on_close;
    void *close_context;
};

/*
 * A socket that libcurl waits for. The watch lives until its handle has closed; libcurl may close the socket
 * earlier.
 */
struct socket_watch {
    uv_poll_t poll;
    struct curl_loop *owner;
    curl_socket_t socket;
    struct link link;
};

static void handle_closed(struct curl_loop *curl)
{
    if (--curl->handles > 0) return;
    curl_loop_close_fn on_close = curl->on_close;
    void *context = curl->close_context;
    free(curl);
    on_close(context);
}

/* --- Events --- */

/*
 * Reports the transfers that have ended. multi_remove_handle frees the message, so its fields are copied
 * first.
 */
static void report_ended(struct curl_loop *curl)
{
    CURLMsg *message;
    int left;
    while (!curl->closing && (message = libcurl.multi_info_read(curl->multi, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        libcurl.multi_remove_handle(curl->multi, easy);
        curl->on_done(curl->context, easy, result);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct curl_loop *curl = container_of(timer, struct curl_loop, timer);
    int running;
    libcurl.multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    report_ended(curl);
}

static int on_wanted_timeout(CURLM *multi, long timeout_ms, void *context)
{
    struct curl_loop *curl = context;
    (void) multi;
    if (timeout_ms < 0 || curl->closing)
        uv_timer_stop(&curl->timer);
    else
        uv_timer_start(&curl->timer, on_timer, (uint64_t) timeout_ms, 0);
    return 0;
}

/*
 * libcurl may close the watch inside multi_socket_action. The memory of the watch stays valid until the
 * loop's next turn.
 */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct socket_watch *watch = container_of(poll, struct socket_watch, poll);
    struct curl_loop *curl = watch->owner;
    int running, flags = 0;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    if (status < 0) flags = CURL_CSELECT_ERR;
    libcurl.multi_socket_action(curl->multi, watch->socket, flags, &running);
    report_ended(curl);
}

/* --- Sockets --- */

static void on_watch_closed(uv_handle_t *handle)
{
    struct socket_watch *watch = container_of(handle, struct socket_watch, poll);
    struct curl_loop *curl = watch->owner;
    free(watch);
    handle_closed(curl);
}

/*
 * uv_close removes the socket from epoll before it returns, so libcurl may close the socket right afterwards.
 */
static void watch_close(struct socket_watch *watch)
{
    link_remove(&watch->link);
    uv_close((uv_handle_t *) &watch->poll, on_watch_closed);
}

static struct socket_watch *watch_new(struct curl_loop *curl, curl_socket_t socket)
{
    struct socket_watch *watch = malloc(sizeof(*watch));
    if (!watch) return NULL;
    if (uv_poll_init_socket(curl->loop, &watch->poll, socket) < 0) {
        free(watch);
        return NULL;
    }
    watch->owner = curl;
    watch->socket = socket;
    list_append(&curl->watches, &watch->link);
    curl->handles++;
    libcurl.multi_assign(curl->multi, socket, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t socket, int wanted, void *context, void *socket_context)
{
    struct curl_loop *curl = context;
    struct socket_watch *watch = socket_context;
    (void) easy;
    if (wanted == CURL_POLL_REMOVE) {
        if (watch) watch_close(watch);
        libcurl.multi_assign(curl->multi, socket, NULL);
        return 0;
    }
    if (!watch) watch = watch_new(curl, socket);
    if (!watch) return 0;
    int events = (wanted & CURL_POLL_IN ? UV_READABLE : 0) | (wanted & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, events, on_ready);
    return 0;
}

/* --- Life --- */

int curl_loop_new(struct curl_loop **result, uv_loop_t *loop, curl_loop_done_fn on_done, void *context)
{
    struct curl_loop *curl = calloc(1, sizeof(*curl));
    if (curl) curl->multi = libcurl.multi_init();
    if (!curl || !curl->multi) {
        free(curl);
        return UV_ENOMEM;
    }
    curl->loop = loop;
    curl->on_done = on_done;
    curl->context = context;
    list_init(&curl->watches);
    uv_timer_init(loop, &curl->timer);
    curl->handles = 1;
    libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, on_wanted_timeout);
    libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    *result = curl;
    return 0;
}

int curl_loop_add(struct curl_loop *curl, CURL *easy)
{
    return libcurl.multi_add_handle(curl->multi, easy) == CURLM_OK ? 0 : UV_ENOMEM;
}

void curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
    libcurl.multi_remove_handle(curl->multi, easy);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct curl_loop, timer));
}

void curl_loop_close(struct curl_loop *curl, curl_loop_close_fn on_close, void *context)
{
    curl->closing = true;
    curl->on_close = on_close;
    curl->close_context = context;
    libcurl.multi_cleanup(curl->multi);
    /* libcurl reports each socket that it closes. If it misses one, the watch is closed here. */
    for (struct link *link; (link = list_first(&curl->watches));)
        watch_close(container_of(link, struct socket_watch, link));
    uv_close((uv_handle_t *) &curl->timer, on_timer_closed);
}
