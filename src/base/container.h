/* container_of: finds the struct that embeds a member, given a pointer to the member. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stddef.h>

#define container_of(pointer, type, member) ((type *) ((char *) (pointer) -offsetof(type, member)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
