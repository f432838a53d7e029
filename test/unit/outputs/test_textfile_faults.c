#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "loop.h"
#include "textfile_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LARGE (3 * 1024 * 1024)

/* --- What libuv calls goes through here: it is recorded, and may be told to fail --- */

static struct {
    const char *failing; /* the call that fails, NULL for none */
    int error;
    unsigned times;       /* that it fails; 0: always */
    size_t write_max;     /* bytes that one write takes at most */
    unsigned writes_ok;   /* before writes fail */
    char log[128];        /* the calls: u(nlink), w(rite), m(ode), s(ync), r(ename), S(ync folder) */
    bool newcomer_wanted; /* somebody opens a file while ours is renamed */
    int newcomer;
} disk;

static int fails(const char *call, char letter)
{
    size_t at = strlen(disk.log);
    bool again = at && disk.log[at - 1] == letter;
    if (!again && at + 1 < sizeof(disk.log)) disk.log[at] = letter;
    if (!disk.failing || strcmp(disk.failing, call) != 0) return 0;
    if (disk.times && --disk.times == 0) disk.failing = NULL;
    errno = disk.error;
    return -1;
}

static mode_t type_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (type_of(fd) == S_IFREG && fd > STDERR_FILENO) {
        if (disk.write_max && len > disk.write_max) len = disk.write_max;
        if (disk.writes_ok)
            disk.writes_ok--;
        else if (fails("write", 'w'))
            return -1;
    }
    return syscall(SYS_write, fd, data, len);
}

int fchmod(int fd, mode_t mode)
{
    return fails("fchmod", 'm') ? -1 : (int) syscall(SYS_fchmod, fd, mode);
}

int fsync(int fd)
{
    bool folder = type_of(fd) == S_IFDIR;
    return fails(folder ? "fsync folder" : "fsync", folder ? 'S' : 's') ? -1 : (int) syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    if (disk.newcomer_wanted) disk.newcomer = dup(STDIN_FILENO);
    return fails("rename", 'r') ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
    return fails("unlink", 'u') ? -1 : unlinkat(AT_FDCWD, path, 0);
}

/* libuv's memory: so many allocations succeed, then `failing` ones do not. */
static struct {
    unsigned good, failing;
} memory = {.good = UINT32_MAX};

static void *scarce_malloc(size_t size)
{
    if (memory.good) {
        if (memory.good != UINT32_MAX) memory.good--;
    } else if (memory.failing) {
        memory.failing--;
        return NULL;
    }
    return malloc(size);
}

/* The bytes are on the disk before the name, and the name before success is reported. */
static void test_order(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', LARGE);
    assert_string_equal(disk.log, "uwmsrS");
}

/* libuv goes on after a short write by itself; what it gives back as short ended in an error. */
static void test_short_writes(void **state)
{
    struct textfile_world *world = *state;
    disk.write_max = 1000;
    disk.writes_ok = 3;
    disk.failing = "write";
    disk.error = ENOSPC;
    disk.times = 1;
    world_put_bytes(world, 'a', 200000);
    assert_null(disk.failing);
    assert_int_equal(world->status, 0);
    assert_true(content_is(world->path, 'a', 200000));
}

/* By the time of the rename the descriptor's number may be somebody else's. */
static void test_the_file_is_closed_once(void **state)
{
    struct textfile_world *world = *state;
    struct offer offer = offer_make('a', 10);
    disk.newcomer_wanted = true;
    world_start(world, &offer);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(world->status, 0);
    assert_int_equal(close(disk.newcomer), 0);
}

static void test_each_call_that_fails(void **state)
{
    struct textfile_world *world = *state;
    static const struct {
        const char *call;
        int error;
        const char *step;
    } rows[] = {
        {"write", ENOSPC, "write"},
        {"fchmod", EPERM, "set permissions"},
        {"fsync", EIO, "sync"},
        {"rename", EPERM, "rename"},
    };
    world_put_bytes(world, 'a', 10);
    for (size_t n = 0; n < 2 * ARRAY_LEN(rows); n++) {
        disk.failing = rows[n / 2].call;
        disk.error = rows[n / 2].error;
        disk.writes_ok = n % 2; /* at once, and in the second piece */
        world_put_in_vain(world, LARGE, -rows[n / 2].error, rows[n / 2].step);
        assert_true(content_is(world->path, 'a', 10));
        assert_int_equal(entries_of(world->folder), 1);
    }
    disk.failing = NULL;
    world_put_bytes(world, 'b', 10);
    assert_true(content_is(world->path, 'b', 10));
}

static void test_folder_that_cannot_be_synced(void **state)
{
    struct textfile_world *world = *state;
    disk.failing = "fsync folder";
    disk.error = EIO;
    world_put_in_vain(world, 10, UV_EIO, "sync folder");
    assert_true(content_is(world->path, 'x', 10));
    assert_int_equal(entries_of(world->folder), 1);
}

static void test_leftover_that_cannot_be_removed(void **state)
{
    struct textfile_world *world = *state;
    disk.failing = "unlink";
    disk.error = EPERM;
    world_put_in_vain(world, 10, UV_EPERM, "remove old temporary file");
    assert_int_equal(entries_of(world->folder), 0);
}

/* Somebody puts a link there after we looked: it is neither followed nor removed. */
static void test_temporary_file_of_a_stranger(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 10);
    assert_int_equal(symlink(world->path, world->textfile.temporary), 0);
    disk.failing = "unlink";
    disk.error = ENOENT;
    world_put_in_vain(world, 20, UV_EEXIST, "open temporary file");
    assert_true(content_is(world->path, 'a', 10));
    assert_int_equal(entries_of(world->folder), 2);
}

/* A real limit: the last write before it is short, the one after it fails. */
static void test_file_size_limit(void **state)
{
    struct textfile_world *world = *state;
    struct rlimit before, limit;
    world_put_bytes(world, 'a', 10);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 1000001, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    world_put_in_vain(world, LARGE, UV_EFBIG, "write");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(content_is(world->path, 'a', 10));
    assert_int_equal(entries_of(world->folder), 1);
}

static unsigned close_after_every_event(struct textfile_world *world)
{
    unsigned events = 0;
    bool at_work = true;
    for (; at_work; events++) {
        struct offer offer = offer_make('b', LARGE);
        at_work = world_close_after(world, &offer, events);
        assert_int_equal(entries_of(world->folder), 1);
        assert_true(content_is(world->path, 'a', 10));
    }
    return events;
}

/* Closing may also meet a write that has failed already and is tidying up. */
static void test_close_while_a_failure_is_cleaned_up(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 10);
    disk.failing = "fsync";
    disk.error = EIO;
    assert_in_range(close_after_every_event(world), 8, 1000);
}

/*
 * Each allocation of a write fails in its turn, alone and with all that follow. Without memory a temporary
 * file may stay, but the next write takes it away.
 */
static void test_each_allocation_that_fails(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 10);
    for (unsigned n = 0, failed = 1; failed; n++) {
        for (unsigned many = 0; many < 2; many++) {
            struct offer offer = offer_make('b', 10);
            world->done = false;
            memory.good = n;
            memory.failing = many ? UINT32_MAX : 1;
            int result = textfile_write(&world->textfile, &offer.producer, on_world_done);
            assert_int_equal(result, n == 0 ? UV_ENOMEM : 0);
            while (result == 0 && !world->done) uv_run(&world->loop, UV_RUN_ONCE);
            failed = memory.failing != (many ? UINT32_MAX : 1);
            memory.good = UINT32_MAX;
            memory.failing = 0;
            assert_int_equal(offer.released, 1);
            assert_int_equal(entries_of("/proc/self/fd"), world->descriptors);
            if (result == 0) assert_int_equal(world->status, failed ? UV_ENOMEM : 0);
            assert_true(content_is(world->path, failed ? 'a' : 'b', 10));
            if (!many) assert_int_equal(entries_of(world->folder), 1);
            world_put_bytes(world, 'a', 10);
            assert_int_equal(entries_of(world->folder), 1);
        }
        assert_in_range(n, 0, 20);
    }
}

static int setup(void **state)
{
    memset(&disk, 0, sizeof(disk));
    return textfile_world_setup(state);
}

static int teardown(void **state)
{
    memset(&disk, 0, sizeof(disk));
    return textfile_world_teardown(state);
}

int main(void)
{
    /* Later versions of libuv may go around the C library, where these failures are made. */
    setenv("UV_USE_IO_URING", "0", 1);
    uv_replace_allocator(scarce_malloc, realloc, calloc, free);
    signal(SIGXFSZ, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_short_writes),
        TEST(test_the_file_is_closed_once),
        TEST(test_each_call_that_fails),
        TEST(test_folder_that_cannot_be_synced),
        TEST(test_leftover_that_cannot_be_removed),
        TEST(test_temporary_file_of_a_stranger),
        TEST(test_file_size_limit),
        TEST(test_close_while_a_failure_is_cleaned_up),
        TEST(test_each_allocation_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
