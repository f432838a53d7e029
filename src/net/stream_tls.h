/*
 * The TLS half of stream.c: encrypts and decrypts the bytes of a secured stream. Only stream.c includes it;
 * owners call stream_secure and then use the same functions as without TLS.
 */
#ifndef NET_STREAM_TLS_H
#define NET_STREAM_TLS_H

#include "net/stream.h"

/* 0 or UV_ENOMEM; see stream_secure. Reading the handle has been started by the caller. */
int stream_tls_start(struct stream *stream, const struct stream_security *security,
                     stream_secure_fn on_secure);

/* Memory for records; every stream of the program reads into the same. */
uv_buf_t stream_tls_lend(void);

/* n bytes of it have arrived, or an end or an error (n < 0). May close the stream. */
void stream_tls_receive(struct stream *stream, ssize_t n);

/* The owner reads (again): what was held back comes in a later turn. 0 or UV_ENOMEM. */
int stream_tls_resume_reading(struct stream *stream);
void stream_tls_pause_reading(struct stream *stream);

/* As stream_write_now and stream_write; the first takes all or fails. */
ssize_t stream_tls_write_now(struct stream *stream, const char *bytes, size_t len);
int stream_tls_write(struct stream *stream, const uv_buf_t *buffers, unsigned count);

int stream_tls_shutdown(struct stream *stream);

/* Sends close_notify if the kernel takes it at once. To be called before the handle is closed. */
void stream_tls_part(struct stream *stream);

/* After the handle is closed. NULL is taken. */
void stream_tls_free(struct stream_tls *tls);

#endif
