#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fault_at(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "\n%s:%d: FAULT: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}
