/*
 * Whatever --config.check accepts, starts; whatever it refuses, does not start and cannot be reloaded, and
 * all three say the same line. The files are made of a table of values for every key; that no key is missing
 * in the table is read from the error that names the keys of a mapping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "directory.h"
#include "manager_world.h"
#include "settings/check.h"
#include "targets/reload.h"

#include <sys/mman.h>

#define VALUES_MAX 14

/* The keys of one mapping of the file: `before` and `after` make a whole text of "key: value". */
struct mapping {
    const char *before, *after;
};

enum {
    ROOT,
    MODULE,
    TLS,
    AUTH,
    POLICY,
    WATCH,
    CENSUS,
    OUTPUTS,
    TEXTFILE,
    PUSH,
    REMOTE_WRITE,
    GROUP,
    DNS,
    FILE_SD,
    HTTP_SD,
    ELASTICACHE
};

static const struct mapping mappings[] = {
    [ROOT] = {"{", "}"},
    [MODULE] = {"{modules: {m: {", "}}}"},
    [TLS] = {"{modules: {m: {tls: {", "}}}}"},
    [AUTH] = {"{modules: {m: {auth: {", "}}}}"},
    [POLICY] = {"{scrape_policy: {", "}}"},
    [WATCH] = {"{watch: {", "}}"},
    [CENSUS] = {"{census: {", "}}"},
    [OUTPUTS] = {"{outputs: {", "}}"},
    [TEXTFILE] = {"{outputs: {textfile: {", "}}}"},
    [PUSH] = {"{outputs: {push: {", "}}}"},
    [REMOTE_WRITE] = {"{outputs: {remote_write: {", "}}}"},
    [GROUP] = {"{groups: [{", "}]}"},
    [DNS] = {"{groups: [{name: a, dns: {", "}}]}"},
    [FILE_SD] = {"{groups: [{name: a, file_sd: {", "}}]}"},
    [HTTP_SD] = {"{groups: [{name: a, http_sd: {", "}}]}"},
    [ELASTICACHE] = {"{groups: [{name: a, elasticache: {", "}}]}"},
};

#define DURATIONS                                                                                            \
    {"1s", "250ms", "1m30s", "'2h'"},                                                                        \
    {                                                                                                        \
        "0", "0s", "-1s", "soon", "1", "[]", "{}", "~", "''"                                                 \
    }
#define REFRESHES                                                                                            \
    {"1s", "90s", "1h"},                                                                                     \
    {                                                                                                        \
        "999ms", "0", "x", "[]", "~"                                                                         \
    }
#define PATHS                                                                                                \
    {"/dev/null"},                                                                                           \
    {                                                                                                        \
        "/nowhere/at/all", "''", "~", "[]"                                                                   \
    }
#define PATHS_OF_NOTHING                                                                                     \
    {                                                                                                        \
        "/nowhere/at/all", "/dev/null", "''", "~", "[]"                                                      \
    }
#define PUSH_URL_BESIDE ", url: 'http://127.0.0.1:1'"

static const struct {
    int mapping;
    const char *key;
    const char *good[VALUES_MAX], *bad[VALUES_MAX];
    const char *beside; /* what else the mapping needs; NULL for nothing */
} keys[] = {
    {ROOT, "target_label", {"server", "instance", "_a"}, {"slab", "0a", "a-b", "''", "~", "[]", "__x"}, NULL},
    {ROOT, "shard", {"0/1", "1/2", "3/4"}, {"2/2", "x", "1", "[]", "0/0", "-1/2"}, NULL},
    {ROOT, "scrape_policy", {"{}"}, {"[]", "x"}, NULL},
    {ROOT, "watch", {"{}"}, {"[]", "x", "~", "true"}, NULL},
    {ROOT, "census", {"{}"}, {"[]", "x", "~", "true"}, NULL},
    {ROOT, "outputs", {"{}"}, {"[]", "x", "~"}, NULL},
    {ROOT, "modules", {"{}", "{a: {}}"}, {"[]", "x", "{a: []}", "{'': {}}"}, NULL},
    {ROOT,
     "groups",
     {"[]", "[{name: a, targets: []}]", "[{name: a, targets: [h, h]}]"},
     {"{}", "x", "[{}]", "[x]", "[{name: a}]", "[{name: a, targets: []}, {name: a, targets: []}]"},
     NULL},
    {MODULE, "timeout", DURATIONS, NULL},
    {MODULE,
     "collectors",
     {"[]", "[settings]", "[items, slabs, conns]"},
     {"settings", "[nonsense]", "[[]]", "{}"},
     NULL},
    {MODULE, "tls", {"{}"}, {"[]", "x"}, NULL},
    {MODULE, "auth", {NULL}, {"{}", "x"}, NULL},
    {MODULE, "protocol", {"auto", "text", "binary"}, {"ascii", "''", "[]", "~"}, NULL},
    {MODULE, "url_targets", {"true", "false"}, {"yes", "[]"}, NULL},
    {TLS, "ca_file", {NULL}, PATHS_OF_NOTHING, NULL},
    {TLS, "cert_file", {NULL}, PATHS_OF_NOTHING, ", key_file: /dev/null"},
    {TLS, "key_file", {NULL}, PATHS_OF_NOTHING, ", cert_file: /dev/null"},
    {TLS, "server_name", {"a.example"}, {"''", "[]"}, NULL},
    {TLS, "insecure_skip_verify", {"true", "false"}, {"1", "[]"}, NULL},
    {AUTH, "username", {NULL}, {"u", "''", "'a b'", "[]"}, ", password_file: /nowhere/at/all"},
    {AUTH, "password_file", {NULL}, PATHS_OF_NOTHING, ", username: u"},
    {POLICY, "allow", {"[]", "[private]", "[10.0.0.0/8, any]"}, {"x", "[10.0.0.0/33]", "[[]]", "['']"}, NULL},
    {POLICY, "deny", {"[]", "['*.example.com']"}, {"{}", "['::/129']", "[~]"}, NULL},
    {WATCH,
     "streams",
     {"[fetchers]", "[mutations, evictions, deletions, proxyreqs]"},
     {"fetchers", "[]", "[x]", "[rawcmds]", "[[]]", "~"},
     NULL},
    {WATCH, "window", {"100ms", "2s", "30s"}, {"99ms", "61s", "0", "1m", "x", "[]", "~"}, NULL},
    {WATCH, "every", {"4s", "1h"}, {"3s", "0", "x", "[]", "~"}, NULL},
    {WATCH, "servers", {"1", "8"}, {"0", "9", "-1", "x", "[]", "~"}, NULL},
    {WATCH, "bytes_per_second", {"4096", "100000000"}, {"0", "4095", "-1", "8MiB", "[]", "~"}, NULL},
    {WATCH, "keys", {"none", "prefix", "hash", "full"}, {"all", "''", "true", "[]", "~"}, NULL},
    {WATCH, "separator", {"':'", "'/'", "x"}, {"''", "'::'", "' '", "\xc3\xa4", "[]", "~"}, NULL},
    {WATCH, "prefixes", {"0", "200"}, {"201", "-1", "x", "[]", "~"}, NULL},
    {WATCH, "hot_keys", {"1", "100"}, {"0", "101", "x", "[]", "~"}, NULL},
    {WATCH, "trusted_versions", {"[]", "[1.6.18]"}, {"1.6.18", "[1.6]", "[x]", "[[]]", "~"}, NULL},
    {CENSUS, "every", {"1h", "24h"}, {"59m", "0", "x", "[]", "~"}, NULL},
    {CENSUS, "items", {"1", "100000000"}, {"0", "-1", "x", "[]", "~"}, NULL},
    {CENSUS, "time", {"1s", "10m"}, {"999ms", "11m", "0", "x", "[]", "~"}, NULL},
    {CENSUS, "separator", {"':'", "'/'", "x"}, {"''", "'::'", "' '", "[]", "~"}, NULL},
    {CENSUS, "prefixes", {"0", "200"}, {"201", "-1", "x", "[]", "~"}, NULL},
    {CENSUS, "trusted_versions", {"[]", "[1.6.18]"}, {"1.6.18", "[1.6]", "[x]", "[[]]", "~"}, NULL},
    {OUTPUTS, "textfile", {"{}"}, {"x", "[]"}, NULL},
    {OUTPUTS, "push", {"{}", "{job: x}", "{username: x}"}, {"x", "[]"}, NULL},
    {OUTPUTS, "remote_write", {"{}", "{job: x}", "{username: x}"}, {"x", "[]"}, NULL},
    {TEXTFILE, "path", {"a.prom", "/tmp/a.prom"}, {"a.txt", ".a.prom", "''", "[]", "~", "/"}, NULL},
    {TEXTFILE, "interval", DURATIONS, NULL},
    {PUSH,
     "url",
     {"'http://a'", "'https://[::1]:9/x/'", "'HTTP://a:65535'"},
     {"'http://[::1'", "'http://h:99999/x'", "'http://h:abc/'", "'ftp://a'", "a", "''", "'http://u:p@h'",
      "'http://h/?a=b'", "'http://h/#x'", "'http:///x'", "[]", "~", "'http://h h'"},
     NULL},
    {PUSH, "job", {"x", "'a/b'", "'.'"}, {"''", "~", "[]"}, PUSH_URL_BESIDE},
    {PUSH,
     "grouping",
     {"{}", "{a: b}", "{a: '', b: '/'}"},
     {"[]", "x", "{job: a}", "{a-b: c}", "{__a: b}", "{a: []}", "{'': b}"},
     PUSH_URL_BESIDE},
    {PUSH, "interval", DURATIONS, PUSH_URL_BESIDE},
    {PUSH, "timeout", DURATIONS, PUSH_URL_BESIDE},
    {PUSH, "method", {"put", "POST"}, {"get", "[]", "''"}, PUSH_URL_BESIDE},
    {PUSH, "delete_on_exit", {"true", "false"}, {"yes", "1", "[]", "''"}, PUSH_URL_BESIDE},
    {PUSH, "username", {"u"}, {"'a:b'", "''", "[]", "~"}, ", password_file: /dev/null" PUSH_URL_BESIDE},
    {PUSH, "password_file", PATHS, ", username: u" PUSH_URL_BESIDE},
    {PUSH, "password_file", {NULL}, {"/dev/null"}, PUSH_URL_BESIDE},
    {PUSH, "bearer_token_file", PATHS, PUSH_URL_BESIDE},
    {PUSH,
     "bearer_token_file",
     {NULL},
     {"/dev/null"},
     ", username: u, password_file: /dev/null" PUSH_URL_BESIDE},
    {PUSH, "ca_file", PATHS, PUSH_URL_BESIDE},
    {PUSH, "cert_file", PATHS, ", key_file: /dev/null" PUSH_URL_BESIDE},
    {PUSH, "key_file", PATHS, ", cert_file: /dev/null" PUSH_URL_BESIDE},
    {PUSH, "key_file", {NULL}, {"/dev/null"}, PUSH_URL_BESIDE},
    {REMOTE_WRITE,
     "url",
     {"'http://a/api/v1/write'", "'https://[::1]:9/x/'"},
     {"'http://[::1'", "'http://h:99999/x'", "'ftp://a'", "a", "''", "'http://u:p@h'", "[]", "~"},
     NULL},
    {REMOTE_WRITE, "job", {"x", "'a/b'"}, {"''", "~", "[]"}, PUSH_URL_BESIDE},
    {REMOTE_WRITE,
     "labels",
     {"{}", "{a: b}"},
     {"[]", "x", "{a-b: c}", "{a: []}", "{'': b}"},
     PUSH_URL_BESIDE},
    {REMOTE_WRITE, "interval", DURATIONS, PUSH_URL_BESIDE},
    {REMOTE_WRITE, "timeout", DURATIONS, PUSH_URL_BESIDE},
    {REMOTE_WRITE,
     "username",
     {"u"},
     {"'a:b'", "''", "[]", "~"},
     ", password_file: /dev/null" PUSH_URL_BESIDE},
    {REMOTE_WRITE, "password_file", PATHS, ", username: u" PUSH_URL_BESIDE},
    {REMOTE_WRITE, "bearer_token_file", PATHS, PUSH_URL_BESIDE},
    {REMOTE_WRITE, "ca_file", PATHS, PUSH_URL_BESIDE},
    {REMOTE_WRITE, "cert_file", PATHS, ", key_file: /dev/null" PUSH_URL_BESIDE},
    {REMOTE_WRITE, "key_file", PATHS, ", cert_file: /dev/null" PUSH_URL_BESIDE},
    {GROUP, "name", {"b", "'b c'"}, {"''", "~", "[]"}, ", targets: [h]"},
    {GROUP, "module", {"default"}, {"x", "[]", "''"}, ", name: a, targets: [h]"},
    {GROUP,
     "labels",
     {"{}", "{team: web}", "{a: '$b-${c}'}"},
     {"[]", "{slab: x}", "{instance: x}", "{0: x}", "{a: []}", "{a: '$'}", "{__a: b}"},
     ", name: a, targets: [h]"},
    {GROUP,
     "targets",
     {"[]", "[h:1, 10.0.0.1]", "['unix:/a', '[::1]:1', dns+h, 'dnssrv+_a._tcp.h']"},
     {"h", "[h:0]", "[h:70000]", "['']", "[dns+1.2.3.4]", "['dnssrv+h:1']", "[[]]", "['[::1']"},
     ", name: a"},
    {GROUP, "dns", {"[]", "{name: h, port: 1}"}, {"x", "[x]", "{}", "[{}]"}, ", name: a, targets: []"},
    {GROUP, "file_sd", {"{files: [a.yml]}"}, {"x", "[x]", "{}"}, ", name: a"},
    {GROUP, "http_sd", {"{url: 'http://127.0.0.1:1'}"}, {"x", "[x]", "{}"}, ", name: a"},
    {GROUP, "elasticache", {"{endpoint: h}"}, {"x", "[x]", "{}"}, ", name: a"},
    {DNS, "name", {"h", "a.b.c."}, {"1.2.3.4", "'h:1'", "''", "~", "[]", "/a"}, ", port: 1"},
    {DNS, "type", {"A", "aaaa"}, {"MX", "[]", "''"}, ", name: h, port: 1"},
    {DNS, "type", {"SRV"}, {"A"}, ", name: h"},
    {DNS, "port", {"1", "65535"}, {"0", "65536", "x", "[]", "-1"}, ", name: h"},
    {DNS, "refresh", REFRESHES, ", name: h, port: 1"},
    {FILE_SD,
     "files",
     {"[a.json]", "['/x/*.yml', b.yaml]", "['[a.yml']"},
     {"a.json", "[]", "[a.txt]", "[.yml]", "[[]]"},
     NULL},
    {FILE_SD, "refresh", REFRESHES, ", files: [a.json]"},
    {HTTP_SD,
     "url",
     {"'http://127.0.0.1:1/a?b=c'", "'https://127.0.0.1:1'"},
     {"'http://[::1'", "'http://h:99999/x'", "'http://h:abc/'", "'ftp://a'", "a", "'http://u:p@h'",
      "'http:///x'", "[]", "~", "'http://h h'", "'http://'", "'http://h\xc3\xa4/'"},
     NULL},
    {HTTP_SD, "refresh", REFRESHES, ", url: 'http://127.0.0.1:1'"},
    {ELASTICACHE, "endpoint", {"h", "'h:1'", "'[::1]:5'"}, {"/a", "'unix:/a'", "'h:0'", "''", "[]"}, NULL},
    {ELASTICACHE, "refresh", REFRESHES, ", endpoint: h"},
};

/* --- What each of the three says --- */

struct fixture {
    struct manager_world world;
    struct reload *reload;
    bool closed;
    unsigned done;
    int status;
    char error[4096];
};

static int log_file; /* nobody reads it */

static void on_done(void *context, int status, const char *error)
{
    struct fixture *fixture = context;
    fixture->done++;
    fixture->status = status;
    snprintf(fixture->error, sizeof(fixture->error), "%s", error ? error : "");
}

static void open_fixture(struct fixture *fixture)
{
    char file[PATH_MAX + 32];
    snprintf(file, sizeof(file), "--config.file=%s", path_of("e.yml"));
    *fixture = (struct fixture){0};
    manager_world_open(&fixture->world, (const char *const[]){file, NULL});
    log_configure(LOG_ERROR, LOG_LOGFMT, log_file);
    assert_int_equal(reload_new(&fixture->reload, &fixture->world.fleet.loop, &fixture->world.options,
                                fixture->world.manager),
                     0);
}

static void close_fixture(struct fixture *fixture)
{
    reload_close(fixture->reload, world_set_true, &fixture->closed);
    loop_run_until(&fixture->world.fleet.loop, &fixture->closed);
    manager_world_close(&fixture->world);
}

/* The line of --config.check without the program's name; NULL if the file is good. Freed by the caller. */
static char *check_line(const struct options *flags)
{
    static const char name[] = "memcached_fleet_exporter: ";
    struct buffer text;
    buffer_init(&text, 1 << 20);
    bool good = check_config(flags, &text);
    assert_false(text.failed);
    char *line = good ? NULL : strndup(text.data, text.len - 1);
    buffer_deinit(&text);
    if (!line) return NULL;
    assert_true(slice_starts(slice_of(line), name));
    memmove(line, line + strlen(name), strlen(line + strlen(name)) + 1);
    return line;
}

static void compare_start(const char *text, bool good)
{
    struct fixture fixture;
    struct buffer error;
    write_file("e.yml", text);
    open_fixture(&fixture);
    buffer_init(&error, 4096);
    char *line = check_line(&fixture.world.options);
    if (good != !line) fail_msg("%s in --config.check: %s", text, line ? line : "good");
    const struct config *config;
    int result = reload_read(fixture.reload, &config, &error);
    if (result == 0) result = reload_start(fixture.reload, on_done, &fixture, &error);
    buffer_append_char(&error, '\0');
    if (good != (result == 0)) fail_msg("%s at the start: %s", text, error.data);
    if (!good) {
        char place[PATH_MAX + 8];
        snprintf(place, sizeof(place), "%s:1:", path_of("e.yml"));
        assert_string_equal(error.data, line);
        /* A missing half of a pair may be a flag's. */
        if (!slice_starts(slice_of(line), "--push.") && !slice_starts(slice_of(line), "--remote-write."))
            assert_true(slice_starts(slice_of(line), place));
    }
    free(line);
    buffer_deinit(&error);
    close_fixture(&fixture);
}

/* --- All files --- */

/* Calls `compare` for each value of each key; returns how many there were. */
static unsigned each_file(void (*compare)(const char *text, bool good))
{
    unsigned count = 0;
    for (size_t n = 0; n < ARRAY_LEN(keys); n++) {
        const struct mapping *mapping = &mappings[keys[n].mapping];
        for (size_t v = 0; v < 2 * (size_t) VALUES_MAX; v++) {
            bool good = v < VALUES_MAX;
            const char *value = good ? keys[n].good[v] : keys[n].bad[v - VALUES_MAX];
            char text[1024];
            if (!value) continue;
            snprintf(text, sizeof(text), "%s%s: %s%s%s\n", mapping->before, keys[n].key, value,
                     keys[n].beside ? keys[n].beside : "", mapping->after);
            compare(text, good);
            count++;
        }
    }
    return count;
}

static void test_start(void **state)
{
    (void) state;
    unsigned count = each_file(compare_start);
    print_message("%u files\n", count);
    assert_true(count >= 150);
}

static struct fixture *running;

/* A bad file leaves the good one in force and says the line of the check. */
static void compare_reload(const char *text, bool good)
{
    if (good) return;
    write_file("e.yml", text);
    char *line = check_line(&running->world.options);
    unsigned done = running->done;
    assert_int_equal(reload_request(running->reload, on_done, running), 0);
    loop_run_until_count(&running->world.fleet.loop, &running->done, done + 1);
    assert_true(running->status < 0);
    assert_string_equal(running->error, line);
    free(line);
}

static void test_reload(void **state)
{
    struct fixture fixture;
    struct buffer error;
    const struct config *config;
    (void) state;
    write_file("e.yml", "groups: [{name: a, targets: ['127.0.0.1:1']}]\n");
    running = &fixture;
    open_fixture(&fixture);
    buffer_init(&error, 4096);
    assert_int_equal(reload_read(fixture.reload, &config, &error), 0);
    assert_int_equal(reload_start(fixture.reload, on_done, &fixture, &error), 0);
    loop_run_until_count(&fixture.world.fleet.loop, &fixture.done, 1);
    assert_int_equal(fixture.status, 0);
    each_file(compare_reload);
    buffer_deinit(&error);
    close_fixture(&fixture);
}

static bool has_key(int mapping, const char *key)
{
    for (size_t n = 0; n < ARRAY_LEN(keys); n++) {
        if (keys[n].mapping == mapping && strcmp(keys[n].key, key) == 0) return true;
    }
    return false;
}

/* A key that is none makes the reader name those there are. */
static void test_no_key_is_missing(void **state)
{
    (void) state;
    for (int n = 0; n < (int) ARRAY_LEN(mappings); n++) {
        struct fixture fixture;
        char text[256];
        snprintf(text, sizeof(text), "%szzzzzzzz: 1%s\n", mappings[n].before, mappings[n].after);
        write_file("e.yml", text);
        open_fixture(&fixture);
        char *line = check_line(&fixture.world.options);
        char *names = line ? strstr(line, "expected one of ") : NULL;
        assert_non_null(names);
        for (char *at = strtok(names + strlen("expected one of "), ", "); at; at = strtok(NULL, ", ")) {
            if (!has_key(n, at)) fail_msg("no values for the key %s in %s", at, text);
        }
        free(line);
        close_fixture(&fixture);
    }
}

static int setup(void **state)
{
    (void) state;
    directory_open();
    log_file = memfd_create("log", MFD_CLOEXEC);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    log_configure(LOG_ERROR, LOG_LOGFMT, STDERR_FILENO);
    close(log_file);
    directory_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_key_is_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
