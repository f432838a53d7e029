#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

void *library_open(const char *const *names)
{
    void *library = NULL;
    while (*names && !library) library = dlopen(*names++, RTLD_NOW | RTLD_LOCAL);
    return library;
}

/*
 * dlsym returns functions as void *. C does not allow a cast to a function pointer, so the bytes are copied.
 */
bool library_find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

void library_close(void *library)
{
    dlclose(library);
}
