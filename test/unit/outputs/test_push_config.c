#include "outputs/push_config.h"

#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct push_config usual = {
    .url = "http://gateway:9091",
    .job = "memcached",
    .interval_ns = 15000000000,
    .timeout_ns = 10000000000,
};

static void assert_buffer(struct buffer *buffer, const char *expected)
{
    buffer_append_char(buffer, '\0');
    assert_false(buffer->failed);
    assert_string_equal(buffer->data, expected);
    buffer_deinit(buffer);
}

static void assert_url(const char *url, const char *job, const char *name, const char *value,
                       const char *expected)
{
    struct push_label label = {name, value};
    struct push_config config = usual;
    struct buffer out;
    config.url = url;
    config.job = job;
    config.grouping = (struct push_labels){&label, name ? 1 : 0};
    buffer_init(&out, PUSH_URL_MAX);
    enum push_setting setting;
    assert_int_equal(push_config_check(&config, &setting, &out), 0);
    assert_int_equal(out.len, 0);
    push_config_url(&config, &out);
    assert_buffer(&out, expected);
}

static void test_url(void **state)
{
    (void) state;
    assert_url("http://g:9091", "memcached", NULL, NULL, "http://g:9091/metrics/job/memcached");
    assert_url("https://g/", "j", NULL, NULL, "https://g/metrics/job/j");
    assert_url("http://[::1]:9091/proxy/pgw//", "j", "instance", "h-1.example:9150",
               "http://[::1]:9091/proxy/pgw/metrics/job/j/instance/h-1.example%3A9150");
}

static void test_url_percent_encoded(void **state)
{
    (void) state;
    assert_url("http://g", "a b%?#&+=@\"\\", "x", "\xce\xa0\n~",
               "http://g/metrics/job/a%20b%25%3F%23%26%2B%3D%40%22%5C/x/%CE%A0%0A~");
}

static void test_url_base64(void **state)
{
    (void) state;
    assert_url("http://g", "directory_cleaner", "path", "/var/tmp",
               "http://g/metrics/job/directory_cleaner/path@base64/L3Zhci90bXA");
    assert_url("http://g", "a/b", "x", "", "http://g/metrics/job@base64/YS9i/x@base64/=");
    assert_url("http://g", ".", "x", "..", "http://g/metrics/job@base64/Lg/x@base64/Li4");
    assert_url("http://g", "j", "x", "/\xef\xbf\xbd\xef\xbf\xbd~",
               "http://g/metrics/job/j/x@base64/L--_ve-_vX4");
    assert_url("http://g", "j", "x", "...", "http://g/metrics/job/j/x/...");
}

static void test_url_of_several_labels(void **state)
{
    struct push_label labels[] = {{"instance", "h"}, {"path", "/"}, {"_a1", "b"}};
    struct push_config config = usual;
    struct buffer out;
    (void) state;
    config.grouping = (struct push_labels){labels, ARRAY_LEN(labels)};
    buffer_init(&out, PUSH_URL_MAX);
    push_config_url(&config, &out);
    assert_buffer(&out, "http://gateway:9091/metrics/job/memcached/instance/h/path@base64/Lw/_a1/b");
}

static void assert_refused(const struct push_config *config, enum push_setting setting, const char *expected)
{
    struct buffer reason;
    buffer_init(&reason, 1024);
    enum push_setting found = PUSH_CHECKED;
    assert_true(push_config_check(config, &found, &reason) < 0);
    assert_int_equal(found, setting);
    assert_true(slice_starts(buffer_slice(&reason), "expected "));
    buffer_append_char(&reason, '\0');
    assert_false(reason.failed);
    assert_string_equal(reason.data + strlen("expected "), expected);
    buffer_deinit(&reason);
}

static void test_bad_urls(void **state)
{
    static const char *const urls[] = {
        "",           "gateway:9091",   "ftp://g",    "http:",      "http://",      "http:///g",
        "http://g:x", "http://g:70000", "http://a b", "http://g\n", "http://:9091", "file:///etc/passwd",
        "https:///",
    };
    struct push_config config = usual;
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(urls); n++) {
        config.url = urls[n];
        assert_refused(&config, PUSH_URL, "a URL of the form http[s]://host[:port][/path]");
    }
    config.url = "http://g/?x=1";
    assert_refused(&config, PUSH_URL, "a URL without query and fragment");
    static const char *const doubled[] = {"http://g/metrics", "http://g/x/metrics//",
                                          "http://g/metrics/job/x"};
    for (size_t n = 0; n < ARRAY_LEN(doubled); n++) {
        config.url = doubled[n];
        assert_refused(&config, PUSH_URL, "a URL without /metrics, which the push adds itself");
    }
    config.url = "http://g/#top";
    assert_refused(&config, PUSH_URL, "a URL without query and fragment");
}

static void test_credentials_in_url(void **state)
{
    static const char *const urls[] = {"http://u:secret@g", "https://u@g:1/", "http://:p@g"};
    struct push_config config = usual;
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(urls); n++) {
        config.url = urls[n];
        assert_refused(&config, PUSH_URL, "no credentials in the URL");
    }
}

static void test_bad_labels(void **state)
{
    struct push_label labels[2] = {{"a", "x"}, {"", "x"}};
    struct push_config config = usual;
    static const char *const names[] = {"", "1a", "a-b", "a@base64", "__x", "\xc3\xa4"};
    (void) state;
    config.grouping = (struct push_labels){labels, 2};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        labels[1].name = names[n];
        assert_refused(&config, PUSH_GROUPING,
                       "a label name of letters, digits and _, not beginning with a digit or __");
    }
    labels[1].name = "job";
    assert_refused(&config, PUSH_GROUPING, "no label job, which has a setting of its own");
    labels[1].name = "a";
    assert_refused(&config, PUSH_GROUPING, "each label at most once");
    labels[1] = (struct push_label){"b", "\xff"};
    assert_refused(&config, PUSH_GROUPING, "a label value in UTF-8");
    config.grouping.count = 1;
    config.job = "";
    assert_refused(&config, PUSH_JOB, "a job that is not empty");
    config.job = "\xc3";
    assert_refused(&config, PUSH_JOB, "a job in UTF-8");
}

static void test_too_long(void **state)
{
    char *long_text = malloc(PUSH_URL_MAX);
    struct push_config config = usual;
    struct push_label label = {"a", long_text};
    (void) state;
    memset(long_text, 'a', PUSH_URL_MAX);
    long_text[PUSH_URL_MAX - 1] = '\0';
    config.grouping = (struct push_labels){&label, 1};
    assert_refused(&config, PUSH_GROUPING, "shorter labels");
    config.grouping.count = 0;
    memcpy(long_text, "http://g/", 9);
    config.url = long_text;
    assert_refused(&config, PUSH_URL, "a shorter URL");
    free(long_text);
}

static void test_bad_settings(void **state)
{
    struct push_config config = usual;
    (void) state;
    config.username = "u";
    assert_refused(&config, PUSH_USERNAME, "a user name and a password file, or neither");
    config.password_file = "/nowhere/password";
    assert_refused(&config, PUSH_PASSWORD_FILE,
                   "a readable file, but cannot read /nowhere/password: No such file or directory");
    config.username = "u:v";
    assert_refused(&config, PUSH_USERNAME, "a user name without a colon");
    config = usual;
    config.username = "u";
    config.password_file = config.bearer_token_file = "/dev/null";
    assert_refused(&config, PUSH_BEARER_TOKEN_FILE, "a user name or a bearer token, not both");
    config = usual;
    config.bearer_token_file = "/nowhere/token";
    assert_refused(&config, PUSH_BEARER_TOKEN_FILE,
                   "a readable file, but cannot read /nowhere/token: No such file or directory");
    config = usual;
    config.key_file = "/dev/null";
    assert_refused(&config, PUSH_CERT_FILE, "a certificate and its key, or neither");
    config = usual;
    config.ca_file = "/nowhere/ca";
    assert_refused(&config, PUSH_CA_FILE,
                   "a readable file, but cannot read /nowhere/ca: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),          cmocka_unit_test(test_url_percent_encoded),
        cmocka_unit_test(test_url_base64),   cmocka_unit_test(test_url_of_several_labels),
        cmocka_unit_test(test_bad_urls),     cmocka_unit_test(test_credentials_in_url),
        cmocka_unit_test(test_bad_labels),   cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
