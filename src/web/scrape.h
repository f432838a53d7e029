/*
 * One scrape: a collection whose bytes are the answer to a request.
 */
#ifndef WEB_SCRAPE_H
#define WEB_SCRAPE_H

#include "gather/gather.h"
#include "http/server.h"

/*
 * Takes the exchange over and answers it with the collection and its content type. The plan's callbacks are
 * set here but for on_end, which is called with the plan's context when the answer is sent or will not be. 0,
 * or a negative libuv code: then nothing has been answered and on_end does not run.
 *
 * With `fail`, the answer is 502 when no target is up. It is 403 when there is one target, and all that its
 * name was resolved to is forbidden.
 */
int scrape_start(struct exchange *exchange, struct gather_plan *plan, const char *content_type, bool fail);

#endif
