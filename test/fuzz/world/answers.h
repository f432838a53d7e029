/*
 * Reads the bytes that a scraper received, as a strict client: whole answers one after the other, each with
 * its framing (RFC 9112, 6). Pure.
 */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include "base/slice.h"

#include <stdbool.h>

struct answer_read {
    int status;
    bool plain;        /* the body has no content coding, and is text */
    bool closes;       /* nothing may follow on this connection */
    struct slice body; /* without the framing; in memory of the next call */
};

enum answer_outcome { ANSWER_WHOLE, ANSWER_PART, ANSWER_MALFORMED };

/*
 * Takes one answer off `bytes`. `headless`: the request was HEAD, so there is no body. `ended`: the
 * connection has ended, which may be the end of the body. Takes nothing unless the answer is whole.
 */
enum answer_outcome answer_next(struct slice *bytes, bool headless, bool ended, struct answer_read *answer);

#endif
