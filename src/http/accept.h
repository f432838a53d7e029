/*
 * Reads what a client accepts: the quality values of Accept-Encoding and Accept (RFC 9110, 12.4.2, 12.5.1 and
 * 12.5.3). Pure.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "base/slice.h"

/*
 * Returns the quality, in thousandths (0 to 1000), that an Accept-Encoding value gives to a content coding.
 * This is the quality of the coding's first entry, or else of "*", or else 0. A malformed quality counts as
 * 0. "identity" without an entry and without "*" is acceptable as a last choice: 1. "x-gzip" means "gzip".
 */
int accept_encoding_quality(struct slice header, const char *coding);

/*
 * A media type that the server offers, with its parameters. A parameter is NULL if the type has none. A range
 * does not match if it asks for another value of a parameter. A range that does not name the parameter
 * matches.
 */
struct media_offer {
    const char *type;    /* "text/plain" */
    const char *version; /* "0.0.4" */

    /*
     * Protobuf only: the name of the message, "io.prometheus.client.MetricFamily", and how messages follow
     * each other, "delimited".
     */
    const char *proto, *encoding;
};

struct media_choice {
    size_t offer; /* index of the chosen offer */
    /*
     * The `escaping` parameter (see Prometheus' content negotiation) of the range that matched the offer.
     * May be empty.
     */
    struct slice escaping;
};

/*
 * Returns the offer that an Accept value prefers: the one with the highest quality, then the one that is
 * named most exactly, then the first. The quality of an offer comes from the most exact range that matches
 * it. Without a header or a match, returns the first offer, since a scraper may understand it anyway.
 */
struct media_choice accept_choose(struct slice header, const struct media_offer *offers, size_t count);

#endif
