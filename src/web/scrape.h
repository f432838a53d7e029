/* One scrape over HTTP: a request, what is gathered for it, and the exposition that answers it. */
#ifndef WEB_SCRAPE_H
#define WEB_SCRAPE_H

#include "http/server.h"
#include "web/handlers.h"

/*
 * Answers the request, at once or later, with what its targets say: those that its query names, or the
 * configured ones. What is wrong with the request is found before a target is asked, and answered in one line
 * that says what was expected.
 *
 * With fail=true the answer is 502 when no target is up. It is 403 when there is one target, and all that its
 * name was resolved to is forbidden.
 */
void scrape_answer(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                   bool takes_targets);

#endif
