/*
 * Targets from a URL that answers with the JSON of Prometheus' http_sd (sd_format.h).
 *
 * The request is like that of Prometheus: GET with Accept: application/json, and the refresh interval in
 * X-Prometheus-Refresh-Interval-Seconds. The connection is kept. Redirects are followed, but only to http and
 * https. Only status 200 with application/json is accepted; [] means that there are no targets. The URL must
 * not contain credentials, since it appears in logs and metrics. The environment variables http_proxy,
 * https_proxy and no_proxy are honoured, as in curl.
 *
 * The thread pool parses the answer, since a large one takes long.
 *
 * https://prometheus.io/docs/prometheus/latest/http_sd/
 */
#ifndef DISCOVERY_HTTP_SD_H
#define DISCOVERY_HTTP_SD_H

#include "discovery/discoverer.h"

/* Default time limit of a whole answer. */
#define HTTP_SD_TIMEOUT_MS 10000

/* Loads libcurl. Returns UV_ENOENT if it is not installed. Every target gets the label __meta_url. */
discoverer_new_fn http_sd_new;

#endif
