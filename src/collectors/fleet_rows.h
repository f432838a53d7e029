/*
 * Families that are rows of the stats table. Part of the fleet's collector. Nearly all samples of an
 * exposition are written here.
 */
#ifndef COLLECTORS_FLEET_ROWS_H
#define COLLECTORS_FLEET_ROWS_H

#include "collectors/fleet.h"
#include "collectors/fleet_table.h"

#include <stddef.h>

/*
 * Writes one family from the target at fleet->position on: up to target `end`, or until the output has
 * `bytes`, or until one target has had its share of the step. Moves the position to the next target, and the
 * cursors of the targets behind the family.
 */
void fleet_rows_write(struct fleet_walk *fleet, struct encoder *encoder, const struct table_family *family,
                      size_t end, size_t bytes);

#endif
