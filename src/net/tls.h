/*
 * One TLS session without a socket: the caller feeds it the bytes that the peer sent, and sends the bytes
 * that it puts out. Pure; stream.c does both. The context decides whether it is client or server.
 *
 *     tls_init -> tls_handshake* (TLS_DONE) -> tls_read*, tls_write* -> tls_end -> tls_deinit
 *
 * After each of these calls `output` may hold records for the peer. Send them in order, even when the call
 * failed: the last record is then the alert that tells the peer why. A client's server name decides what is
 * verified: the certificate must be for it, be it a host name or an address.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buffer.h"
#include "base/slice.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <sys/types.h>

/* What a peer may send in one record, with its head and its seal. */
#define TLS_RECORD_MAX (16 * 1024 + 512)

/* What lets a later session with the same server begin with less work; of OpenSSL, counted. */
struct ssl_session_st;

struct tls {
    struct ssl_st *ssl;             /* owned */
    struct tls_context *context;    /* held */
    struct slice input;             /* bytes of the peer that are being taken; only inside a call */
    struct buffer output;           /* records for the peer */
    struct ssl_session_st *session; /* client: the newest one; owned; NULL while there is none */
    char *why;                      /* of a failure, for people; owned; NULL where there was no memory */
    bool met_http;
};

enum tls_status {
    TLS_DONE,
    TLS_MORE, /* bytes of the peer are missing */
    TLS_FAILED,
};

/* 0 or UV_ENOMEM. `server_name` is borrowed for the call; NULL on the side of the server. */
int tls_init(struct tls *tls, struct tls_context *context, const char *server_name);

/* Wipes and frees. Also for one that is all zero. */
void tls_deinit(struct tls *tls);

/* Goes on with the handshake. What is taken is cut off `input`; after TLS_DONE the rest is for tls_read. */
enum tls_status tls_handshake(struct tls *tls, struct slice *input);

/*
 * Plain bytes into `at`, which has room for at least one: how many; 0: bytes of the peer are missing, and all
 * of `input` has been taken; UV_EOF: the peer has ended its direction in due form; UV_EPROTO: see tls_why.
 * While it returns more than 0 it may have more to give.
 */
ssize_t tls_read(struct tls *tls, struct slice *input, char *at, size_t size);

/* Seals all bytes into `output`. 0; UV_ENOMEM or UV_EPROTO: the session is of no more use. */
int tls_write(struct tls *tls, const char *bytes, size_t len);

/* Ends our direction in due form (close_notify). Once. */
void tls_end(struct tls *tls);

/*
 * Why it failed, for people, in plain words: "the certificate expired on Nov 28 2026", "the certificate is
 * for a.example, not for b.example". Never NULL.
 */
const char *tls_why(const struct tls *tls);

/* Whether what came instead of a handshake is HTTP without TLS. */
bool tls_met_http(const struct tls *tls);

/* Client, before the handshake: tries to go on with an earlier session, which is borrowed for the call. */
void tls_resume(struct tls *tls, struct ssl_session_st *session);

/* Whether the server took it. */
bool tls_is_resumed(const struct tls *tls);

/* Client: the newest session, which is the caller's to release; NULL if there is none that can be resumed. */
struct ssl_session_st *tls_take_session(struct tls *tls);

/* NULL is taken. */
void tls_session_release(struct ssl_session_st *session);

#endif
