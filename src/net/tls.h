/*
 * One TLS session without a socket. The caller passes in the bytes from the peer and sends the bytes of
 * `output` to the peer. Pure; stream_tls.c connects the session to a socket. The context decides whether the
 * session is a client or a server.
 *
 *     tls_init -> tls_handshake* (TLS_DONE) -> tls_read*, tls_write* -> tls_end -> tls_deinit
 *
 * After each of these calls, `output` may contain records for the peer. Send them in order, even when the
 * call failed: then the last record is an alert that tells the peer the reason. A client verifies that the
 * certificate is for its server name, which may be a host name or an address.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buffer.h"
#include "base/slice.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <sys/types.h>

/* Most bytes of one record, with its header and its authentication tag. */
#define TLS_RECORD_MAX (16 * 1024 + 512)

/*
 * A session that can be resumed, so that a later handshake with the same server takes less work. Type of
 * OpenSSL, reference-counted.
 */
struct ssl_session_st;

struct tls {
    struct ssl_st *ssl;             /* owned */
    struct tls_context *context;    /* one reference */
    struct slice input;             /* bytes from the peer; set only during a call */
    struct buffer output;           /* records for the peer */
    struct ssl_session_st *session; /* client: newest session; owned; NULL if there is none */
    char *why;                      /* reason of a failure, for people; owned; NULL if out of memory */
    bool met_http;
};

enum tls_status {
    TLS_DONE,
    TLS_MORE, /* more bytes from the peer are needed */
    TLS_FAILED,
};

/* Begins a session. Returns 0 or UV_ENOMEM. `server_name` is copied; it is NULL for a server. */
int tls_init(struct tls *tls, struct tls_context *context, const char *server_name);

/* Frees the session. Does nothing if `tls` is all zero. */
void tls_deinit(struct tls *tls);

/*
 * Continues the handshake. Removes the bytes that it used from the start of `input`. After TLS_DONE, the rest
 * of `input` is for tls_read.
 */
enum tls_status tls_handshake(struct tls *tls, struct slice *input);

/*
 * Decrypts bytes into `at`, which has room for at least one byte. Returns the number of bytes; there may be
 * more as long as it is above 0. Returns 0 if more bytes from the peer are needed; all of `input` has then
 * been used. Returns UV_EOF if the peer has sent close_notify, or UV_EPROTO, see tls_why.
 */
ssize_t tls_read(struct tls *tls, struct slice *input, char *at, size_t size);

/*
 * Encrypts all bytes into `output`. Returns 0, UV_ENOMEM or UV_EPROTO. After a failure, the session cannot be
 * used any more.
 */
int tls_write(struct tls *tls, const char *bytes, size_t len);

/* Ends the sending direction with close_notify. Call it only once. */
void tls_end(struct tls *tls);

/*
 * Returns the reason of a failure for people: "the certificate expired on 2026-11-28 12:00 UTC", "the
 * certificate is not for the name of the server, but for a.example". Never returns NULL.
 */
const char *tls_why(const struct tls *tls);

/* Returns true if the peer sent plain HTTP instead of a TLS handshake. */
bool tls_met_http(const struct tls *tls);

/*
 * Lets a client try to resume an earlier session. Call it before the handshake. Does not take the caller's
 * reference.
 */
void tls_resume(struct tls *tls, struct ssl_session_st *session);

/* Returns true if the server accepted the earlier session. */
bool tls_is_resumed(const struct tls *tls);

/*
 * Returns the newest session of a client, which the caller must release. Returns NULL if there is no session
 * that can be resumed.
 */
struct ssl_session_st *tls_take_session(struct tls *tls);

/* Releases a reference. `session` may be NULL. */
void tls_session_release(struct ssl_session_st *session);

#endif
