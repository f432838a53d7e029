/* Base64 (RFC 4648, section 4), as HTTP basic authentication uses it. Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Decodes `text` and appends the bytes to `out`. Returns false if `text` is not padded base64, or if `out`
 * failed; some bytes may then have been appended.
 */
bool base64_decode(struct slice text, struct buffer *out);

#endif
