/* A gzip stream (RFC 1952) through zlib, fed piece by piece. Pure: may run on any thread, one at a time. */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "base/buffer.h"

#include <stdbool.h>
#include <zlib.h>

struct gzip {
    z_stream stream;
};

/* 0, or a negative libuv code (out of memory); then there is nothing to release. */
int gzip_init(struct gzip *gzip);

/*
 * Appends to `out` what zlib gives for these bytes; `last` ends the stream. Gives out everything that it has
 * been fed only at the end. 0 or a negative libuv code; a failed `out` is UV_ENOMEM.
 */
int gzip_write(struct gzip *gzip, struct slice in, bool last, struct buffer *out);

void gzip_deinit(struct gzip *gzip);

#endif
