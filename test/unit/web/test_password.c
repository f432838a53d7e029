#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/password.h"

#include "loop.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

struct waiter {
    struct password_query query;
    bool done, good;
};

struct world {
    uv_loop_t loop;
    struct password_checker *checker;
    bool closed;
    char hash[80]; /* of "secret", at the least cost */
};

static int setup(void **state)
{
    static struct world world;
    world = (struct world){0};
    struct crypt_data data = {0};
    loop_open(&world.loop);
    assert_int_equal(password_checker_new(&world.checker, &world.loop), 0);
    const char *hash = crypt_rn("secret", "$2b$04$abcdefghijklmnopqrstuu", &data, sizeof(data));
    assert_non_null(hash);
    snprintf(world.hash, sizeof(world.hash), "%s", hash);
    *state = &world;
    return 0;
}

static void on_close(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    password_checker_close(world->checker, on_close, &world->closed);
    loop_run_until(&world->loop, &world->closed);
    loop_close(&world->loop);
    return 0;
}

static void on_done(struct password_query *query, bool good)
{
    struct waiter *waiter = (struct waiter *) query;
    waiter->done = true;
    waiter->good = good;
}

/* The answer, however it comes; `known` says whether it came at once. */
static bool ask(struct world *world, const char *user, const char *hash, struct slice password, bool *known)
{
    struct waiter waiter = {0};
    enum password_result result =
        password_check(world->checker, &waiter.query, slice_of(user), hash, password, on_done);
    *known = result != PASSWORD_LATER;
    if (*known) return result == PASSWORD_GOOD;
    /* The checker does not keep the loop alive; a timer of the loop's does. */
    loop_run_until(&world->loop, &waiter.done);
    return waiter.good;
}

static void test_answers_are_remembered(void **state)
{
    struct world *world = *state;
    bool known;
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    assert_false(known);
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    assert_true(known);
    assert_false(ask(world, "alice", world->hash, SLICE("Secret"), &known));
    assert_false(known);
    assert_false(ask(world, "alice", world->hash, SLICE("Secret"), &known));
    assert_true(known);
    assert_true(ask(world, "bob", world->hash, SLICE("secret"), &known));
    assert_false(known); /* another user */
    world->hash[sizeof("$2b$04$") - 1] ^= 1;
    assert_false(ask(world, "alice", world->hash, SLICE("secret"), &known));
    assert_false(known); /* another hash */
}

static void test_parts_do_not_run_into_each_other(void **state)
{
    struct world *world = *state;
    char user[100], password[100];
    bool known;
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    snprintf(user, sizeof(user), "alice%s", world->hash);
    assert_false(ask(world, user, NULL, SLICE("secret"), &known));
    snprintf(password, sizeof(password), "%ssecret", world->hash);
    assert_false(ask(world, "alice", world->hash, slice_of(password), &known));
}

static void test_unknown_users_are_refused(void **state)
{
    struct world *world = *state;
    bool known;
    assert_false(ask(world, "nobody", NULL, SLICE("secret"), &known));
    assert_false(known);
    assert_false(ask(world, "nobody", NULL, SLICE("secret"), &known));
    assert_false(ask(world, "nobody", NULL, SLICE(""), &known));
}

/*
 * Each hash takes some tenths of a second here: a hundred of them would take longer than the loop is given.
 */
static void test_those_who_ask_the_same_wait_for_one_hash(void **state)
{
    static struct waiter waiters[100];
    struct world *world = *state;
    memset(waiters, 0, sizeof(waiters));
    for (size_t n = 0; n < 100; n++)
        assert_int_equal(
            password_check(world->checker, &waiters[n].query, SLICE("nobody"), NULL, SLICE("x"), on_done),
            PASSWORD_LATER);
    uint64_t begun = uv_hrtime();
    for (size_t n = 0; n < 100; n++) loop_run_until(&world->loop, &waiters[n].done);
    uint64_t all = uv_hrtime() - begun;
    bool known;
    begun = uv_hrtime();
    ask(world, "nobody", NULL, SLICE("y"), &known);
    assert_true(all < 40 * (uv_hrtime() - begun));
}

/* Those who leave before their turn hold nobody up. */
static void test_the_cancelled_are_not_hashed(void **state)
{
    static struct waiter waiters[100];
    struct world *world = *state;
    char password[20];
    bool known;
    memset(waiters, 0, sizeof(waiters));
    for (size_t n = 0; n < 100; n++) {
        snprintf(password, sizeof(password), "%zu", n);
        assert_int_equal(password_check(world->checker, &waiters[n].query, SLICE("nobody"), NULL,
                                        slice_of(password), on_done),
                         PASSWORD_LATER);
    }
    for (size_t n = 0; n < 100; n++) password_cancel(&waiters[n].query);
    uint64_t begun = uv_hrtime();
    ask(world, "nobody", NULL, SLICE("y"), &known);
    uint64_t first = uv_hrtime() - begun;
    begun = uv_hrtime();
    ask(world, "nobody", NULL, SLICE("z"), &known);
    assert_true(first < 40 * (uv_hrtime() - begun));
    for (size_t n = 0; n < 100; n++) assert_false(waiters[n].done);
}

static void test_all_forms_of_bcrypt(void **state)
{
    static const char *const versions[] = {"$2$", "$2a$", "$2b$", "$2x$", "$2y$", "$2z$"};
    struct world *world = *state;
    char hash[80];
    bool known;
    for (size_t n = 0; n < sizeof(versions) / sizeof(versions[0]); n++) {
        snprintf(hash, sizeof(hash), "%s%s", versions[n], world->hash + 4);
        assert_true(ask(world, "alice", hash, SLICE("secret"), &known));
    }
}

static void test_passwords_of_odd_lengths(void **state)
{
    struct world *world = *state;
    struct crypt_data data = {0};
    char password[2000], hash[80];
    bool known;
    memset(password, 'p', sizeof(password));
    password[80] = '\0';
    snprintf(hash, sizeof(hash), "%s",
             crypt_rn(password, "$2b$04$abcdefghijklmnopqrstuu", &data, sizeof(data)));
    assert_true(ask(world, "alice", hash, (struct slice){password, 72}, &known)); /* 72 bytes count */
    assert_false(ask(world, "alice", hash, (struct slice){password, 71}, &known));
    assert_false(ask(world, "alice", world->hash, (struct slice){"secret\0", 7}, &known)); /* NUL */
    assert_true(known);
    assert_false(ask(world, "alice", world->hash, (struct slice){password, sizeof(password)}, &known));
}

static void test_many_answers_forget_some(void **state)
{
    struct world *world = *state;
    char password[20];
    unsigned remembered = 0;
    bool known;
    for (unsigned n = 0; n < 120; n++) {
        snprintf(password, sizeof(password), "%u", n);
        assert_false(ask(world, "alice", world->hash, slice_of(password), &known));
    }
    for (unsigned n = 0; n < 120; n++) {
        struct waiter waiter = {0};
        snprintf(password, sizeof(password), "%u", n);
        remembered += password_check(world->checker, &waiter.query, SLICE("alice"), world->hash,
                                     slice_of(password), on_done) != PASSWORD_LATER;
        password_cancel(&waiter.query);
    }
    assert_in_range(remembered, 80, 100);
}

/* Whoever guesses passwords does not make those wait who know theirs. */
static void test_the_good_are_not_forgotten_for_the_bad(void **state)
{
    struct world *world = *state;
    char password[20];
    bool known;
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    for (unsigned n = 0; n < 300; n++) {
        snprintf(password, sizeof(password), "%u", n);
        assert_false(ask(world, "alice", world->hash, slice_of(password), &known));
    }
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    assert_true(known);
}

static void test_a_query_may_be_cancelled(void **state)
{
    struct world *world = *state;
    struct waiter gone = {0};
    bool known;
    assert_int_equal(
        password_check(world->checker, &gone.query, SLICE("alice"), world->hash, SLICE("x"), on_done),
        PASSWORD_LATER);
    password_cancel(&gone.query);
    password_cancel(&gone.query);
    assert_true(ask(world, "alice", world->hash, SLICE("secret"), &known));
    assert_false(gone.done);
}

static void test_the_end_does_not_wait_for_a_hash(void **state)
{
    struct world *world = *state;
    struct waiter waiter = {0};
    world->hash[4] = '1', world->hash[5] = '3'; /* some tenths of a second */
    password_check(world->checker, &waiter.query, SLICE("alice"), world->hash, SLICE("secret"), on_done);
    loop_run_for(&world->loop, 10);
    password_cancel(&waiter.query);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parts_do_not_run_into_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_users_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_those_who_ask_the_same_wait_for_one_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_cancelled_are_not_hashed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_forms_of_bcrypt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passwords_of_odd_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_answers_forget_some, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_good_are_not_forgotten_for_the_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_query_may_be_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_end_does_not_wait_for_a_hash, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
