/* What a client accepts: quality values of Accept-Encoding (RFC 9110, 12.4.2 and 12.5.3). Pure. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "base/slice.h"

/*
 * The quality, in thousandths (0 to 1000), that an Accept-Encoding value gives to a content coding: its own
 * entry (the first of several), else that of "*", else 0. A malformed quality counts as 0. "identity" that is
 * neither named nor covered by "*" is acceptable, but liked least: 1.
 */
int accept_encoding_quality(struct slice header, const char *coding);

#endif
