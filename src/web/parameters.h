/*
 * Turns an HTTP request into a scrape request. The query selects targets, stats commands and metric families.
 * The headers select the format and the timeout.
 */
#ifndef WEB_PARAMETERS_H
#define WEB_PARAMETERS_H

#include "gather/scrape_request.h"
#include "http/request.h"
#include "web/answer.h"
#include "web/handlers.h"

#include <stdbool.h>

/*
 * Fills `scrape`, an empty scrape request. If `takes_targets`, the query names the targets, and the target
 * policy applies. Otherwise the configured targets are used, and `target` in the query is ignored. Returns
 * false and fills `refusal` if the request is refused. No target has been asked by then.
 */
bool parameters_read(struct scrape_request *scrape, struct handlers *handlers, const struct request *request,
                     bool takes_targets, struct query_refusal *refusal);

#endif
