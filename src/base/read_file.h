/*
 * Reads a whole file. Accepts only regular files: a pipe can be read only once, and a device may never end.
 */
#ifndef BASE_READ_FILE_H
#define BASE_READ_FILE_H

#include "base/buffer.h"

#include <stddef.h>

/*
 * Appends all bytes of the file to `text`. The cap of `text` must leave room for `most` + 1 bytes. Returns 0,
 * or a negative libuv code; `error` then gets one line without a line end: "a.yml: No such file or
 * directory", "a.yml: expected at most 16 MiB". Blocks, but never on a pipe without a writer.
 */
int read_file(const char *path, size_t most, struct buffer *text, struct buffer *error);

#endif
