#include "outputs/libcurl.h"

#include "base/container.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <uv.h>

#ifdef LIBCURL_LINKED

#define LINK(name) .name = curl_##name,
struct libcurl libcurl = {LIBCURL_FUNCTIONS(LINK)};

int libcurl_load(void)
{
    return 0;
}

#else

struct libcurl libcurl;

/* Distributions build it with one TLS library or the other. */
static void *open_library(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        void *library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
    }
    return NULL;
}

/* POSIX has dlsym give functions as void *; copying the bytes is what C allows. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

int libcurl_load(void)
{
    static bool loaded;
    if (loaded) return 0;
    void *library = open_library();
    if (!library) return UV_ENOENT;
    bool found = true;
#define FIND(name) found &= find(library, "curl_" #name, &libcurl.name, sizeof(libcurl.name));
    LIBCURL_FUNCTIONS(FIND)
#undef FIND
    loaded = found;
    return found ? 0 : UV_ENOENT;
}

#endif
