/*
 * The bytes of the fuzzer as a script: whoever has a choice takes the next byte. When the script is over,
 * each choice is 0, which always means: as on a good day. So every scenario comes to an end by itself.
 */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void script_begin(const uint8_t *bytes, size_t len);
bool script_is_over(void);

/* Returns the next byte, or 0. */
unsigned script_byte(void);

/* Returns a number below `choices`, which is at most 256. */
unsigned script_below(unsigned choices);

/* Takes the next bytes as they are: one byte says how many, at most `most`. */
struct slice script_bytes(size_t most);

#endif
