/* Queries and paths of URLs. What is decoded is not longer than what was written, and holds no NUL. */
#include "fault.h"
#include "http/query.h"
#include "target.h"

#include <string.h>

static void expect_decoded(struct slice text, size_t most)
{
    expect(text.len <= most);
    expect(text.len == 0 || !memchr(text.data, '\0', text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *) data, size}, rest = text, name, value;
    struct buffer storage, path;
    buffer_init(&storage, size + 1);
    buffer_init(&path, size + 1);
    bool has_nul =
        memchr(data, '\0', size); /* a NUL that is not escaped is refused by the request's reader */
    if (size) buffer_reserve(&storage, size);
    while (!has_nul && query_next(&rest, &storage, &name, &value) == QUERY_PAIR) {
        expect_decoded(name, size);
        expect_decoded(value, size);
    }
    if (!has_nul && path_decode(text, &path)) expect_decoded(buffer_slice(&path), size);
    buffer_deinit(&storage);
    buffer_deinit(&path);
    return 0;
}
