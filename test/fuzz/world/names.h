/*
 * A scripted name server: c1.test is 10.0.0.1 and so on, all.test is all of them, _memcache._tcp.test has an
 * SRV record for each. It may also lie, stay silent, or send bytes of the script.
 */
#ifndef FUZZ_NAMES_H
#define FUZZ_NAMES_H

#include "base/slice.h"

#include <stdbool.h>

/* `honest`: always answers, at once, and truly. */
void names_begin(unsigned servers, bool honest);
bool names_are_honest(void);

/* For datagrams that the program sends: see struct outside. */
void names_ask(int descriptor, struct slice query);

#endif
