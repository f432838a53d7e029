#include "http/gzip.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>
#include <zlib.h>

/*
 * An exposition repeats the same names and labels on every line, so higher levels gain little. Level 4 takes
 * 1.5 times as long and makes the output one twelfth smaller. Level 6 takes more than twice as long.
 */
#define LEVEL 3

/* The largest window. Adding 16 selects gzip's frame instead of zlib's. */
#define WINDOW_BITS (15 + 16)

/* zlib's own default. */
#define MEMORY_LEVEL 8

/* Bytes of output that one step reserves. */
#define STEP (16 * 1024)

struct gzip {
    z_stream stream;
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = calloc(1, sizeof(*gzip));
    if (!gzip) return NULL;
    if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
        return gzip;
    free(gzip);
    return NULL;
}

void gzip_free(struct gzip *gzip)
{
    if (gzip) deflateEnd(&gzip->stream);
    free(gzip);
}

int gzip_write(struct gzip *gzip, struct slice in, enum gzip_end end, struct buffer *out)
{
    static const int flushes[] = {
        [GZIP_MORE] = Z_NO_FLUSH, [GZIP_FLUSH] = Z_SYNC_FLUSH, [GZIP_LAST] = Z_FINISH};
    z_stream *stream = &gzip->stream;
    int result = Z_OK;
    assert(in.len <= UINT_MAX);
    stream->next_in = (Bytef *) (uintptr_t) in.data; /* zlib does not write to it; its type lacks the const */
    stream->avail_in = (uInt) in.len;

    /* Free space in the output means that deflate has no more output. */
    do {
        char *at = buffer_reserve(out, STEP);
        if (!at) return UV_ENOMEM;
        stream->next_out = (Bytef *) at;
        stream->avail_out = STEP;
        result = deflate(stream, flushes[end]);
        assert(result != Z_STREAM_ERROR);
        out->len += STEP - stream->avail_out;
    } while (stream->avail_out == 0);
    assert(stream->avail_in == 0 && (end != GZIP_LAST || result == Z_STREAM_END));
    return 0;
}
