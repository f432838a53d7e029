#define OPENSSL_UNLOADED /* the names themselves, not what they stand for */
#include "net/openssl.h"

#include <dlfcn.h>
#include <string.h>
#include <uv.h>

struct openssl openssl;

/* POSIX has dlsym give functions as void *; copying the bytes is what C allows. */
static bool find_function(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

int openssl_load(struct buffer *error)
{
    static bool loaded;
    if (loaded) return 0;
    void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        buffer_printf(error, "TLS needs OpenSSL 3, which cannot be loaded: %s", dlerror());
        return UV_ENOENT;
    }
    loaded = true;
#define FUNCTION(name) loaded &= find_function(library, #name, &openssl.name, sizeof(openssl.name));
#include "net/openssl_functions.inc"
#undef FUNCTION
    if (loaded) return 0;
    buffer_append_string(error, "TLS needs OpenSSL 3, and libssl.so.3 lacks some of its functions");
    return UV_ENOENT;
}
