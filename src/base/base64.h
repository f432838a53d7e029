/* Base64 (RFC 4648, 4), as HTTP's basic authentication has it. Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Appends the bytes. False if the text is not base64 with its padding; then some bytes may have been
 * appended.
 */
bool base64_decode(struct slice text, struct buffer *out);

#endif
