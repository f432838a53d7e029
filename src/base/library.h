/*
 * Loads shared libraries on demand. A library that the program is linked to costs memory from the start, even
 * if it is never called.
 *
 *     static const char *const names[] = {"libcrypt.so.1", "libcrypt.so.2", NULL};
 *     void *library = library_open(names);
 *     bool found = library && library_find(library, "crypt_rn", &hash);
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stdbool.h>

/*
 * Loads the first of `names` that can be loaded; NULL ends the list. Returns NULL if no name can be loaded;
 * dlerror then describes the last failure. The library stays loaded until library_close.
 */
void *library_open(const char *const *names);

/*
 * Looks up a function and stores its address in *function, a function pointer. Returns false if the library
 * has no such function; the pointer is then NULL.
 */
bool library_find(void *library, const char *name, void *function);

/* Unloads the library. Its functions may no longer be called. */
void library_close(void *library);

#endif
