/*
 * The loop and the thread share two lists under one lock: pending jobs and finished jobs. The thread sleeps
 * until there is a job. It wakes the loop when it has finished one.
 */
#include "web/password.h"

#include "base/bcrypt.h"
#include "base/container.h"
#include "base/list.h"
#include "net/openssl.h"

#include <assert.h>
#include <stdlib.h>

#define REMEMBERED_MAX 100
#define DIGEST_LEN     32
#define KEY_LEN        32

/* Longest password that is accepted. bcrypt uses only the first 72 bytes. */
#define PASSWORD_MAX 1024

/* Hash of a random password. The passwords of unknown users are compared with it, to take the same time. */
static const char nobody[] = "$2b$10$abcdefghijklmnopqrstuu5LoO.5dPPkOBRZSPqiI.6VZoC0eeiUq";

struct password_job {
    struct link link; /* in one of the lists, unless the thread is hashing it */
    struct password_checker *checker;
    struct password_query *query; /* NULL if cancelled */
    unsigned char digest[DIGEST_LEN];
    bool unknown; /* the user does not exist, so the result is never good */
    bool good;
    char hash[BCRYPT_HASH_MAX + 1];
    char password[PASSWORD_MAX + 1];
};

struct remembered {
    unsigned char digest[DIGEST_LEN];
    bool good;
};

struct password_checker {
    unsigned owners; /* number of owners, the loop and the thread; under the lock */
    uv_mutex_t lock;
    uv_cond_t filled;
    uv_async_t wake;
    struct list jobs, done; /* under the lock */
    bool closing;           /* under the lock */
    unsigned char key[KEY_LEN];
    struct remembered remembered[REMEMBERED_MAX];
    size_t count;
    password_close_fn on_close;
    void *on_close_context;
};

/* --- The thread --- */

static void free_job(struct password_job *job)
{
    explicit_bzero(job, sizeof(*job));
    free(job);
}

/*
 * Gives up the ownership of the loop or the thread. The last owner frees the checker. A hash may take longer
 * than the exporter should wait when it stops, so the thread may be the last one.
 */
static void leave(struct password_checker *checker)
{
    uv_mutex_lock(&checker->lock);
    bool last = --checker->owners == 0;
    uv_mutex_unlock(&checker->lock);
    if (!last) return;
    for (struct link *link; (link = list_pop(&checker->jobs)) || (link = list_pop(&checker->done));)
        free_job(container_of(link, struct password_job, link));
    uv_cond_destroy(&checker->filled);
    uv_mutex_destroy(&checker->lock);
    explicit_bzero(checker, sizeof(*checker));
    free(checker);
}

static void work(void *context)
{
    struct password_checker *checker = context;
    uv_mutex_lock(&checker->lock);
    while (!checker->closing) {
        struct link *link = list_pop(&checker->jobs);
        if (!link) {
            uv_cond_wait(&checker->filled, &checker->lock);
            continue;
        }
        uv_mutex_unlock(&checker->lock);
        struct password_job *job = container_of(link, struct password_job, link);
        job->good = bcrypt_matches(job->hash, job->password) && !job->unknown;
        explicit_bzero(job->password, sizeof(job->password));
        uv_mutex_lock(&checker->lock);
        list_append(&checker->done, &job->link);
        if (!checker->closing) uv_async_send(&checker->wake);
    }
    uv_mutex_unlock(&checker->lock);
    leave(checker);
}

/* --- The cache of results --- */

/*
 * Computes the digest of user, hash and password. Each part is preceded by its length, so different parts
 * never give the same input.
 */
static bool digest_of(const struct password_checker *checker, unsigned char digest[DIGEST_LEN],
                      struct slice user, struct slice hash, struct slice password)
{
    const struct slice parts[] = {user, hash, password};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
                               OSSL_PARAM_construct_end()};
    size_t len = 0;
    bool good = context && EVP_MAC_init(context, checker->key, KEY_LEN, parameters);
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) {
        good = good && EVP_MAC_update(context, (const unsigned char *) &parts[n].len, sizeof(parts[n].len)) &&
               EVP_MAC_update(context, (const unsigned char *) parts[n].data, parts[n].len);
    }
    good = good && EVP_MAC_final(context, digest, &len, DIGEST_LEN) && len == DIGEST_LEN;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return good;
}

static const struct remembered *recall(const struct password_checker *checker, const unsigned char *digest)
{
    for (size_t n = 0; n < checker->count; n++) {
        if (CRYPTO_memcmp(checker->remembered[n].digest, digest, DIGEST_LEN) == 0)
            return &checker->remembered[n];
    }
    return NULL;
}

/*
 * Drops one entry of the cache. The entry is random, so that no client can choose it. Failed logins are
 * dropped first: a client that tries many passwords must not evict users with good passwords, whose next
 * login would then wait behind all those tries.
 */
static void forget_one(struct password_checker *checker)
{
    unsigned char lot = 0;
    RAND_bytes(&lot, 1);
    size_t first = lot % checker->count, at = first;
    do at = (at + 1) % checker->count;
    while (checker->remembered[at].good && at != first);
    checker->remembered[at] = checker->remembered[--checker->count];
}

/* Adds a result to the cache. A full cache drops a tenth of its entries plus one. */
static void remember(struct password_checker *checker, const unsigned char *digest, bool good)
{
    if (recall(checker, digest)) return;
    for (unsigned n = 0; checker->count == REMEMBERED_MAX || (n && n < REMEMBERED_MAX / 10 + 1); n++)
        forget_one(checker);
    memcpy(checker->remembered[checker->count].digest, digest, DIGEST_LEN);
    checker->remembered[checker->count++].good = good;
}

/* --- The loop --- */

/*
 * Answers all pending queries for the same user and password. Many clients may log in before the first result
 * is cached.
 */
static void answer_alike(struct password_checker *checker, const unsigned char *digest, bool good)
{
    uv_mutex_lock(&checker->lock);
    list_each (&checker->jobs, at, after) {
        struct password_job *job = container_of(at, struct password_job, link);
        if (CRYPTO_memcmp(job->digest, digest, DIGEST_LEN) != 0) continue;
        job->good = good;
        link_remove(at);
        list_append(&checker->done, at);
    }
    uv_mutex_unlock(&checker->lock);
}

static void on_wake(uv_async_t *handle)
{
    struct password_checker *checker = container_of(handle, struct password_checker, wake);
    for (;;) {
        uv_mutex_lock(&checker->lock);
        struct link *link = list_pop(&checker->done);
        uv_mutex_unlock(&checker->lock);
        if (!link) return;
        struct password_job *job = container_of(link, struct password_job, link);
        struct password_query *query = job->query;
        bool good = job->good;
        remember(checker, job->digest, good);
        answer_alike(checker, job->digest, good);
        free_job(job);
        if (!query) continue;
        query->job = NULL;
        query->on_done(query, good);
    }
}

enum password_result password_check(struct password_checker *checker, struct password_query *query,
                                    struct slice user, const char *hash, struct slice password,
                                    password_fn on_done)
{
    unsigned char digest[DIGEST_LEN];
    assert(!query->job);
    bool unknown = !hash;
    if (unknown) hash = nobody;
    if (password.len > PASSWORD_MAX || strlen(hash) > BCRYPT_HASH_MAX) return PASSWORD_BAD;
    if (password.len && memchr(password.data, '\0', password.len)) return PASSWORD_BAD;
    if (!digest_of(checker, digest, user, unknown ? SLICE("") : slice_of(hash), password))
        return PASSWORD_BAD;
    const struct remembered *known = recall(checker, digest);
    if (known) return known->good ? PASSWORD_GOOD : PASSWORD_BAD;

    struct password_job *job = calloc(1, sizeof(*job));
    if (!job) return PASSWORD_BAD;
    link_init(&job->link);
    job->query = query;
    job->checker = checker;
    job->unknown = unknown;
    memcpy(job->digest, digest, DIGEST_LEN);
    memcpy(job->hash, hash, strlen(hash) + 1);
    if (password.len) memcpy(job->password, password.data, password.len);
    query->job = job;
    query->on_done = on_done;
    uv_mutex_lock(&checker->lock);
    list_append(&checker->jobs, &job->link);
    uv_cond_signal(&checker->filled);
    uv_mutex_unlock(&checker->lock);
    return PASSWORD_LATER;
}

/* Removes a job that is still queued. So clients that have disconnected do not delay other clients. */
void password_cancel(struct password_query *query)
{
    struct password_job *job = query->job;
    if (!job) return;
    query->job = NULL;
    job->query = NULL;
    uv_mutex_lock(&job->checker->lock);
    bool waits = link_is_linked(&job->link);
    if (waits) link_remove(&job->link);
    uv_mutex_unlock(&job->checker->lock);
    if (waits) free_job(job);
}

static int start_thread(struct password_checker *checker)
{
    uv_thread_t thread;
    int result = uv_thread_create(&thread, work, checker);
    if (result < 0) return result;
    pthread_detach(thread);
    checker->owners++;
    return 0;
}

int password_checker_new(struct password_checker **out, uv_loop_t *loop)
{
    struct buffer ignored;
    buffer_init(&ignored, 0);
    int result = openssl_load(&ignored);
    if (result < 0) return result;
    struct password_checker *checker = calloc(1, sizeof(*checker));
    if (!checker) return UV_ENOMEM;
    checker->owners = 1;
    list_init(&checker->jobs);
    list_init(&checker->done);
    result = RAND_bytes(checker->key, KEY_LEN) == 1 ? uv_mutex_init(&checker->lock) : UV_EIO;
    if (result < 0) {
        free(checker);
        return result;
    }
    result = uv_cond_init(&checker->filled);
    if (result < 0) {
        uv_mutex_destroy(&checker->lock);
        free(checker);
        return result;
    }
    result = uv_async_init(loop, &checker->wake, on_wake);
    if (result < 0) {
        leave(checker);
        return result;
    }
    uv_unref((uv_handle_t *) &checker->wake);
    result = start_thread(checker);
    if (result < 0)
        password_checker_close(checker, NULL, NULL);
    else
        *out = checker;
    return result;
}

static void on_closed(uv_handle_t *handle)
{
    struct password_checker *checker = container_of((uv_async_t *) handle, struct password_checker, wake);
    password_close_fn on_close = checker->on_close;
    void *context = checker->on_close_context;
    leave(checker);
    if (on_close) on_close(context);
}

void password_checker_close(struct password_checker *checker, password_close_fn on_close, void *context)
{
    if (!checker) return;
    checker->on_close = on_close;
    checker->on_close_context = context;
    uv_mutex_lock(&checker->lock);
    checker->closing = true;
    uv_cond_signal(&checker->filled);
    uv_mutex_unlock(&checker->lock);
    uv_close((uv_handle_t *) &checker->wake, on_closed);
}
