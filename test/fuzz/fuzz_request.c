/*
 * Heads of HTTP requests, several in a row. The first byte says how they are cut: the reader must come to the
 * same as with all bytes at once.
 */
#include "fault.h"
#include "http/request.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    enum request_outcome outcome;
    struct request request;
    struct request_refusal refusal;
    size_t used;
    struct request_reader reader;
    char *bytes; /* memory of its own, of exactly the bytes that have arrived */
};

/* Reads one head, in pieces of up to `piece` bytes, or all at once. */
static void read_head(struct reading *reading, struct slice bytes, size_t piece)
{
    *reading = (struct reading){.outcome = REQUEST_MORE};
    request_reader_init(&reading->reader);
    for (size_t arrived = 0; reading->outcome == REQUEST_MORE && arrived < bytes.len;) {
        size_t step = piece ? 1 + (arrived * 31 + piece) % piece : bytes.len;
        arrived = bytes.len - arrived < step ? bytes.len : arrived + step;
        free(reading->bytes);
        reading->bytes = malloc(arrived);
        if (!reading->bytes) fault("the fuzzer is out of memory");
        memcpy(reading->bytes, bytes.data, arrived);
        reading->outcome =
            request_read(&reading->reader, &reading->request, (struct slice){reading->bytes, arrived},
                         &reading->used, &reading->refusal);
    }
}

static void end(struct reading *reading)
{
    request_reader_reset(&reading->reader);
    free(reading->bytes);
}

static void compare_requests(const struct request *a, const struct request *b)
{
    expect(a->method == b->method && a->minor == b->minor && a->keep_alive == b->keep_alive);
    expect(slice_equal(a->target, b->target) && slice_equal(a->path, b->path) &&
           slice_equal(a->query, b->query));
    for (int n = 0; n < REQUEST_HEADERS; n++) expect(slice_equal(a->headers[n], b->headers[n]));
    expect(a->path.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct slice rest = {(const char *) data + 1, size - 1};
    for (bool more = true; more && rest.len;) {
        struct reading whole, cut;
        read_head(&whole, rest, 0);
        read_head(&cut, rest, 1 + data[0]);
        expect(whole.outcome == cut.outcome);
        more = whole.outcome == REQUEST_DONE;
        if (more) {
            expect(whole.used == cut.used && whole.used > 0 && whole.used <= rest.len);
            compare_requests(&whole.request, &cut.request);
            rest = slice_from(rest, whole.used);
        } else if (whole.outcome == REQUEST_REFUSED) {
            expect(whole.refusal.status == cut.refusal.status);
            expect(strcmp(whole.refusal.why, cut.refusal.why) == 0);
        }
        end(&whole);
        end(&cut);
    }
    return 0;
}
