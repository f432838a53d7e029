/*
 * Names of metrics and labels in Prometheus' data model (https://prometheus.io/docs/concepts/data_model/),
 * without the newer UTF-8 names.
 */
#ifndef BASE_LABEL_NAME_H
#define BASE_LABEL_NAME_H

#include "base/slice.h"

#include <stdbool.h>

/* Returns true for [a-zA-Z_:][a-zA-Z0-9_:]* */
bool metric_name_is_valid(struct slice name);

/*
 * Returns true for [a-zA-Z_][a-zA-Z0-9_]* without a leading "__". Prometheus reserves labels with "__" for
 * itself.
 */
bool label_name_is_valid(struct slice name);

#endif
