/*
 * Compresses a body piece by piece with gzip (RFC 1952) or zstd (RFC 8878). Pure: may run on any thread, but
 * only on one at a time.
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
    enum coding coding; /* CODING_IDENTITY: nothing to release */
    struct gzip *gzip;  /* owned; NULL unless `coding` is CODING_GZIP */
    ZSTD_CCtx *zstd;
};

/* Returns the name for Accept-Encoding and Content-Encoding, such as "gzip". */
const char *coding_name(enum coding coding);

/* Returns the supported coding that an Accept-Encoding value prefers. */
enum coding coding_choose(struct slice accept_encoding);

/*
 * `coding` must not be CODING_IDENTITY. Returns 0 or UV_ENOMEM. After UV_ENOMEM there is nothing to release.
 */
int compressor_init(struct compressor *compressor, enum coding coding);

/*
 * Compresses `in` and appends the result to `out`. `last` ends the stream; until then the compressor may hold
 * data back. Returns 0, or UV_ENOMEM if `out` has failed.
 */
int compressor_write(struct compressor *compressor, struct slice in, bool last, struct buffer *out);

/*
 * Appends all data that was held back, which makes the output a little larger. Returns 0, or UV_ENOMEM if
 * `out` has failed.
 */
int compressor_flush(struct compressor *compressor, struct buffer *out);

void compressor_deinit(struct compressor *compressor);

#endif
