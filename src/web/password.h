/*
 * Checks a password against a bcrypt hash, as in Prometheus' web configuration. Hashing takes between 50 ms
 * and several seconds. So hashes are computed by a separate thread, one at a time, and block neither the loop
 * nor the pool that reads files.
 *
 *     password_check -> [the thread] -> on_done
 *     password_check -> result known from the cache
 *
 * Up to 100 results are cached, good and bad ones. So a Prometheus that scrapes every ten seconds does not
 * cost a hash each time. The cache holds keyed digests of user, hash and password, never the password. The
 * key is random and never leaves the process. A changed hash gives a different entry.
 */
#ifndef WEB_PASSWORD_H
#define WEB_PASSWORD_H

#include "base/slice.h"

#include <stdbool.h>
#include <uv.h>

enum password_result {
    PASSWORD_BAD,
    PASSWORD_GOOD,
    PASSWORD_LATER, /* on_done receives the result */
};

struct password_checker;
struct password_query;

typedef void (*password_fn)(struct password_query *query, bool good);
typedef void (*password_close_fn)(void *context);

/* A pending check, embedded in a struct of the caller. Zeroed before its first use. */
struct password_query {
    struct password_job *job; /* owned by the checker; NULL while no check is pending */
    password_fn on_done;
};

/* Starts the thread. Returns 0 or a negative libuv code. */
int password_checker_new(struct password_checker **checker, uv_loop_t *loop);

/*
 * Checks a password. PASSWORD_LATER means that on_done runs once, from the loop, unless the query is
 * cancelled.
 *
 * Pass a NULL `hash` for an unknown user: the result is PASSWORD_BAD, after the time of a hash of cost 10.
 * The result is also PASSWORD_BAD when out of memory, and for a password that contains a NUL. All arguments
 * are copied. The copies are wiped after the check.
 */
enum password_result password_check(struct password_checker *checker, struct password_query *query,
                                    struct slice user, const char *hash, struct slice password,
                                    password_fn on_done);

/* Cancels a pending check: on_done will not run. Does nothing if no check is pending. */
void password_cancel(struct password_query *query);

/*
 * Closes the checker. All queries must have been cancelled. on_close runs once, from the loop, and does not
 * wait for a hash in progress; the thread then frees the memory. on_close may be NULL. Does nothing if
 * `checker` is NULL.
 */
void password_checker_close(struct password_checker *checker, password_close_fn on_close, void *context);

#endif
