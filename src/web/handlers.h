/*
 * The HTTP surface: which path answers what. One screen of routes, each with its function in web/handlers.c.
 */
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
    struct manager *manager; /* borrowed, as all of these */
    struct reload *reload;
    struct fleet *fleet;
    struct telemetry *telemetry;
    struct kubelet kubelet;
    bool stopping; /* not ready any more */
};

/* Answers one request, at once or later; a server_handler_fn whose context is a struct handlers. */
void handlers_handle(void *context, struct exchange *exchange, const struct request *request);

/* Releases the last gather. Called when other targets are configured, and when the exporter stops. */
void handlers_forget(struct handlers *handlers);

#endif
