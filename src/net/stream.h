/*
 * One connection, TCP or unix-domain, on the loop: to a server or from a client.
 *
 * A stream has one lent read buffer, at most one write under way and one close.
 * It knows no protocol, keeps no deadline (its owner's timer does) and never
 * retries. Once it is secured, TLS is behind the same functions.
 *
 *     init -> connect -> [on_connect] -+--------------------------+-> read -> [on_read]* --+-> close
 *     init -> accept ------------------+-> secure -> [on_secure] -+-> write -> [on_write] -+-> [on_close]
 *
 * The memory belongs to the owner, who embeds it and may release it only from or
 * after on_close. Every function that starts something keeps this contract: 0 means
 * that its callback runs exactly once later (unless the stream is closed before; then
 * never), a negative libuv code means that it never runs. No callback runs inside the
 * function that arms it. After a failure the owner closes the stream.
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

/* status: 0 or a negative libuv code. */
typedef void (*stream_connect_fn)(struct stream *stream, int status);
typedef void (*stream_write_fn)(struct stream *stream, int status);
typedef void (*stream_close_fn)(struct stream *stream);

/*
 * n > 0: so many bytes have been written to the lent memory. n < 0: UV_EOF or an
 * error; reading has stopped. Never 0.
 */
typedef void (*stream_read_fn)(struct stream *stream, ssize_t n);

/*
 * Lends memory for the next read: base and len, valid until the following on_read.
 * Must lend at least one byte: an owner without room stops reading first.
 */
typedef uv_buf_t (*stream_lend_fn)(struct stream *stream);

/*
 * status 0: from now on what is read and written is secured. UV_EPROTO: `why` says in plain words what is
 * wrong, borrowed for the call. Another negative code: the connection ended or broke meanwhile.
 */
typedef void (*stream_secure_fn)(struct stream *stream, int status, const char *why);

/* How a stream is to be secured; borrowed for the call. */
struct stream_security {
    struct tls_context *context;
    const char *server_name; /* of a client: whom the certificate must be for; NULL on the server's side */
    struct ssl_session_st
        *session; /* of a client: an earlier session with this server, to go on with; or NULL */
};

struct stream {
    uv_loop_t *loop;
    void *context; /* the owner's, for callbacks that cannot use container_of */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct stream_tls *tls;           /* owned; NULL without TLS */
    struct stream_requests *requests; /* owned; NULL while none of them is in use */
    struct read_budget *budget;       /* of reading; borrowed; NULL for none */
    struct read_budget_ticket ticket;
    stream_connect_fn on_connect;
    stream_lend_fn on_lend;
    stream_read_fn on_read;
    stream_write_fn on_write;
    stream_close_fn on_close;
    bool open;    /* the handle is initialised and not yet closed */
    bool closing; /* stream_close was called; stays set until stream_init */
    bool writing;
};

/* Sets the fields; touches no loop. */
void stream_init(struct stream *stream, uv_loop_t *loop);

/* An initialised stream that stream_dispose frees; NULL when out of memory. */
struct stream *stream_new(uv_loop_t *loop);

/* Closes a stream of stream_new, and frees it from the loop. No callback runs any more. NULL is taken. */
void stream_dispose(struct stream *stream);

/* Connects; Nagle's delay is off on TCP. */
int stream_connect(struct stream *stream, const union endpoint *endpoint, stream_connect_fn on_connect);

/*
 * Takes a waiting connection from a listener (a uv_tcp_t or uv_pipe_t of the same loop). 0 or a negative
 * libuv code; there is no callback. Nagle's delay is off on TCP.
 */
int stream_accept(struct stream *stream, uv_stream_t *listener);

/*
 * Begins TLS on an open stream, before anything is read or written. 0: on_secure runs once, from the loop,
 * unless the stream is closed before. UV_ENOMEM or what sending came to: never.
 */
int stream_secure(struct stream *stream, const struct stream_security *security, stream_secure_fn on_secure);

/*
 * After on_secure has failed: the stream is plain again, so that the peer can be told in its own words. False
 * where that is too late.
 */
bool stream_unsecure(struct stream *stream);

/* The session of a secured stream, for what it has to tell; NULL without TLS. */
struct tls *stream_tls(const struct stream *stream);

/* From now on shares a budget with other streams, until stream_init, and has a new share of it. To be called
 * before stream_read, and later when an answer of another size is due. */
void stream_share(struct stream *stream, struct read_budget *budget);

/*
 * For a connection that will be idle: turns on TCP keepalive, so that the kernel notices when the peer is
 * gone or a NAT has dropped the connection. Does nothing on a unix socket.
 */
void stream_keep_alive(struct stream *stream);

/* Whether nothing waits to be read, not even the end; to be called where nothing is expected. */
bool stream_is_quiet(const struct stream *stream);

/* Reads until stream_read_stop, an error or the end. */
int stream_read(struct stream *stream, stream_lend_fn on_lend, stream_read_fn on_read);

/* May be followed by stream_read again. */
void stream_read_stop(struct stream *stream);

/*
 * Writes what the kernel takes at once: how many bytes, 0 if none, or a negative libuv code. A secured stream
 * takes all, and keeps what the kernel does not. Never between stream_write and its callback (asserted).
 */
ssize_t stream_write_now(struct stream *stream, const char *bytes, size_t len);

/*
 * Writes all buffers, whose bytes must stay as they are until the callback; the array
 * itself need not. At most one write at a time (asserted).
 */
int stream_write(struct stream *stream, const uv_buf_t *buffers, unsigned count, stream_write_fn on_write);

/* How many bytes of the write under way the kernel has not taken yet. */
size_t stream_unwritten(const struct stream *stream);

/*
 * Ends our direction once everything is written, so that the peer reads an end; may be called once. Reports
 * nothing: what comes of it shows in what the peer does. 0 or a negative libuv code.
 */
int stream_shutdown(struct stream *stream);

/*
 * Closes and then calls on_close once, from the loop, never from inside this call. Callbacks
 * that were still due do not run. Also for a stream that never opened. Closing twice is harmless: the
 * first call's callback counts. From then on stream_init makes it fit for another connection.
 */
void stream_close(struct stream *stream, stream_close_fn on_close);

#endif
