/* The HTTP interface: the routes and their handler functions, see web/handlers.c. */
#ifndef WEB_HANDLERS_H
#define WEB_HANDLERS_H

#include "collectors/telemetry.h"
#include "http/server.h"
#include "targets/manager.h"
#include "targets/reload.h"
#include "web/kubelet.h"

#include <stdbool.h>
#include <stddef.h>

struct handlers {
    struct manager *manager; /* borrowed, as are the other pointers */
    struct reload *reload;
    struct fleet *fleet;
    struct telemetry *telemetry;
    struct kubelet kubelet;
    bool stopping; /* true: the exporter is stopping and not ready any more */
};

/* Answers a request, immediately or later. A server_handler_fn whose context is a struct handlers. */
void handlers_handle(void *context, struct exchange *exchange, const struct request *request);

/* Releases the last gather. Call it when the configured targets change and when the exporter stops. */
void handlers_forget(struct handlers *handlers);

#endif
