/* What is read from files of certificates and passwords, and who shares it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/access.h"
#include "memcached/profile.h"

#include "certificates.h"
#include "directory.h"

#include <uv.h>

static struct buffer error;
static struct certificate certificate, other;

static void expect_error(const struct access_settings *settings, int status, const char *file,
                         const char *what)
{
    struct access *access;
    buffer_clear(&error);
    assert_int_equal(access_new(&access, settings, &error), status);
    assert_null(access);
    buffer_append_char(&error, '\0');
    assert_non_null(strstr(error.data, file));
    assert_non_null(strstr(error.data, what));
    assert_null(strchr(error.data, '\n'));
}

static struct access *make_access(const struct access_settings *settings)
{
    struct access *access;
    buffer_clear(&error);
    assert_int_equal(access_new(&access, settings, &error), 0);
    assert_int_equal(error.len, 0);
    return access;
}

static void test_nothing_is_wanted(void **state)
{
    (void) state;
    assert_null(make_access(&(struct access_settings){0}));
    assert_null(make_access(&(struct access_settings){.ca_file = "/nowhere", .server_name = "a"}));
    access_release(NULL);
}

static void test_tls(void **state)
{
    (void) state;
    write_file("ca", certificate.pem);
    write_file("cert", certificate.pem);
    write_file("key", certificate.key);
    struct access *access = make_access(&(struct access_settings){.tls = true,
                                                                  .ca_file = path_of("ca"),
                                                                  .cert_file = path_of("cert"),
                                                                  .key_file = path_of("key"),
                                                                  .server_name = "a.example"});
    assert_non_null(access_tls(access, false));
    assert_non_null(access_tls(access, true));
    assert_ptr_not_equal(access_tls(access, false), access_tls(access, true));
    assert_true(access_has_certificate(access));
    assert_false(access_has_login(access));
    struct profile *trusted = profile_new(1, 1, NULL), *other_one = profile_new(1, 1, NULL);
    profile_set_access(trusted, access, (struct profile_trust){.certificate = true});
    profile_set_access(other_one, access, (struct profile_trust){.login = true});
    assert_true(!trusted->is_anonymous && other_one->is_anonymous);
    assert_int_not_equal(profile_compare(trusted, other_one), 0);
    profile_release(trusted);
    profile_release(other_one);
    assert_string_equal(access_server_name(access), "a.example");
    assert_ptr_equal(access_hold(access), access);
    access_release(access);
    access_release(access);
    access = make_access(&(struct access_settings){.tls = true});
    assert_ptr_equal(access_tls(access, false), access_tls(access, true));
    assert_false(access_has_certificate(access));
    assert_string_equal(access_server_name(access), "");
    access_release(access);
}

static void test_bad_files(void **state)
{
    (void) state;
    write_file("ca", certificate.pem);
    write_file("key", certificate.key);
    write_file("otherkey", other.key);
    write_file("none", "");
    write_file("lines", "a\nb\n");
    write_file("end", "\n");
    char longest[ACCESS_PASSWORD_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    write_file("long", longest);
    static const struct {
        const char *ca, *cert, *key, *password, *file, *what;
        int status;
    } rows[] = {
        {"gone", "", "", "", "gone", "No such file", UV_ENOENT},
        {"none", "", "", "", "none", "CERTIFICATE", UV_EINVAL},
        {"key", "", "", "", "key", "CERTIFICATE", UV_EINVAL},
        {"", "none", "key", "", "none", "CERTIFICATE", UV_EINVAL},
        {"", "lines", "key", "", "lines", "CERTIFICATE", UV_EINVAL},
        {"", "ca", "none", "", "none", "PRIVATE KEY", UV_EINVAL},
        {"", "ca", "otherkey", "", "otherkey", "does not belong", UV_EINVAL},
        {"", "", "", "gone", "gone", "No such file", UV_ENOENT},
        {"", "", "", "none", "none", "empty", UV_EINVAL},
        {"", "", "", "end", "end", "empty", UV_EINVAL},
        {"", "", "", "lines", "lines", "one line", UV_EINVAL},
        {"", "", "", "long", "long", "at most", UV_EINVAL},
    };
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct access_settings settings = {.tls = !rows[n].password[0]};
        if (rows[n].ca[0]) settings.ca_file = path_of(rows[n].ca);
        if (rows[n].cert[0]) settings.cert_file = path_of(rows[n].cert);
        if (rows[n].key[0]) settings.key_file = path_of(rows[n].key);
        if (rows[n].password[0]) settings.password_file = path_of(rows[n].password);
        if (rows[n].password[0]) settings.username = "u";
        expect_error(&settings, rows[n].status, rows[n].file, rows[n].what);
    }
    expect_error(&(struct access_settings){.tls = true, .cert_file = "c"}, UV_EINVAL, "", "its key");
    expect_error(&(struct access_settings){.username = "u"}, UV_EINVAL, "", "a password");
    expect_error(&(struct access_settings){.password = "p"}, UV_EINVAL, "", "a user name");
    expect_error(&(struct access_settings){.username = "a b", .password = "p"}, UV_EINVAL, "", "blanks");
    expect_error(&(struct access_settings){.username = "u", .password = "p\nq"}, UV_EINVAL, "", "one line");
}

static void expect_login(const struct access *access, const char *expected)
{
    struct buffer login;
    buffer_init(&login, 4096);
    access_append_login(access, &protocol_text, &login);
    assert_true(slice_is(buffer_slice(&login), expected));
    buffer_deinit(&login);
}

static void test_login(void **state)
{
    (void) state;
    write_file("password", "pass word %s\r\n");
    struct access_settings settings = {.username = "user", .password_file = path_of("password")};
    struct access *access = make_access(&settings);
    assert_null(access_tls(access, false));
    assert_true(access_has_login(access));
    expect_login(access, "set auth 0 -1 17\r\nuser pass word %s\r\n");
    access_release(access);
    access = make_access(&(struct access_settings){.username = "u", .password = "of the environment"});
    expect_login(access, "set auth 0 -1 20\r\nu of the environment\r\n");
    access_release(access);
}

static void test_files_that_change(void **state)
{
    (void) state;
    struct access_contents contents;
    write_file("password", "first");
    struct access_settings settings = {.username = "u", .password_file = path_of("password")};
    struct access *access = make_access(&settings), *same = make_access(&settings);
    assert_true(access_equals(access, same));
    assert_true(access_equals(NULL, NULL));
    assert_false(access_equals(access, NULL));
    assert_int_equal(access_fingerprint(access), access_taken_fingerprint(access));

    write_file("password", "the second");
    assert_int_not_equal(access_fingerprint(access), access_taken_fingerprint(access));
    buffer_clear(&error);
    assert_int_equal(access_read(access, &contents, &error), 0);
    expect_login(access, "set auth 0 -1 7\r\nu first\r\n");
    access_take(access, &contents);
    access_contents_deinit(&contents);
    expect_login(access, "set auth 0 -1 12\r\nu the second\r\n");
    assert_int_equal(access_fingerprint(access), access_taken_fingerprint(access));
    assert_false(access_equals(access, same));

    write_file("password", "");
    assert_int_equal(access_read(access, &contents, &error), UV_EINVAL);
    access_contents_deinit(&contents);
    expect_login(access, "set auth 0 -1 12\r\nu the second\r\n");
    access_release(access);
    access_release(same);
}

static void test_profiles_tell_accesses_apart(void **state)
{
    (void) state;
    struct access *access = make_access(&(struct access_settings){.username = "u", .password = "p"});
    struct access *plain = make_access(&(struct access_settings){.tls = true});
    struct profile *profiles[] = {profile_new(1, 1, NULL), profile_new(1, 1, NULL), profile_new(1, 1, NULL),
                                  profile_new(1, 1, NULL)};
    profile_set_access(profiles[1], access, (struct profile_trust){true, true});
    profile_set_access(profiles[2], access, (struct profile_trust){false, false});
    profile_set_access(profiles[3], plain, (struct profile_trust){true, true});
    assert_true(profiles[1]->logs_in);
    assert_false(profiles[2]->logs_in || profiles[3]->logs_in || profiles[0]->logs_in);
    for (size_t a = 0; a < ARRAY_LEN(profiles); a++) {
        for (size_t b = 0; b < ARRAY_LEN(profiles); b++) {
            int order = profile_compare(profiles[a], profiles[b]);
            int reverse = profile_compare(profiles[b], profiles[a]);
            assert_int_equal(order == 0, a == b);
            assert_int_equal(order > 0, reverse < 0);
        }
    }
    for (size_t n = 0; n < ARRAY_LEN(profiles); n++) profile_release(profiles[n]);
    access_release(access);
    access_release(plain);
}

static int setup(void **state)
{
    (void) state;
    buffer_init(&error, 4096);
    directory_open();
    certificate = certificate_make(&(struct certificate_request){.name = "a", .is_ca = true});
    other = certificate_make(&(struct certificate_request){.name = "b", .is_ca = true});
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    buffer_deinit(&error);
    directory_close();
    certificate_free(&certificate);
    certificate_free(&other);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_wanted), cmocka_unit_test(test_tls),
        cmocka_unit_test(test_bad_files),         cmocka_unit_test(test_login),
        cmocka_unit_test(test_files_that_change), cmocka_unit_test(test_profiles_tell_accesses_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
