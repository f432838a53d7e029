/* Label values of a group, which may refer to discovered labels ("$zone"). For config/ only. */
#ifndef CONFIG_REFERENCES_H
#define CONFIG_REFERENCES_H

#include "config/reading.h"

/*
 * Takes the text apart, into label->parts: $name and ${name} stand for the discovered label of that name,
 * $meta_name for
 * __meta_name, $$ for a dollar.
 */
int read_references(struct reading *reading, const struct node *node, struct config_label *label);

#endif
