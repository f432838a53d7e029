#define OPENSSL_UNLOADED /* keeps the original names instead of the macros */
#include "net/openssl.h"

#include "base/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <uv.h>

struct openssl openssl;

/* --- Memory --- */

static openssl_allocate_fn allocate = malloc;
static openssl_reallocate_fn reallocate = realloc;

void openssl_use_memory(openssl_allocate_fn allocate_fn, openssl_reallocate_fn reallocate_fn)
{
    allocate = allocate_fn;
    reallocate = reallocate_fn;
}

/* OpenSSL also says which of its lines wants the memory. */
static void *allocate_at(size_t size, const char *file, int line)
{
    (void) file, (void) line;
    return allocate(size);
}

static void *reallocate_at(void *old, size_t size, const char *file, int line)
{
    (void) file, (void) line;
    return reallocate(old, size);
}

static void free_at(void *memory, const char *file, int line)
{
    (void) file, (void) line;
    free(memory);
}

/* --- Loading --- */

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
    /* Fails if libcurl has used OpenSSL before. Then malloc stays, which works as long as there is memory. */
    if (loaded) openssl.CRYPTO_set_mem_functions(allocate_at, reallocate_at, free_at);
    if (loaded) return 0;
    buffer_append_string(error, "TLS needs OpenSSL 3, and libssl.so.3 lacks some of its functions");
    return UV_ENOENT;
}
