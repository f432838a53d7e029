/*
 * The access that a server requires before it answers: TLS and a login. The settings come from a module of
 * the configuration or from the flags. They name files to read.
 *
 * An access is counted and shared by all targets of a module. Its settings never change, but its contents
 * may. When a file has changed, access_read reads all files again, on any thread. access_take then replaces
 * the contents. Open connections are not affected; new connections use the new contents.
 *
 * A login is a user name and a password. The protocol defines how to send it, see memcached/protocol.h.
 */
#ifndef MEMCACHED_ACCESS_H
#define MEMCACHED_ACCESS_H

#include "base/buffer.h"
#include "memcached/protocol.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stdint.h>

/* Largest sizes in bytes: of a certificate or key file, and of a password. */
#define ACCESS_FILE_MAX     ((size_t) 1024 * 1024)
#define ACCESS_PASSWORD_MAX ((size_t) 1024)

/* Unused settings are NULL or "". */
struct access_settings {
    bool tls;
    bool skip_verify; /* accept any certificate of a server */
    const char *ca_file, *cert_file, *key_file;
    /* name that the server's certificate must be for; if unset, the host as configured */
    const char *server_name;
    const char *username, *password_file;
    const char *password; /* used if there is no password_file */
    enum protocol_choice protocol;
};

/* What access_new and access_read load. All zero: empty. */
struct access_contents {
    struct tls_context *tls; /* holds a reference; NULL without TLS */
    /* same as `tls`, but without our certificate; holds a reference; NULL if we have no certificate */
    struct tls_context *anonymous;
    char *password;       /* owned, NUL-terminated; NULL without a login */
    uint64_t fingerprint; /* fingerprint of the files, taken before they were read */
};

struct access;

/*
 * Creates an access from a copy of the settings and reads the files. Blocks.
 *
 * Returns 0 and sets `access` to one reference, or to NULL if the settings ask for nothing. Returns
 * UV_ENOMEM, or another negative libuv code. With such a code, `error` gets one line without a line end,
 * which names the file or the setting. The line never contains a secret.
 */
int access_new(struct access **access, const struct access_settings *settings, struct buffer *error);

/* Takes or releases a reference. All calls must be on one thread at a time. NULL is allowed. */
struct access *access_hold(struct access *access);
void access_release(struct access *access);

/*
 * Returns the TLS context to use now, or NULL without TLS. The context is borrowed; take a reference to keep
 * it. If `anonymous`, the context shows no certificate of ours. It is for servers that may not know who we
 * are.
 */
struct tls_context *access_tls(const struct access *access, bool anonymous);

/* Returns server_name of the settings, or "" for the host as configured. */
const char *access_server_name(const struct access *access);

bool access_has_login(const struct access *access);

/* Returns true if we show a certificate to servers that ask for one. */
bool access_has_certificate(const struct access *access);

/* Returns the protocol to use with the servers. Returns PROTOCOL_AUTO if `access` is NULL. */
enum protocol_choice access_protocol(const struct access *access);

/* Returns true if `bytes` contain the password. `access` may be NULL. */
bool access_is_told_in(const struct access *access, struct slice bytes);

/* Appends the request that logs in. The caller wipes the request after use. */
void access_append_login(const struct access *access, const struct protocol *protocol,
                         struct buffer *request);

/* Returns true if both have equal settings and read the same files in the same state. NULL is allowed. */
bool access_equals(const struct access *a, const struct access *b);

/* --- Reading again --- */

/* Returns a number that changes when one of the files changes. Blocks. May be called on any thread. */
uint64_t access_fingerprint(const struct access *access);

/* Returns the fingerprint of the contents in use. */
uint64_t access_taken_fingerprint(const struct access *access);

/*
 * Reads the files again, with the results of access_new. Blocks. May be called on any thread. The caller must
 * call access_contents_deinit, even after an error.
 */
int access_read(const struct access *access, struct access_contents *contents, struct buffer *error);

/* Replaces the contents in use with `contents` and wipes the old ones. Sets `contents` to all zero. */
void access_take(struct access *access, struct access_contents *contents);

/* Wipes and frees the contents. */
void access_contents_deinit(struct access_contents *contents);

#endif
