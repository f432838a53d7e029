/*
 * The format of Prometheus' file_sd and http_sd: a list of groups, each with targets and labels.
 *
 *     [{"targets": ["cache-1:11211", "cache-2"], "labels": {"zone": "a", "__meta_rack": "7"}}, ...]
 *
 * As strict as Prometheus: unknown keys are errors, in JSON only strings are strings. A text is taken as a
 * whole or not at all, but for targets that are no addresses: each costs itself alone, and is counted in
 * results.dropped. Aliases and merge keys of YAML are followed. A YAML text that says nothing has no
 * targets, as `null` has; JSON cannot be empty. Labels that begin with "__" are kept, since a group of the
 * configuration may refer to them; whether a name may be used there is not known here. Pure.
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
 * Adds all targets of a text to `found`, as they are written, each with the labels of its group and with
 * `origin`: where it comes from, as Prometheus tells it too. That takes the place of a label of its name.
 * 0; UV_EINVAL with one line in `error`, without a line end ("[3].labels.zone: a list: expected a string");
 * UV_ENOMEM. In both, `found` may hold a part.
 */
int sd_format_read(struct results *found, struct slice text, enum sd_syntax syntax,
                   struct results_label origin, struct buffer *error);

#endif
