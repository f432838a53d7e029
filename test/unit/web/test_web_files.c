#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/web_files.h"

#include "certificates.h"
#include "directory.h"

#include <uv.h>

#define SECURED "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"

static struct certificate one, two;
static struct web_files files;

static int group_setup(void **state)
{
    (void) state;
    one = certificate_make(&(struct certificate_request){.name = "one"});
    two = certificate_make(&(struct certificate_request){.name = "two"});
    return 0;
}

static int group_teardown(void **state)
{
    (void) state;
    certificate_free(&one);
    certificate_free(&two);
    return 0;
}

static int setup(void **state)
{
    (void) state;
    directory_open();
    write_file("a.crt", one.pem);
    write_file("a.key", one.key);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    web_files_deinit(&files);
    directory_close();
    return 0;
}

static void open_files(const char *text)
{
    static char path[PATH_MAX];
    struct buffer error;
    buffer_init(&error, 4096);
    write_file("web.yml", text);
    snprintf(path, sizeof(path), "%s", path_of("web.yml"));
    if (web_files_open(&files, path, &error) < 0) fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
}

static size_t users(void)
{
    const struct web_config *config = web_files_config(&files);
    assert_non_null(config);
    return config->user_count;
}

static void test_users_and_headers(void **state)
{
    (void) state;
    open_files("http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: 1}}\n");
    assert_int_equal(users(), 0);
    assert_true(slice_is(buffer_slice(&files.headers), "X-Frame-Options: deny\r\nX-XSS-Protection: 1\r\n"));
    write_file("web.yml",
               "basic_auth_users: {a: doe, b: doe}\n"); /* what is no hash is found out at a login */
    assert_int_equal(users(), 2);
    assert_int_equal(files.headers.len, 0);
}

static void test_a_file_that_is_no_good(void **state)
{
    (void) state;
    open_files("basic_auth_users: {}\n");
    write_file("web.yml", "junk: [\n");
    assert_null(web_files_config(&files));
    assert_null(web_files_config(&files));
    write_file("web.yml", "http_server_config: {headers: {A: b}}\n");
    assert_null(web_files_config(&files));
    write_file("web.yml", "basic_auth_users: {a: x}\n");
    assert_int_equal(users(), 1);
    assert_int_equal(unlink(path_of("web.yml")), 0);
    assert_null(web_files_config(&files));
    write_file("web.yml", "basic_auth_users: {a: x, b: x}\n");
    assert_int_equal(users(), 2);
}

/* For an instant nobody would need a password. */
static void test_a_file_that_is_just_being_written(void **state)
{
    (void) state;
    open_files("http_server_config: {}\n");
    write_file("web.yml", "basic_auth_users: {a: x}\n");
    assert_int_equal(users(), 1);
    write_file("web.yml", "");
    assert_int_equal(users(), 1);
    for (unsigned n = 0; users() == 1 && n < 300; n++) usleep(20000);
    assert_int_equal(users(), 0);
}

static void test_certificates(void **state)
{
    (void) state;
    open_files(SECURED);
    struct tls_context *first = web_files_tls(&files);
    assert_non_null(first);
    write_file("a.crt", two.pem);
    assert_ptr_equal(web_files_tls(&files), first); /* the key may follow */
    write_file("a.key", two.key);
    struct tls_context *second = web_files_tls(&files);
    assert_non_null(second);
    assert_ptr_not_equal(second, first);
    write_file("a.key", "junk");
    assert_null(web_files_tls(&files));
    assert_non_null(web_files_config(&files)); /* requests go on */
    write_file("a.key", two.key);
    assert_non_null(web_files_tls(&files));
    assert_int_equal(unlink(path_of("a.crt")), 0);
    assert_null(web_files_tls(&files));
    write_file("a.crt", two.pem);
    assert_non_null(web_files_tls(&files));
}

static void test_a_pair_that_never_fits(void **state)
{
    (void) state;
    open_files(SECURED);
    assert_non_null(web_files_tls(&files));
    write_file("a.crt", two.pem);
    assert_non_null(web_files_tls(&files));
    for (unsigned n = 0; web_files_tls(&files) && n < 300; n++) usleep(20000);
    assert_null(web_files_tls(&files));
    write_file("a.crt", one.pem);
    assert_non_null(web_files_tls(&files));
}

static void test_tls_that_is_taken_out_of_the_file(void **state)
{
    (void) state;
    open_files(SECURED);
    assert_non_null(web_files_tls(&files));
    write_file("web.yml", "http_server_config: {}\n");
    assert_null(web_files_tls(&files));
    assert_non_null(web_files_config(&files));
    write_file("web.yml", SECURED);
    assert_non_null(web_files_tls(&files));
    write_file("web.yml", "junk");
    assert_null(web_files_tls(&files));
}

/* At rest nothing is read again. */
static void test_nothing_is_read_twice(void **state)
{
    (void) state;
    open_files(SECURED);
    usleep(100000);
    const struct tls_context *context = web_files_tls(&files);
    const char *text = web_files_config(&files)->directory;
    for (unsigned n = 0; n < 100; n++) {
        assert_ptr_equal(web_files_tls(&files), context);
        assert_ptr_equal(web_files_config(&files)->directory, text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users_and_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_just_being_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_pair_that_never_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_that_is_taken_out_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_read_twice, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
