/*
 * Compresses a gzip stream (RFC 1952) piece by piece. Pure: may run on any thread, but only on one at a time.
 *
 * The build chooses one of two implementations: gzip_isal.c uses ISA-L, and gzip_zlib.c uses zlib where ISA-L
 * is missing. Every gzip reader understands both, but their bytes differ.
 */
#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "base/buffer.h"
#include "base/slice.h"

struct gzip;

enum gzip_end {
    GZIP_MORE,  /* the compressor may hold data back */
    GZIP_FLUSH, /* appends all data that was held back; makes the output a little larger */
    GZIP_LAST,  /* ends the stream */
};

/* Returns NULL when out of memory. */
struct gzip *gzip_new(void);

/* `gzip` may be NULL. */
void gzip_free(struct gzip *gzip);

/* Compresses `in` and appends the result to `out`. Returns 0, or UV_ENOMEM if `out` has failed. */
int gzip_write(struct gzip *gzip, struct slice in, enum gzip_end end, struct buffer *out);

#endif
