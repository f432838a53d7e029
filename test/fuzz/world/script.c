#include "script.h"

static struct slice script;

void script_begin(const uint8_t *bytes, size_t len)
{
    script = (struct slice){(const char *) bytes, len};
}

bool script_is_over(void)
{
    return script.len == 0;
}

unsigned script_byte(void)
{
    if (script.len == 0) return 0;
    unsigned byte = (unsigned char) *script.data;
    script = slice_from(script, 1);
    return byte;
}

unsigned script_below(unsigned choices)
{
    return script_byte() % choices;
}

struct slice script_bytes(size_t most)
{
    size_t len = script_byte();
    if (len > most) len = most;
    if (len > script.len) len = script.len;
    struct slice bytes = {script.data, len};
    script = slice_from(script, len);
    return bytes;
}
