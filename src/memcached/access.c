#include "memcached/access.h"

#include "base/container.h"
#include "base/dumps.h"
#include "base/hash.h"
#include "base/read_file.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

struct access {
    unsigned references;
    struct access_settings settings; /* strings are owned; unset ones are "" */
    struct access_contents contents;
};

/* Offsets of all strings in the settings. */
static const size_t texts[] = {
    offsetof(struct access_settings, ca_file),  offsetof(struct access_settings, cert_file),
    offsetof(struct access_settings, key_file), offsetof(struct access_settings, server_name),
    offsetof(struct access_settings, username), offsetof(struct access_settings, password_file),
    offsetof(struct access_settings, password),
};

static const char **text_at(struct access_settings *settings, size_t n)
{
    return (const char **) ((char *) settings + texts[n]);
}

static bool is_given(const char *text)
{
    return text && *text;
}

static void wipe(char *text)
{
    if (text) explicit_bzero(text, strlen(text));
    free(text);
}

/* --- Files --- */

static void list_files(const struct access_settings *settings, const char *files[4])
{
    files[0] = settings->tls ? settings->ca_file : "";
    files[1] = settings->tls ? settings->cert_file : "";
    files[2] = settings->tls ? settings->key_file : "";
    files[3] = settings->password_file;
}

/* Returns a hash of inode, size and times of all files. An unreadable file counts as zeros. */
static uint64_t take_fingerprint(const struct access_settings *settings)
{
    const char *files[4];
    uint64_t marks[4][6] = {{0}};
    list_files(settings, files);
    for (size_t n = 0; n < ARRAY_LEN(files); n++) {
        struct stat status;
        if (!is_given(files[n]) || stat(files[n], &status) < 0) continue;
        uint64_t mark[6] = {(uint64_t) status.st_ino,         (uint64_t) status.st_size,
                            (uint64_t) status.st_mtim.tv_sec, (uint64_t) status.st_mtim.tv_nsec,
                            (uint64_t) status.st_ctim.tv_sec, (uint64_t) status.st_ctim.tv_nsec};
        memcpy(marks[n], mark, sizeof(mark));
    }
    return hash_fnv1a((struct slice){(const char *) marks, sizeof(marks)});
}

/*
 * Reads a whole file. Reserves memory for all of it first: a growing buffer would leave copies of secrets
 * behind.
 */
static int read_whole(const char *path, size_t most, struct buffer *text, struct buffer *error)
{
    buffer_init(text, most + 1);
    if (!is_given(path)) return 0;
    buffer_reserve(text, most + 1);
    return read_file(path, most, text, error);
}

/* --- TLS --- */

/* Appends a message about TLS, with the file's path in front. OpenSSL's message only names the part. */
static void name_file(const struct access_settings *settings, struct slice what, struct buffer *error)
{
    const char *file = settings->cert_file;
    if (slice_starts(what, "the CA")) file = settings->ca_file;
    if (slice_starts(what, "the key")) file = settings->key_file;
    if (slice_starts(what, "the ") && is_given(file)) {
        utf8_append_escaped(error, slice_of(file));
        buffer_append_string(error, ": ");
    }
    buffer_append_slice(error, what);
}

/* Returns a message if a configured file holds no certificate, else NULL. */
static const char *empty_part(const struct access_settings *settings,
                              const struct tls_client_settings *client)
{
    if (is_given(settings->ca_file) && client->ca.len == 0)
        return "the CA certificates: expected PEM blocks that begin with CERTIFICATE";
    if (is_given(settings->cert_file) && client->identity.certificates.len == 0)
        return "the certificate: expected a PEM block that begins with CERTIFICATE";
    return NULL;
}

static int make_context(const struct access_settings *settings, const struct tls_client_settings *client,
                        struct tls_context **tls, struct buffer *error)
{
    struct buffer what;
    buffer_init(&what, 4096);
    int result = tls_context_new_client(tls, client, &what);
    /*
     * UV_EAGAIN means that only one of two files was replaced. The next check of the files sees the other one
     * change, so this does not retry.
     */
    if (result == UV_EAGAIN) result = UV_EINVAL;
    if (what.len) name_file(settings, buffer_slice(&what), error);
    buffer_deinit(&what);
    return result;
}

/* Creates the context with our certificate. If we have one, also creates the context without it. */
static int make_contexts(const struct access_settings *settings, struct tls_client_settings client,
                         struct access_contents *contents, struct buffer *error)
{
    const char *empty = empty_part(settings, &client);
    if (empty) {
        name_file(settings, slice_of(empty), error);
        return UV_EINVAL;
    }
    int result = make_context(settings, &client, &contents->tls, error);
    if (result < 0 || client.identity.certificates.len == 0) return result;
    client.identity = (struct tls_identity){.key = {0}};
    return make_context(settings, &client, &contents->anonymous, error);
}

static int read_tls(const struct access_settings *settings, struct access_contents *contents,
                    struct buffer *error)
{
    struct buffer ca, certificate = {0}, key = {0};
    int result = read_whole(settings->ca_file, ACCESS_FILE_MAX, &ca, error);
    if (result == 0) result = read_whole(settings->cert_file, ACCESS_FILE_MAX, &certificate, error);
    if (result == 0) result = read_whole(settings->key_file, ACCESS_FILE_MAX, &key, error);
    if (result == 0) {
        struct tls_client_settings client = {
            .ca = buffer_slice(&ca),
            .identity = {buffer_slice(&certificate), buffer_slice(&key)},
            .skip_verify = settings->skip_verify,
        };
        result = make_contexts(settings, client, contents, error);
    }
    buffer_deinit(&ca);
    buffer_deinit(&certificate);
    buffer_wipe(&key);
    return result;
}

/* --- Login --- */

/* Returns what is wrong with a password, or NULL. The text protocol sends the password on one line. */
static const char *password_fault(struct slice password)
{
    if (password.len == 0) return "expected a password, the file is empty";
    for (size_t n = 0; n < password.len; n++) {
        char c = password.data[n];
        if (c == '\0' || c == '\r' || c == '\n') return "expected a password of one line";
    }
    return NULL;
}

static int read_password(const struct access_settings *settings, char **password, struct buffer *error)
{
    struct buffer text;
    int result = read_whole(settings->password_file, ACCESS_PASSWORD_MAX, &text, error);
    struct slice secret = buffer_slice(&text);
    while (secret.len && strchr("\r\n", secret.data[secret.len - 1])) secret.len--;
    const char *fault = result == 0 ? password_fault(secret) : NULL;
    if (fault) {
        utf8_append_escaped(error, slice_of(settings->password_file));
        buffer_printf(error, ": %s", fault);
        result = UV_EINVAL;
    }
    if (result == 0) *password = strndup(secret.data, secret.len);
    if (result == 0 && !*password) result = UV_ENOMEM;
    buffer_wipe(&text);
    return result;
}

/* --- All of it --- */

static int read_contents(const struct access_settings *settings, struct access_contents *contents,
                         struct buffer *error)
{
    *contents = (struct access_contents){.fingerprint = take_fingerprint(settings)};
    if (settings->tls || is_given(settings->username))
        dumps_forbid(); /* keeps a key or a password out of core dumps */
    int result = settings->tls ? read_tls(settings, contents, error) : 0;
    if (result < 0 || !is_given(settings->username)) return result;
    if (is_given(settings->password_file)) return read_password(settings, &contents->password, error);
    contents->password = strdup(settings->password);
    return contents->password ? 0 : UV_ENOMEM;
}

static bool has_blank(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char) *text <= ' ' || *text == 0x7f) return true;
    }
    return false;
}

/*
 * Returns what is wrong with the combination of settings, or NULL. The messages fit both the keys of the file
 * and the flags.
 */
static const char *settings_fault(const struct access_settings *settings)
{
    bool has_password = is_given(settings->password_file) || is_given(settings->password);
    if (settings->tls && is_given(settings->cert_file) != is_given(settings->key_file))
        return "TLS to memcached: expected a certificate and its key, or neither";
    if (is_given(settings->username) != has_password)
        return "login to memcached: expected a user name and a password, or neither";
    if (has_password && has_blank(settings->username))
        return "login to memcached: expected a user name without blanks";
    if (is_given(settings->password) && password_fault(slice_of(settings->password)))
        return "login to memcached: expected a password of one line";
    return NULL;
}

static int copy_settings(struct access *access, const struct access_settings *settings)
{
    struct access_settings from = *settings;
    access->settings = *settings;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) *text_at(&access->settings, n) = NULL;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) {
        const char *text = *text_at(&from, n);
        *text_at(&access->settings, n) = strdup(text ? text : "");
        if (!*text_at(&access->settings, n)) return UV_ENOMEM;
    }
    return 0;
}

int access_new(struct access **result, const struct access_settings *settings, struct buffer *error)
{
    const char *fault = settings_fault(settings);
    *result = NULL;
    if (fault) {
        buffer_append_string(error, fault);
        return UV_EINVAL;
    }
    if (!settings->tls && !is_given(settings->username) && settings->protocol == PROTOCOL_AUTO) return 0;
    struct access *access = calloc(1, sizeof(*access));
    if (!access) return UV_ENOMEM;
    access->references = 1;
    int status = copy_settings(access, settings);
    if (status == 0) status = read_contents(&access->settings, &access->contents, error);
    if (status < 0) {
        access_release(access);
        return status;
    }
    *result = access;
    return 0;
}

struct access *access_hold(struct access *access)
{
    if (access) access->references++;
    return access;
}

void access_release(struct access *access)
{
    if (!access || --access->references > 0) return;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) wipe((char *) (uintptr_t) *text_at(&access->settings, n));
    access_contents_deinit(&access->contents);
    free(access);
}

/* --- Using it --- */

struct tls_context *access_tls(const struct access *access, bool anonymous)
{
    const struct access_contents *contents = &access->contents;
    return anonymous && contents->anonymous ? contents->anonymous : contents->tls;
}

const char *access_server_name(const struct access *access)
{
    return access->settings.server_name;
}

bool access_has_login(const struct access *access)
{
    return access->contents.password != NULL;
}

bool access_has_certificate(const struct access *access)
{
    return access->contents.anonymous != NULL;
}

enum protocol_choice access_protocol(const struct access *access)
{
    return access ? access->settings.protocol : PROTOCOL_AUTO;
}

bool access_is_told_in(const struct access *access, struct slice bytes)
{
    if (!access || !access_has_login(access) || !bytes.len) return false;
    const char *password = access->contents.password;
    return memmem(bytes.data, bytes.len, password, strlen(password));
}

void access_append_login(const struct access *access, const struct protocol *protocol, struct buffer *request)
{
    protocol->append_login(request, access->settings.username, access->contents.password);
}

bool access_equals(const struct access *a, const struct access *b)
{
    if (!a || !b) return a == b;
    struct access_settings left = a->settings, right = b->settings;
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) {
        if (strcmp(*text_at(&left, n), *text_at(&right, n)) != 0) return false;
    }
    return left.tls == right.tls && left.skip_verify == right.skip_verify &&
           left.protocol == right.protocol && a->contents.fingerprint == b->contents.fingerprint;
}

/* --- Reading again --- */

uint64_t access_fingerprint(const struct access *access)
{
    return take_fingerprint(&access->settings);
}

uint64_t access_taken_fingerprint(const struct access *access)
{
    return access->contents.fingerprint;
}

int access_read(const struct access *access, struct access_contents *contents, struct buffer *error)
{
    return read_contents(&access->settings, contents, error);
}

void access_take(struct access *access, struct access_contents *contents)
{
    access_contents_deinit(&access->contents);
    access->contents = *contents;
    *contents = (struct access_contents){0};
}

void access_contents_deinit(struct access_contents *contents)
{
    tls_context_release(contents->tls);
    tls_context_release(contents->anonymous);
    wipe(contents->password);
    *contents = (struct access_contents){0};
}
