/*
 * One connection on the loop, over TCP or a unix socket: to a server or from a client.
 *
 * A stream borrows a read buffer from its owner for each read. At most one write and one close are under way.
 * A stream knows no protocol, has no deadline (its owner has a timer) and never retries. After stream_secure,
 * the same functions read and write over TLS.
 *
 *     init -> connect -> [on_connect] -+--------------------------+-> read -> [on_read]* --+-> close
 *     init -> accept ------------------+-> secure -> [on_secure] -+-> write -> [on_write] -+-> [on_close]
 *
 * The owner embeds the stream, and may free the memory only in on_close or later. Each function that takes a
 * callback, unless its comment says otherwise, returns 0 or a negative libuv code. After 0, the callback runs
 * exactly once, unless the stream is closed first; after a negative code, the callback never runs. No
 * callback runs inside the function that takes it. After a failure, the owner closes the stream.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/address.h"
#include "net/read_budget.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct stream;

/* `status` is 0 or a negative libuv code. */
typedef void (*stream_connect_fn)(struct stream *stream, int status);
typedef void (*stream_write_fn)(struct stream *stream, int status);
typedef void (*stream_close_fn)(struct stream *stream);

/*
 * Runs after each read. n > 0: the read put n bytes into the memory from on_lend. n < 0: UV_EOF or an error,
 * and reading has stopped. n is never 0.
 */
typedef void (*stream_read_fn)(struct stream *stream, ssize_t n);

/*
 * Returns memory for the next read, which must stay valid until the following on_read. The memory must have
 * at least one byte: an owner without free memory must stop reading first.
 */
typedef uv_buf_t (*stream_lend_fn)(struct stream *stream);

/*
 * Runs when the TLS handshake ends. status 0: from now on, all reads and writes use TLS. UV_EPROTO: `why`
 * describes the error for people and is valid only during the call. Any other negative code: the connection
 * ended or broke during the handshake.
 */
typedef void (*stream_secure_fn)(struct stream *stream, int status, const char *why);

/* Parameters of stream_secure. */
struct stream_security {
    struct tls_context *context;
    const char *server_name; /* client: the name that the certificate must be for; server: NULL */
    /* client: an earlier session with this server to resume, or NULL */
    struct ssl_session_st *session;
};

struct stream {
    uv_loop_t *loop;
    void *context; /* set by the owner, for callbacks that cannot use container_of */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct stream_tls *tls;           /* owned; NULL without TLS */
    struct stream_requests *requests; /* owned; NULL if none is in use */
    struct read_budget *budget;       /* read budget; borrowed; NULL: no limit */
    struct read_budget_ticket ticket;
    stream_connect_fn on_connect;
    stream_lend_fn on_lend;
    stream_read_fn on_read;
    stream_write_fn on_write;
    stream_close_fn on_close;
    bool open;    /* the handle is initialised and has not closed yet */
    bool closing; /* stream_close was called; reset only by stream_init */
    bool writing;
    bool paused; /* stream_read_stop was called; libuv stops reading when it finds something to read */
};

/* Initialises the fields. Does not touch the loop. */
void stream_init(struct stream *stream, uv_loop_t *loop);

/* Allocates and initialises a stream; stream_dispose frees it. Returns NULL when out of memory. */
struct stream *stream_new(uv_loop_t *loop);

/*
 * Closes a stream from stream_new and frees it in a later turn of the loop. No callback runs any more.
 * `stream` may be NULL.
 */
void stream_dispose(struct stream *stream);

/* Connects to the endpoint. Disables Nagle's algorithm on TCP. */
int stream_connect(struct stream *stream, const union endpoint *endpoint, stream_connect_fn on_connect);

/*
 * Accepts a waiting connection from a listener (a uv_tcp_t or uv_pipe_t on the same loop). Returns 0 or a
 * negative libuv code; there is no callback. Disables Nagle's algorithm on TCP.
 */
int stream_accept(struct stream *stream, uv_stream_t *listener);

/*
 * Begins TLS on an open stream, before anything is read or written. Returns 0, UV_ENOMEM or the code of a
 * failed write. After 0, on_secure runs once, from the loop, unless the stream is closed first. After a
 * failure, on_secure does not run.
 */
int stream_secure(struct stream *stream, const struct stream_security *security, stream_secure_fn on_secure);

/*
 * Removes TLS from the stream after on_secure has reported a failure, so that the owner can answer the peer
 * without TLS. Returns false if that is no longer possible.
 */
bool stream_unsecure(struct stream *stream);

/* Returns the TLS session of the stream, for queries, or NULL without TLS. */
struct tls *stream_tls(const struct stream *stream);

/*
 * Lets the stream share a read budget with other streams until stream_init, and gives it a full share. Call
 * it before stream_read, and again when the stream is reused.
 */
void stream_share(struct stream *stream, struct read_budget *budget);

/*
 * Enables TCP keepalive for a connection that will be idle, so that the kernel notices when the peer is gone
 * or a NAT has dropped the connection. Does nothing on a unix socket.
 */
void stream_keep_alive(struct stream *stream);

/* Returns true if bytes may wait because the read budget of a turn was spent. */
bool stream_has_unread(const struct stream *stream);

/*
 * Returns true if nothing waits to be read, not even the end of the connection. Call it when no data is
 * expected.
 */
bool stream_is_quiet(const struct stream *stream);

/* Reads until stream_read_stop, an error or the end. on_lend and on_read run for each read. */
int stream_read(struct stream *stream, stream_lend_fn on_lend, stream_read_fn on_read);

/* Stops reading. stream_read may be called again. */
void stream_read_stop(struct stream *stream);

/*
 * Writes as many bytes as the kernel accepts at once. Returns their number, which may be 0, or a negative
 * libuv code. With TLS, accepts all bytes and keeps those that the kernel does not accept. Must not be called
 * between stream_write and its callback (asserted).
 */
ssize_t stream_write_now(struct stream *stream, const char *bytes, size_t len);

/*
 * Writes all buffers. Their bytes must stay unchanged until on_write; the array `buffers` need not. At most
 * one write may be under way (asserted).
 */
int stream_write(struct stream *stream, const uv_buf_t *buffers, unsigned count, stream_write_fn on_write);

/* Returns how many bytes of the current write the kernel has not accepted yet. */
size_t stream_unwritten(const struct stream *stream);

/*
 * Ends the sending direction once everything is written, so that the peer reads an end. Call it at most once.
 * Returns 0 or a negative libuv code. There is no callback: later failures show only in what the peer does.
 */
int stream_shutdown(struct stream *stream);

/*
 * Closes the stream, even if it never opened. on_close runs once, from the loop and never inside this call.
 * All pending callbacks are dropped. If the stream is closed twice, only the first call's on_close runs.
 * After on_close, stream_init prepares the stream for another connection.
 */
void stream_close(struct stream *stream, stream_close_fn on_close);

#endif
