/*
 * What a client accepts: quality values of Accept-Encoding and Accept (RFC 9110, 12.4.2, 12.5.1 and 12.5.3).
 * Pure.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "base/slice.h"

/*
 * The quality, in thousandths (0 to 1000), that an Accept-Encoding value gives to a content coding: its own
 * entry (the first of several), else that of "*", else 0. A malformed quality counts as 0. "identity" that is
 * neither named nor covered by "*" is acceptable, but liked least: 1. "x-gzip" is "gzip".
 */
int accept_encoding_quality(struct slice header, const char *coding);

/*
 * A media type that could be answered, with its parameters; NULL for those it has not. A range that asks for
 * another value of one of them does not match; one that does not name it does.
 */
struct media_offer {
    const char *type;    /* "text/plain" */
    const char *version; /* "0.0.4" */

    /* Of the message and of what delimits it: "io.prometheus.client.MetricFamily", "delimited". */
    const char *proto, *encoding;
};

struct media_choice {
    size_t offer;          /* index of the chosen one */
    struct slice escaping; /* the escaping parameter of the range that chose it, see Prometheus' content
                              negotiation; may be empty */
};

/*
 * The offer that an Accept value likes best: by quality, then by how exactly it is named, then the earlier
 * one. The quality of an offer is that of the most exact range that matches it. Without a match, and without
 * a header, the first: a scraper that asks for something else still gets an answer that it may understand.
 */
struct media_choice accept_choose(struct slice header, const struct media_offer *offers, size_t count);

#endif
