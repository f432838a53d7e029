/*
 * The names of Prometheus' data model (https://prometheus.io/docs/concepts/data_model/), in their plain form.
 */
#ifndef BASE_LABEL_NAME_H
#define BASE_LABEL_NAME_H

#include "base/slice.h"

#include <stdbool.h>

/* [a-zA-Z_:][a-zA-Z0-9_:]* */
bool metric_name_is_valid(struct slice name);

/* [a-zA-Z_][a-zA-Z0-9_]*, not beginning with "__": such labels are Prometheus' own. */
bool label_name_is_valid(struct slice name);

#endif
