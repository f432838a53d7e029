/*
 * Whether a password belongs to a bcrypt hash, as in Prometheus' web configuration. Hashing takes from a
 * twentieth of a second to several, so that it has a thread of its own, one hash at a time: it holds up
 * neither the loop nor the pool that reads files.
 *
 *     password_check -> [the thread] -> on_done
 *     password_check -> known already
 *
 * Results are remembered, good and bad ones, up to a hundred: a Prometheus that scrapes each ten seconds must
 * not cost a hash each time. What is remembered is a keyed digest of user, hash and password, never the
 * password; the key is drawn at the start and told to nobody. A changed hash is another entry.
 */
#ifndef WEB_PASSWORD_H
#define WEB_PASSWORD_H

#include "base/slice.h"

#include <stdbool.h>
#include <uv.h>

enum password_result {
    PASSWORD_BAD,
    PASSWORD_GOOD,
    PASSWORD_LATER, /* on_done will say */
};

struct password_checker;
struct password_query;

typedef void (*password_fn)(struct password_query *query, bool good);
typedef void (*password_close_fn)(void *context);

/* A pending check. Embedded in its owner, and zeroed before its first use. */
struct password_query {
    struct password_job *job; /* the checker's; NULL when nothing is under way */
    password_fn on_done;
};

/* 0 or a negative libuv code. Starts the thread. */
int password_checker_new(struct password_checker **checker, uv_loop_t *loop);

/*
 * Compares; `hash` NULL: there is no such user, and the answer is no after as much time as a hash of cost 10
 * takes. PASSWORD_LATER: on_done runs once, from the loop, unless the query is cancelled. Everything is
 * copied, and wiped when it has been compared. Out of memory is PASSWORD_BAD. A password with a NUL in it
 * never belongs.
 */
enum password_result password_check(struct password_checker *checker, struct password_query *query,
                                    struct slice user, const char *hash, struct slice password,
                                    password_fn on_done);

/* Harmless when nothing is under way. */
void password_cancel(struct password_query *query);

/*
 * on_close runs once, from the loop, without waiting for a hash that is under way: its thread frees what it
 * needs. NULL is taken: then never. Every query must have been cancelled.
 */
void password_checker_close(struct password_checker *checker, password_close_fn on_close, void *context);

#endif
