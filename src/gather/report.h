/*
 * What a gather found, for people and scripts: the command "check". A few lines for each server, with
 * warnings about what is near a limit; or one JSON object for each.
 */
#ifndef GATHER_REPORT_H
#define GATHER_REPORT_H

#include "base/producer.h"
#include "gather/gather.h"

#include <stdbool.h>

/*
 * Makes the report of a finished gather and takes over the reference in *gather, which becomes NULL. `json`:
 * a JSON array instead of text; `color`: escapes of a terminal in the text. Returns NULL when out of memory.
 */
struct producer *report_collected(struct gather **gather, bool json, bool color);

#endif
