/* Values as people read them: few digits, and a unit. */
#ifndef BASE_READABLE_H
#define BASE_READABLE_H

#include "base/buffer.h"

#include <stdint.h>

/* Appends "707 KiB", "1.3 MiB". */
void readable_bytes(struct buffer *out, double bytes);

/* Appends "463", "1.3 k", "25.0 M". */
void readable_count(struct buffer *out, double count);

/* Appends "3 d 4 h", "12 min", "5 s". */
void readable_duration(struct buffer *out, uint64_t seconds);

/* Appends "0", "0.4", "54", "1.2 k", without a unit of time. */
void readable_rate(struct buffer *out, double rate);

/* Appends "97.5 %", or a dash if there is neither a hit nor a miss. */
void readable_ratio(struct buffer *out, uint64_t hits, uint64_t misses);

/* Appends "2026-11-28 23:39:09 UTC". */
void readable_time(struct buffer *out, double unix_s);

#endif
