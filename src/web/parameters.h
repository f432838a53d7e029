/*
 * From an HTTP request to a scrape request: the query says which targets, stats commands and families, the
 * headers say the format and the time there is.
 */
#ifndef WEB_PARAMETERS_H
#define WEB_PARAMETERS_H

#include "gather/scrape_request.h"
#include "http/request.h"
#include "web/answer.h"
#include "web/handlers.h"

#include <stdbool.h>

/*
 * Fills an empty scrape request. With `takes_targets` the query names the targets, within the target policy;
 * else they are the configured ones, and `target` is passed over. False with a refusal; nothing has been
 * asked of a target then.
 */
bool parameters_read(struct scrape_request *scrape, struct handlers *handlers, const struct request *request,
                     bool takes_targets, struct query_refusal *refusal);

#endif
