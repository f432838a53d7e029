/*
 * A compressed body, fed piece by piece: gzip (RFC 1952) or zstd (RFC 8878). Pure: may run on any thread, one
 * at a time.
 */
#ifndef HTTP_COMPRESSOR_H
#define HTTP_COMPRESSOR_H

#include "base/buffer.h"
#include "base/slice.h"
#include "http/gzip.h"

#include <stdbool.h>
#include <zstd.h>

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD };

struct compressor {
    enum coding coding; /* CODING_IDENTITY: there is nothing to release */
    struct gzip *gzip;  /* owned, as the next one is */
    ZSTD_CCtx *zstd;
};

/* "gzip": the name in Accept-Encoding and Content-Encoding. */
const char *coding_name(enum coding coding);

/* What an Accept-Encoding value likes best of what there is. */
enum coding coding_choose(struct slice accept_encoding);

/* Not for CODING_IDENTITY. 0, or UV_ENOMEM; then there is nothing to release. */
int compressor_init(struct compressor *compressor, enum coding coding);

/*
 * Appends to `out` what these bytes give; `last` ends the stream. May keep what it has been fed until the
 * end. 0, or UV_ENOMEM when `out` has failed.
 */
int compressor_write(struct compressor *compressor, struct slice in, bool last, struct buffer *out);

/* Appends all that was kept so far, at some cost of the ratio. 0, or UV_ENOMEM when `out` has failed. */
int compressor_flush(struct compressor *compressor, struct buffer *out);

void compressor_deinit(struct compressor *compressor);

#endif
