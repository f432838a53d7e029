/*
 * The TLS part of stream.c: encrypts and decrypts the bytes of a secured stream. Only stream.c includes this
 * header. Owners call stream_secure and then use the same functions as without TLS.
 */
#ifndef NET_STREAM_TLS_H
#define NET_STREAM_TLS_H

#include "net/stream.h"

/*
 * Begins the handshake, see stream_secure. Returns 0, UV_ENOMEM or the code of a failed write. The caller
 * then starts to read from the handle.
 */
int stream_tls_start(struct stream *stream, const struct stream_security *security,
                     stream_secure_fn on_secure);

/* Returns the memory into which all streams of the program read their records. */
uv_buf_t stream_tls_lend(void);

/* Handles n bytes in the memory of stream_tls_lend, or an end or an error (n < 0). May close the stream. */
void stream_tls_receive(struct stream *stream, ssize_t n);

/* Lets the owner read (again). Held records are delivered in a later turn. Returns 0 or UV_ENOMEM. */
int stream_tls_resume_reading(struct stream *stream);
void stream_tls_pause_reading(struct stream *stream);

/* Like stream_write_now and stream_write. stream_tls_write_now accepts all bytes or fails. */
ssize_t stream_tls_write_now(struct stream *stream, const char *bytes, size_t len);
int stream_tls_write(struct stream *stream, const uv_buf_t *buffers, unsigned count);

int stream_tls_shutdown(struct stream *stream);

/* Sends close_notify if the kernel accepts it at once. Call it before the handle is closed. */
void stream_tls_part(struct stream *stream);

/* Frees the TLS part after the handle has closed. `tls` may be NULL. */
void stream_tls_free(struct stream_tls *tls);

#endif
