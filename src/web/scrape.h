/* Answers one scrape over HTTP: reads the request, gathers, and sends the exposition. */
#ifndef WEB_SCRAPE_H
#define WEB_SCRAPE_H

#include "http/server.h"
#include "web/handlers.h"

/*
 * Answers the request, immediately or later, with the metrics of its targets. If `takes_targets`, the query
 * names them; otherwise they are the configured ones. An invalid request is refused before any target is
 * asked, with one line that says what was expected.
 *
 * With fail=true the answer is 502 if no target is up. The answer is 403 if there is only one target and the
 * policy forbids all addresses of its name.
 */
void scrape_answer(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                   bool takes_targets);

/*
 * Asks all configured servers, for the page at "/", and then answers 303 to the page with the server of index
 * `from`. The limits are those of any other scrape.
 */
void scrape_refresh(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                    size_t from);

#endif
