/* Which session is offered to a server. That servers take or refuse it: integration/test_access.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/resumption.h"
#include "net/tls_context.h"

#include <openssl/ssl.h>

/* --- A stream whose session is `next`; none where `tls` is NULL --- */

static struct tls *tls;
static SSL_SESSION *next;

struct tls *__wrap_stream_tls(const struct stream *stream);
struct ssl_session_st *__wrap_tls_take_session(struct tls *session);

struct tls *__wrap_stream_tls(const struct stream *stream)
{
    (void) stream;
    return tls;
}

struct ssl_session_st *__wrap_tls_take_session(struct tls *session)
{
    SSL_SESSION *taken = next;
    (void) session;
    next = NULL;
    return taken;
}

static struct tls_context *make_context(void)
{
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    assert_int_equal(
        tls_context_new_client(&context, &(struct tls_client_settings){.skip_verify = true}, &error), 0);
    buffer_deinit(&error);
    return context;
}

static SSL_SESSION *learn(struct resumption *resumption, struct tls_context *context)
{
    static struct stream stream;
    static struct tls connection;
    SSL_SESSION *session = SSL_SESSION_new();
    assert_non_null(session);
    connection = (struct tls){.context = context};
    tls = &connection;
    next = session;
    resumption_learn(resumption, &stream);
    return session;
}

static void test_the_newest_is_offered(void **state)
{
    struct tls_context *context = make_context();
    struct resumption resumption = {0};
    static struct stream plain;
    (void) state;
    assert_null(resumption_offer(&resumption, context));
    tls = NULL;
    resumption_learn(&resumption, &plain);
    assert_null(resumption_offer(&resumption, context));
    learn(&resumption, context);
    SSL_SESSION *second = learn(&resumption, context);
    assert_ptr_equal(resumption_offer(&resumption, context), second);

    /* A connection that brought none leaves what there is. */
    resumption_learn(&resumption, &plain);
    assert_ptr_equal(resumption_offer(&resumption, context), second);
    resumption_deinit(&resumption);
    assert_null(resumption_offer(&resumption, context));
    resumption_deinit(&resumption);
    tls_context_release(context);
}

/* What was verified by other certificates is not resumed. */
static void test_not_under_another_context(void **state)
{
    struct tls_context *context = make_context(), *other = make_context();
    struct resumption resumption = {0};
    (void) state;
    SSL_SESSION *session = learn(&resumption, context);
    assert_null(resumption_offer(&resumption, other));
    assert_ptr_equal(resumption_offer(&resumption, context), session);
    tls_context_release(context); /* it is held for as long as the session is */
    assert_ptr_equal(resumption_offer(&resumption, context), session);
    session = learn(&resumption, other);
    assert_ptr_equal(resumption_offer(&resumption, other), session);
    resumption_deinit(&resumption);
    tls_context_release(other);
}

static void test_never_after_a_refusal(void **state)
{
    struct tls_context *context = make_context();
    struct resumption resumption = {0};
    (void) state;
    learn(&resumption, context);
    resumption_refuse(&resumption);
    assert_null(resumption_offer(&resumption, context));
    SSL_SESSION *session = learn(&resumption, context);
    assert_null(resumption_offer(&resumption, context));
    assert_ptr_equal(next, session); /* it was not even taken */
    SSL_SESSION_free(next);
    next = NULL;
    tls_context_release(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_is_offered),
        cmocka_unit_test(test_not_under_another_context),
        cmocka_unit_test(test_never_after_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
