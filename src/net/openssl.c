#define OPENSSL_UNLOADED /* keeps the original names instead of the macros */
#include "net/openssl.h"

#include "base/library.h"

#include <dlfcn.h>
#include <uv.h>

struct openssl openssl;

int openssl_load(struct buffer *error)
{
    static const char *const names[] = {"libssl.so.3", NULL};
    static bool loaded;
    if (loaded) return 0;
    void *library = library_open(names);
    if (!library) {
        buffer_printf(error, "TLS needs OpenSSL 3, which cannot be loaded: %s", dlerror());
        return UV_ENOENT;
    }
    loaded = true;
#define FUNCTION(name) loaded &= library_find(library, #name, &openssl.name);
#include "net/openssl_functions.inc"
#undef FUNCTION
    if (loaded) return 0;
    buffer_append_string(error, "TLS needs OpenSSL 3, and libssl.so.3 lacks some of its functions");
    return UV_ENOENT;
}
