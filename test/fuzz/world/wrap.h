/* How calls.c and transfer.c wrap a call of libc. */
#ifndef FUZZ_WRAP_H
#define FUZZ_WRAP_H

#include <errno.h>

/* Declares the wrap of a call, and the call itself. */
#define WRAP(type, name, ...)                                                                                \
    type __real_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__)

static inline int fail_with(int error)
{
    errno = error;
    return -1;
}

#endif
