#include "http/gzip.h"

#include <assert.h>
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

/*
 * Level 2 compresses no better than level 1, and level 3 takes four times as long. The small level buffer
 * makes shorter blocks than the default one. Their codes fit the text better, and 190 KiB are saved.
 */
#define LEVEL        1
#define LEVEL_BUFFER ISAL_DEF_LVL1_SMALL

/* Bytes of output that one step reserves. */
#define STEP (16 * 1024)

struct gzip {
    struct isal_zstream stream;
    uint8_t level_buffer[LEVEL_BUFFER];
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = malloc(sizeof(*gzip));
    if (!gzip) return NULL;
    isal_deflate_init(&gzip->stream);
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.level = LEVEL;
    gzip->stream.level_buf = gzip->level_buffer;
    gzip->stream.level_buf_size = LEVEL_BUFFER;
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    free(gzip);
}

int gzip_write(struct gzip *gzip, struct slice in, enum gzip_end end, struct buffer *out)
{
    struct isal_zstream *stream = &gzip->stream;
    assert(in.len <= UINT32_MAX);
    stream->next_in = (uint8_t *) (uintptr_t) in.data; /* ISA-L only reads it; its type lacks the const */
    stream->avail_in = (uint32_t) in.len;
    stream->end_of_stream = end == GZIP_LAST;
    stream->flush = end == GZIP_FLUSH ? SYNC_FLUSH : NO_FLUSH;

    /* Free space in the output means that ISA-L has no more output. */
    do {
        char *at = buffer_reserve(out, STEP);
        if (!at) return UV_ENOMEM;
        stream->next_out = (uint8_t *) at;
        stream->avail_out = STEP;
        int result = isal_deflate(stream);
        assert(result == COMP_OK);
        (void) result;
        out->len += STEP - stream->avail_out;
    } while (stream->avail_out == 0);
    assert(stream->avail_in == 0 && (end != GZIP_LAST || stream->internal_state.state == ZSTATE_END));
    return 0;
}
