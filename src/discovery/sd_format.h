/*
 * The format of Prometheus' file_sd and http_sd: a list of groups, each with targets and labels.
 *
 *     [{"targets": ["cache-1:11211", "cache-2"], "labels": {"zone": "a", "__meta_rack": "7"}}, ...]
 *
 * As strict as Prometheus: unknown keys are errors, and in JSON only quoted strings are strings. A text is
 * accepted as a whole or not at all. There is one exception: a target that is not an address is left out and
 * counted in results.dropped.
 *
 * YAML aliases and merge keys are followed. An empty YAML text has no targets, and neither has `null`; a JSON
 * text must not be empty. Labels that begin with "__" are kept, since a group of the configuration may refer
 * to them. Whether a group may use a name is not checked here. Pure.
 *
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
 */
#ifndef DISCOVERY_SD_FORMAT_H
#define DISCOVERY_SD_FORMAT_H

#include "base/buffer.h"
#include "base/slice.h"
#include "discovery/results.h"

/* The largest text in bytes; callers check it before parsing. */
#define SD_TEXT_MAX (16 * 1024 * 1024)

enum sd_syntax { SD_JSON, SD_YAML };

/*
 * Adds all targets of a text to `found`. Each gets the labels of its group and `origin`, the label that says
 * where it comes from, as in Prometheus. `origin` replaces a label of the same name. Returns 0, UV_ENOMEM, or
 * UV_EINVAL with one line in `error`, without a line end ("[3].labels.zone: a list: expected a string").
 * After an error, `found` may contain some of the targets.
 */
int sd_format_read(struct results *found, struct slice text, enum sd_syntax syntax,
                   struct results_label origin, struct buffer *error);

#endif
