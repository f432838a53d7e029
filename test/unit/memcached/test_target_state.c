/* What the log says of a target. What each end of a poll means is tested in test_client.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "memcached/target_state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int ends[2];

static int setup(void **state)
{
    (void) state;
    return pipe2(ends, O_NONBLOCK);
}

static int teardown(void **state)
{
    (void) state;
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* Polls of one target, one after the other. */
static const struct {
    enum target_state state;
    const char *error, *line; /* "" for no line */
} polls[] = {
    {TARGET_UP, "", ""},
    {TARGET_TLS_ERROR, "expired", "msg=\"target is down\" target=a state=tls_error err=expired"},
    {TARGET_TLS_ERROR, "expired", ""},
    {TARGET_AUTH_FAILED, "wrong",
     "msg=\"target is still down, for another reason\" target=a state=auth_failed err=wrong"},
    {TARGET_TLS_ERROR, "expired", ""},
    {TARGET_TLS_ERROR, "unknown CA", "state=tls_error err=\"unknown CA\""},
    {TARGET_AUTH_FAILED, "wrong", ""},
    {TARGET_UP, "", "msg=\"target is up again\" target=a"},
    {TARGET_UP, "", ""},
    {TARGET_TLS_ERROR, "expired", "msg=\"target is down\" target=a state=tls_error err=expired"},
};

static void test_each_reason_is_said_once(void **state)
{
    uint64_t reasons = 0;
    (void) state;
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    for (size_t n = 0; n < ARRAY_LEN(polls); n++) {
        char text[4096];
        struct snapshot snapshot = {.state = polls[n].state};
        strcpy(snapshot.error, polls[n].error);
        target_state_log(&snapshot, "a", &reasons, NULL);
        ssize_t len = read(ends[0], text, sizeof(text) - 1);
        text[len < 0 ? 0 : len] = '\0';
        if (*polls[n].line ? !strstr(text, polls[n].line) : *text) fail_msg("%zu: %s", n, text);
    }
}

/* Words that change with each poll do not fill the log. */
static void test_lines_are_bounded(void **state)
{
    uint64_t reasons = 0;
    unsigned lines = 0;
    (void) state;
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    for (unsigned n = 0; n < 10000; n++) {
        char text[4096];
        struct snapshot snapshot = {.state = TARGET_PROTOCOL_ERROR};
        snprintf(snapshot.error, sizeof(snapshot.error), "the server said: %u", n);
        target_state_log(&snapshot, "a", &reasons, NULL);
        lines += read(ends[0], text, sizeof(text)) > 0;
    }
    assert_in_range(lines, 2, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_reason_is_said_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
