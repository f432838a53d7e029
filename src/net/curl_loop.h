/*
 * Runs libcurl transfers on a libuv loop: uv_poll watches the sockets of libcurl, and a uv_timer serves as
 * its single timer.
 *
 * libcurl resolves host names itself. It must have been built with its threaded resolver (as in
 * distributions) or with c-ares; any other resolver would block the loop. Before use, the process must ignore
 * SIGPIPE and call curl_global_init.
 */
#ifndef NET_CURL_LOOP_H
#define NET_CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

/* Runs when a transfer has ended and has been removed from the loop. May call every function of curl_loop. */
typedef void (*curl_loop_done_fn)(void *context, CURL *easy, CURLcode result);

typedef void (*curl_loop_close_fn)(void *context);

/*
 * Creates a loop for transfers. `on_done` receives every transfer that ends. Returns 0 or a negative libuv
 * code.
 */
int curl_loop_new(struct curl_loop **curl, uv_loop_t *loop, curl_loop_done_fn on_done, void *context);

/*
 * Starts a transfer. Returns 0 or UV_ENOMEM. After 0, on_done runs once, from the loop, unless the transfer
 * is removed first. After UV_ENOMEM, on_done does not run.
 */
int curl_loop_add(struct curl_loop *curl, CURL *easy);

/* Aborts a transfer at once, without on_done. Must not be called from a callback of the transfer itself. */
void curl_loop_remove(struct curl_loop *curl, CURL *easy);

/*
 * Closes idle connections and frees `curl`. on_close runs once, from the loop, when all handles have closed.
 * Every transfer must have ended or been removed.
 */
void curl_loop_close(struct curl_loop *curl, curl_loop_close_fn on_close, void *context);

#endif
