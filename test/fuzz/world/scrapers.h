/*
 * Scripted HTTP clients. Each answer must be whole, or the connection be closed before it began; and what an
 * exposition says of healthy servers must be true, new and in time.
 */
#ifndef FUZZ_SCRAPERS_H
#define FUZZ_SCRAPERS_H

#include <stdbool.h>
#include <stdint.h>

/* What the scrapers may expect of the program. */
struct expectations {
    unsigned servers;    /* number of configured servers; 0: do not expect any particular one */
    bool labelled;       /* samples carry the label of their target */
    bool by_name;        /* targets are c1.test:11211 and so on, not 10.0.0.1:11211 */
    bool whole;          /* there is room for all, so that nobody has to give way within an answer */
    bool in_time;        /* deadlines are kept */
    bool up;             /* healthy servers are up */
    uint64_t stalled_ns; /* time for which the process did not run at all */
};

extern struct expectations expectations;

void scrapers_begin(void);

/* A new client, in a manner of the script. */
void scrapers_add(void);

/* Returns the number of clients that still wait for an answer. */
unsigned scrapers_waiting(void);

/* The exporter is told to stop: from now on, requests may be turned away. */
void scrapers_note_stop(void);

#endif
