#include "base/bcrypt.h"

#include "base/library.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hash is "$2b$10$", then 22 characters of salt, then 31 characters of hash. */
#define SALT_LEN   22
#define HASHED_LEN 31

static __typeof__(&crypt_rn) hash_password; /* NULL if libcrypt is not installed */

static void load(void)
{
    static const char *const names[] = {"libcrypt.so.1", "libcrypt.so.2", NULL};
    void *library = library_open(names);
    if (library) library_find(library, "crypt_rn", &hash_password);
}

bool bcrypt_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return hash_password;
}

/* Compares in constant time: the time does not reveal how many bytes are equal. */
static bool equal(const char *a, const char *b, size_t len)
{
    unsigned char different = 0;
    for (size_t n = 0; n < len; n++) different |= (unsigned char) (a[n] ^ b[n]);
    return different == 0;
}

/*
 * Skips "$2", an optional letter and "$". Returns the rest, which begins with the cost and the salt. Returns
 * NULL if the hash begins differently.
 */
static const char *skip_version(struct slice hash)
{
    if (hash.len < 59 || hash.data[0] != '$' || hash.data[1] != '2') return NULL;
    const char *at = hash.data + 2;
    if (*at != '$') at++;
    return *at == '$' ? at + 1 : NULL;
}

const char *bcrypt_check_hash(struct slice hash)
{
    if (hash.len < 59)
        return "a bcrypt hash of at least 59 characters (hashedSecret too short to be a bcrypted password)";
    const char *at = skip_version(hash);
    if (!at) return "a bcrypt hash, which begins with $2a$, $2b$ or $2y$";
    bool digits = at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9' && at[2] == '$';
    int cost = digits ? (at[0] - '0') * 10 + at[1] - '0' : 0;
    if (cost < 4 || cost > 31) return "a bcrypt hash with a cost from 04 to 31";
    return hash.len > BCRYPT_HASH_MAX ? "a bcrypt hash of at most 78 characters" : NULL;
}

/*
 * Treats all version letters alike, as Go does. (Elsewhere, x marks hashes made by an old, faulty
 * implementation.)
 */
bool bcrypt_matches(const char *hash, const char *password)
{
    const char *at = skip_version(slice_of(hash));
    char setting[8 + SALT_LEN];
    struct crypt_data *data = calloc(1, sizeof(*data));
    bool good = false;
    if (at && data && bcrypt_load() && strlen(at) == 3 + SALT_LEN + HASHED_LEN) {
        snprintf(setting, sizeof(setting), "$2b$%.*s", 3 + SALT_LEN, at);
        const char *hashed = hash_password(password, setting, data, sizeof(*data));
        good = hashed && strlen(hashed) == 4 + 3 + SALT_LEN + HASHED_LEN &&
               equal(hashed + 4 + 3 + SALT_LEN, at + 3 + SALT_LEN, HASHED_LEN);
    }
    if (data) explicit_bzero(data, sizeof(*data));
    free(data);
    return good;
}
