/*
 * libcurl's transfers on a libuv loop: its sockets are watched by uv_poll, its one timer is a uv_timer.
 *
 * libcurl resolves the names itself. It must have been built with its threaded resolver (as distributions do)
 * or with c-ares; any other resolver would block the loop. Before use, the process must ignore SIGPIPE and
 * have called curl_global_init.
 */
#ifndef NET_CURL_LOOP_H
#define NET_CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

/*
 * Called when a transfer has ended and has been removed from the loop. May call every function of curl_loop.
 */
typedef void (*curl_loop_done_fn)(void *context, CURL *easy, CURLcode result);

typedef void (*curl_loop_close_fn)(void *context);

/* 0, or a negative libuv code. `on_done` gets all the transfers. */
int curl_loop_new(struct curl_loop **curl, uv_loop_t *loop, curl_loop_done_fn on_done, void *context);

/* Starts a transfer. 0: on_done runs once, from the loop, unless it is removed. UV_ENOMEM: never. */
int curl_loop_add(struct curl_loop *curl, CURL *easy);

/* Ends a transfer at once, without on_done. Not to be called from a callback of the transfer itself. */
void curl_loop_remove(struct curl_loop *curl, CURL *easy);

/*
 * Closes the kept connections and frees it; on_close runs once, from the loop, when every handle is closed.
 * Every transfer must have ended or been removed.
 */
void curl_loop_close(struct curl_loop *curl, curl_loop_close_fn on_close, void *context);

#endif
