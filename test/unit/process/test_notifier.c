/* What the service manager is told, at sockets with a path and with an abstract name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/notifier.h"

#include "directory.h"
#include "loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    uv_loop_t loop;
    struct notifier notifier;
    char name[108]; /* as in $NOTIFY_SOCKET */
    int manager;    /* socket of the service manager */
    char said[4096];
} world;

/* --- The service manager --- */

static void open_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    snprintf(world.name, sizeof(world.name), "%s", name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') address.sun_path[0] = '\0';
    world.manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world.manager, (struct sockaddr *) &address,
                          (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

/* Returns the next datagram, or "" if there is none. */
static const char *hear(void)
{
    ssize_t len = recv(world.manager, world.said, sizeof(world.said) - 1, 0);
    world.said[len > 0 ? len : 0] = '\0';
    return world.said;
}

/* Turns the loop until there is a datagram. */
static const char *wait_to_hear(void)
{
    for (int n = 0; n < 60000; n++) {
        if (*hear()) return world.said;
        loop_run_for(&world.loop, 1);
    }
    fail_msg("nothing was said");
    return "";
}

static void start(void)
{
    loop_open(&world.loop);
    notifier_start(&world.notifier, &world.loop, true);
}

static void end(void)
{
    notifier_close(&world.notifier);
    loop_close(&world.loop);
    if (world.manager >= 0) close(world.manager);
    world.manager = -1;
}

static int set_up(void **state)
{
    (void) state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    world.manager = -1;
    return 0;
}

static void open_abstract(void)
{
    char name[64];
    snprintf(name, sizeof(name), "@notifier-test-%d", (int) getpid());
    open_manager(name);
}

/* --- States --- */

static void expect_states(void)
{
    uint64_t before_usec = uv_hrtime() / 1000;
    start();
    assert_string_equal(hear(), "");
    notifier_ready(&world.notifier, 1, true);
    assert_string_equal(hear(), "READY=1\nSTATUS=Serving 1 target.\n");
    notifier_ready(&world.notifier, 1, true);
    assert_string_equal(hear(), "");
    notifier_reloading(&world.notifier);
    static const char reloading[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_memory_equal(hear(), reloading, sizeof(reloading) - 1);
    uint64_t usec = strtoull(world.said + sizeof(reloading) - 1, NULL, 10);
    assert_in_range(usec, before_usec, uv_hrtime() / 1000);
    notifier_ready(&world.notifier, 25, false);
    assert_string_equal(hear(), "READY=1\nSTATUS=Serving 25 targets. The last reload failed: the log says "
                                "why, the previous configuration stays.\n");
    notifier_stopping(&world.notifier);
    assert_string_equal(hear(), "STOPPING=1\nSTATUS=Stopping: scrapes that have begun are answered.\n");
    notifier_ready(&world.notifier, 25, true);
    notifier_reloading(&world.notifier);
    notifier_stopping(&world.notifier);
    assert_string_equal(hear(), "");
    end();
}

static void test_states_at_an_abstract_socket(void **state)
{
    (void) state;
    open_abstract();
    expect_states();
}

static void test_states_at_a_path(void **state)
{
    (void) state;
    directory_open();
    open_manager(path_of("notify"));
    expect_states();
    directory_close();
}

/* --- Sockets that cannot be used --- */

static void test_nobody_wants_to_know(void **state)
{
    (void) state;
    char longest[200];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    const char *const names[] = {NULL, "", "/", "@", "vsock:2:1234", "relative", "/nowhere/at/all", longest};
    setenv("WATCHDOG_USEC", "3000", 1);
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        if (names[n])
            setenv("NOTIFY_SOCKET", names[n], 1);
        else
            unsetenv("NOTIFY_SOCKET");
        start();
        notifier_ready(&world.notifier, 1, true);
        notifier_stopping(&world.notifier);
        end();
    }
}

static void test_not_wanted(void **state)
{
    (void) state;
    open_abstract();
    loop_open(&world.loop);
    notifier_start(&world.notifier, &world.loop, false);
    notifier_ready(&world.notifier, 1, true);
    assert_string_equal(hear(), "");
    end();
}

/* A full socket is tried again, and then gets the newest state. */
static void test_a_full_socket(void **state)
{
    (void) state;
    unsigned taken = 0;
    open_abstract();
    start();
    while (!world.notifier.unsent) {
        notifier_ready(&world.notifier, taken++, true);
        assert_true(taken < 100000);
    }
    notifier_ready(&world.notifier, 123456, true);
    loop_run_for(&world.loop, 250);
    while (*hear()) taken--;
    assert_int_equal(taken, 1);
    assert_string_equal(wait_to_hear(), "READY=1\nSTATUS=Serving 123456 targets.\n");
    loop_run_for(&world.loop, 250);
    assert_string_equal(hear(), "");
    end();
}

/* --- The watchdog --- */

static void test_watchdog(void **state)
{
    (void) state;
    open_abstract();
    setenv("WATCHDOG_USEC", "300000", 1);
    start();
    for (int n = 0; n < 3; n++) {
        uint64_t before_ns = uv_hrtime();
        assert_string_equal(wait_to_hear(), "WATCHDOG=1\n");
        if (n) assert_true(uv_hrtime() - before_ns > 50000000u);
    }
    /* A loop that does not turn serves no watchdog. */
    usleep(400000);
    assert_string_equal(hear(), "");
    /* It is served until the loop ends. */
    notifier_stopping(&world.notifier);
    hear();
    assert_string_equal(wait_to_hear(), "WATCHDOG=1\n");
    end();
}

static void expect_no_watchdog(const char *usec, const char *pid)
{
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid) setenv("WATCHDOG_PID", pid, 1);
    open_abstract();
    start();
    assert_int_equal(world.notifier.watchdog_ms, 0);
    assert_false(uv_is_active((uv_handle_t *) &world.notifier.timer));
    end();
    unsetenv("WATCHDOG_PID");
}

static void test_no_watchdog(void **state)
{
    (void) state;
    expect_no_watchdog("", NULL);
    expect_no_watchdog("0", NULL);
    expect_no_watchdog("soon", NULL);
    expect_no_watchdog("30000000", "1");
}

static void test_watchdog_of_this_process(void **state)
{
    (void) state;
    char pid[16];
    static const struct {
        const char *usec;
        unsigned ms;
    } cases[] = {{"1", 1}, {"2999", 1}, {"3000", 1}, {"9000", 3}, {"30000000", 10000}};
    snprintf(pid, sizeof(pid), "%d", (int) getpid());
    setenv("WATCHDOG_PID", pid, 1);
    for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        setenv("WATCHDOG_USEC", cases[n].usec, 1);
        open_abstract();
        start();
        assert_int_equal(world.notifier.watchdog_ms, cases[n].ms);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_states_at_an_abstract_socket, set_up),
        cmocka_unit_test_setup(test_states_at_a_path, set_up),
        cmocka_unit_test_setup(test_nobody_wants_to_know, set_up),
        cmocka_unit_test_setup(test_not_wanted, set_up),
        cmocka_unit_test_setup(test_a_full_socket, set_up),
        cmocka_unit_test_setup(test_watchdog, set_up),
        cmocka_unit_test_setup(test_no_watchdog, set_up),
        cmocka_unit_test_setup(test_watchdog_of_this_process, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
