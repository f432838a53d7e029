/*
 * What a server wants before it answers: TLS, and a login. Read from files, by settings of a module or of the
 * flags.
 *
 * An access is counted and shared by every target of its module. Its settings never change, but its contents
 * do: when a file is another one than before, access_read reads all files on any thread, and access_take puts
 * what was read in place. Connections that are open stay as they are, the next ones use the new contents.
 *
 * A login is a user name and a password. How it is sent is the matter of the protocol, see
 * memcached/protocol.h.
 */
#ifndef MEMCACHED_ACCESS_H
#define MEMCACHED_ACCESS_H

#include "base/buffer.h"
#include "memcached/protocol.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stdint.h>

/* A file of certificates or a key may be so long, and a name or a password. */
#define ACCESS_FILE_MAX     ((size_t) 1024 * 1024)
#define ACCESS_PASSWORD_MAX ((size_t) 1024)

/* NULL or "" where nothing is said. */
struct access_settings {
    bool tls;
    bool skip_verify; /* take any certificate of a server */
    const char *ca_file, *cert_file, *key_file;
    const char *server_name; /* whom the certificate must be for; else the host as it was configured */
    const char *username, *password_file;
    const char *password; /* where there is no file */
    enum protocol_choice protocol;
};

/* What was read. All zero holds nothing. */
struct access_contents {
    struct tls_context *tls; /* held; NULL without TLS */
    struct tls_context
        *anonymous;       /* the same without a certificate of ours; held; NULL where there is none */
    char *password;       /* owned, NUL-terminated; NULL without a login */
    uint64_t fingerprint; /* of the files, as they were before they were read */
};

struct access;

/*
 * Reads the files. Blocks. 0 with one reference, or with NULL where the settings ask for nothing;
 * UV_ENOMEM; or another negative libuv code with one line in `error`, without a line end, that names the
 * file or the setting. Copies the settings. No secret is in a line.
 */
int access_new(struct access **access, const struct access_settings *settings, struct buffer *error);

/* Held and released on one thread at a time. NULL is taken. */
struct access *access_hold(struct access *access);
void access_release(struct access *access);

/*
 * The TLS context to use now: NULL without TLS. Borrowed; hold it to keep it. An `anonymous` one shows no
 * certificate of ours, for servers that may not know who asks.
 */
struct tls_context *access_tls(const struct access *access, bool anonymous);

/* "" for the host as it was configured. */
const char *access_server_name(const struct access *access);

bool access_has_login(const struct access *access);

/* Whether a certificate of ours is shown to servers that ask for one. */
bool access_has_certificate(const struct access *access);

/* Which protocol the servers are asked in. PROTOCOL_AUTO for NULL. */
enum protocol_choice access_protocol(const struct access *access);

/* Appends the request that logs in. The caller wipes it. */
void access_append_login(const struct access *access, const struct protocol *protocol,
                         struct buffer *request);

/* Whether both have equal settings, and read the same files in the same state. NULL is taken. */
bool access_equals(const struct access *a, const struct access *b);

/* --- Reading again --- */

/* A number that changes when one of the files does. Blocks; for any thread. */
uint64_t access_fingerprint(const struct access *access);

/* The fingerprint of the contents in use. */
uint64_t access_taken_fingerprint(const struct access *access);

/* As access_new does. Blocks; for any thread. access_contents_deinit follows in any case. */
int access_read(const struct access *access, struct access_contents *contents, struct buffer *error);

/* Puts the contents in place of the old ones, which are wiped; `contents` is all zero then. */
void access_take(struct access *access, struct access_contents *contents);

/* Wipes and frees. */
void access_contents_deinit(struct access_contents *contents);

#endif
