/*
 * Shared libraries that are loaded when they are needed. One that the program is linked to costs memory from
 * the first moment, whether it is called or not.
 *
 *     static const char *const names[] = {"libcrypt.so.1", "libcrypt.so.2", NULL};
 *     void *library = library_open(names);
 *     bool found = library && library_find(library, "crypt_rn", &hash);
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stdbool.h>

/*
 * The first of the names, which NULL ends, that can be loaded. NULL: none can, and dlerror says why of the
 * last. The library stays until library_close.
 */
void *library_open(const char *const *names);

/*
 * Stores the function of that name in *function, a pointer to a function. false: the library has none, and
 * the pointer is NULL.
 */
bool library_find(void *library, const char *name, void *function);

/* Its functions may no longer be called. */
void library_close(void *library);

#endif
