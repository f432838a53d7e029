/*
 * A gzip stream (RFC 1952), fed piece by piece. Pure: may run on any thread, one at a time.
 *
 * There are two implementations, of which the build takes one: gzip_isal.c by ISA-L, and gzip_zlib.c by zlib
 * where ISA-L is missing. Both give streams that every reader of gzip understands, but not the same bytes.
 */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "base/buffer.h"
#include "base/slice.h"

struct gzip;

enum gzip_end {
    GZIP_MORE,  /* may keep what it has been fed */
    GZIP_FLUSH, /* gives all that was kept so far, at some cost of the ratio */
    GZIP_LAST,  /* ends the stream */
};

/* NULL when out of memory. */
struct gzip *gzip_new(void);

/* NULL is taken. */
void gzip_free(struct gzip *gzip);

/* Appends to `out` what these bytes give. 0, or UV_ENOMEM when `out` has failed. */
int gzip_write(struct gzip *gzip, struct slice in, enum gzip_end end, struct buffer *out);

#endif
