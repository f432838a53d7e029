/*
 * Targets from a URL that answers with the JSON of Prometheus' http_sd (sd_format.h).
 *
 * Asked as Prometheus does: GET with Accept: application/json and the refresh interval in
 * X-Prometheus-Refresh-Interval-Seconds, over a connection that is kept; redirects are followed, to http and
 * https alone. Only status 200 with application/json is accepted; [] means that there are no targets. The URL
 * must not hold credentials, since it appears in logs and metrics. The environment's http_proxy, https_proxy
 * and no_proxy are honoured, as curl does.
 *
 * The answer is parsed on the thread pool, since a large one takes long.
 *
 * https://prometheus.io/docs/prometheus/latest/http_sd/
 */
#ifndef DISCOVERY_HTTP_SD_H
#define DISCOVERY_HTTP_SD_H

#include "discovery/discoverer.h"

/* For an answer as a whole, unless it is configured. */
#define HTTP_SD_TIMEOUT_MS 10000

/* Loads libcurl; UV_ENOENT when it is not installed. Targets get the label __meta_url. */
discoverer_new_fn http_sd_new;

#endif
