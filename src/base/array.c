#include "base/array.h"

#include <stdlib.h>
#include <string.h>

bool array_grow(void *items, size_t *size, size_t item_size, size_t least, size_t most)
{
    size_t wanted = *size ? 2 * *size : least;
    void *memory;
    if (wanted > most) wanted = most;
    if (wanted <= *size) return false;
    memcpy(&memory, items, sizeof(memory));
    memory = realloc(memory, wanted * item_size);
    if (!memory) return false;
    memcpy(items, &memory, sizeof(memory));
    *size = wanted;
    return true;
}
