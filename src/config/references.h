/* Reads label values of a group. They may refer to discovered labels ("$zone"). Only for config/. */
#ifndef CONFIG_REFERENCES_H
#define CONFIG_REFERENCES_H

#include "config/reading.h"

/*
 * Splits the text of `node` into label->parts. $name and ${name} refer to the discovered label `name`,
 * $meta_name refers to __meta_name, and $$ is a dollar.
 */
int read_references(struct reading *reading, const struct node *node, struct config_label *label);

#endif
