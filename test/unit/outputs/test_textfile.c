#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "loop.h"
#include "textfile_world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (3 * 1024 * 1024)

static void test_writes_everything(void **state)
{
    struct textfile_world *world = *state;
    static const size_t sizes[] = {1, 0, 20, 64 * 1024, 64 * 1024 + 5, 64 * 1024 + 6, LARGE};
    for (size_t n = 0; n < ARRAY_LEN(sizes); n++) {
        world_put_bytes(world, (char) n, sizes[n]);
        assert_int_equal(world->status, 0);
        assert_true(content_is(world->path, (char) n, sizes[n]));
        assert_int_equal(entries_of(world->folder), 1);
    }
}

/* A file that exists beside the target, and that a glob for *.prom leaves alone. */
static void check_old_content(struct textfile_world *world)
{
    const char *name = strrchr(world->textfile.temporary, '/') + 1;
    assert_true(content_is(world->path, 'a', 10));
    assert_int_equal(access(world->textfile.temporary, F_OK), 0);
    assert_int_equal(name[0], '.');
    assert_string_not_equal(strrchr(name, '.'), ".prom");
    assert_int_equal(entries_of(world->folder), 2);
}

static void test_old_content_stays_until_the_end(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 10);
    struct offer offer = offer_make('b', LARGE);
    offer.check = check_old_content;
    offer.world = world;
    world_put(world, &offer);
    assert_true(content_is(world->path, 'b', LARGE));
}

static void test_anybody_may_read(void **state)
{
    struct textfile_world *world = *state;
    struct stat status;
    mode_t before = umask(077);
    world_put_bytes(world, 'a', 10);
    assert_int_equal(umask(before), 077);
    assert_int_equal(stat(world->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
}

static void test_leftover_of_a_killed_run(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 10);
    FILE *leftover = fopen(world->textfile.temporary, "w");
    fputs("more bytes than the next write has", leftover);
    fclose(leftover);
    world_put_bytes(world, 'b', 10);
    assert_int_equal(world->status, 0);
    assert_true(content_is(world->path, 'b', 10));
    assert_int_equal(entries_of(world->folder), 1);
}

static void test_symbolic_link_is_replaced(void **state)
{
    struct textfile_world *world = *state;
    char other[160];
    struct stat status;
    snprintf(other, sizeof(other), "%s/other", world->folder);
    assert_int_equal(symlink(other, world->path), 0);
    world_put_bytes(world, 'a', 10);
    assert_int_equal(lstat(world->path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(access(other, F_OK), -1);
}

static void aim(struct textfile_world *world, const char *path)
{
    textfile_init(&world->textfile, &world->loop, path);
}

static void test_path_without_a_folder(void **state)
{
    struct textfile_world *world = *state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(world->folder), 0);
    aim(world, "fleet.prom");
    world_put_bytes(world, 'a', 10);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(world->status, 0);
    assert_true(content_is(world->path, 'a', 10));
}

static void test_wrong_targets(void **state)
{
    struct textfile_world *world = *state;
    char path[512], name[257];
    snprintf(path, sizeof(path), "%s/missing/fleet.prom", world->folder);
    aim(world, path);
    world_put_in_vain(world, 10, UV_ENOENT, "open folder");
    aim(world, world->folder);
    world_put_in_vain(world, 10, UV_EISDIR, "rename");
    aim(world, "");
    world_put_in_vain(world, 10, UV_ENOENT, "rename");

    memset(name, 'n', 256);
    name[256] = '\0';
    snprintf(path, sizeof(path), "%s/%s", world->folder, name);
    aim(world, path);
    world_put_in_vain(world, 10, UV_ENAMETOOLONG, "rename");
    assert_int_equal(entries_of(world->folder), 0);
    path[strlen(path) - 1] = '\0'; /* the longest name that there can be */
    world_put_bytes(world, 'a', 10);
    assert_true(content_is(path, 'a', 10));
    assert_int_equal(entries_of(world->folder), 1);
    strcat(path, "/fleet.prom");
    world_put_in_vain(world, 10, UV_ENOTDIR, "open folder");
}

static void test_path_too_long(void **state)
{
    struct textfile_world *world = *state;
    char path[PATH_MAX + 2];
    memset(path, '/', sizeof(path));
    path[PATH_MAX + 1] = '\0';
    aim(world, path);
    struct offer offer = offer_make('a', 10);
    assert_int_equal(textfile_write(&world->textfile, &offer.producer, on_world_done), UV_ENAMETOOLONG);
    assert_int_equal(offer.released, 1);
    loop_run_for(&world->loop, 10);
    assert_false(world->done);
}

static void test_folder_without_permission(void **state)
{
    struct textfile_world *world = *state;
    bool root = geteuid() == 0;
    world_put_bytes(world, 'a', 10);
    assert_int_equal(chmod(world->folder, 0555), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    world_put_in_vain(world, 10, UV_EACCES, "open temporary file");
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(world->folder, 0755), 0);
    assert_true(content_is(world->path, 'a', 10));
}

static void test_producer_that_fails(void **state)
{
    struct textfile_world *world = *state;
    static const size_t sizes[] = {0, 10, LARGE};
    world_put_bytes(world, 'a', 10);
    for (size_t n = 0; n < ARRAY_LEN(sizes); n++) {
        struct offer offer = offer_make('b', sizes[n]);
        offer.spoiled = true;
        world_put(world, &offer);
        assert_int_equal(world->status, UV_ENOMEM);
        assert_string_equal(world->step, "collect");
        assert_true(content_is(world->path, 'a', 10));
        assert_int_equal(entries_of(world->folder), 1);
    }
}

/* --- Closing --- */

static void test_close_after_every_event(void **state)
{
    struct textfile_world *world = *state;
    unsigned events = 0;
    bool at_work = true;
    world_put_bytes(world, 'a', 10);
    for (; at_work; events++) {
        struct offer offer = offer_make('b', 200000);
        at_work = world_close_after(world, &offer, events);
        assert_int_equal(entries_of(world->folder), 1);
        if (!content_is(world->path, 'a', 10)) assert_true(content_is(world->path, 'b', 200000));
    }
    assert_in_range(events, 14, 1000); /* as many steps as there are at least */
    assert_true(content_is(world->path, 'b', 200000));
}

static void on_closed(struct textfile *textfile)
{
    struct textfile_world *world = textfile_world_of(textfile);
    assert_false(world->closed);
    world->closed = true;
}

static void on_closed_again(struct textfile *textfile)
{
    (void) textfile;
    fail_msg("the second close's callback ran");
}

static void test_close_twice(void **state)
{
    struct textfile_world *world = *state;
    struct offer offer = offer_make('a', 10);
    for (unsigned busy = 0; busy < 2; busy++) {
        world->closed = false;
        if (busy) world_start(world, &offer);
        textfile_close(&world->textfile, on_closed);
        textfile_close(&world->textfile, on_closed_again);
        assert_false(world->closed);
        loop_run_until(&world->loop, &world->closed);
        textfile_close(&world->textfile, on_closed_again);
        loop_run_for(&world->loop, 10);
        textfile_init(&world->textfile, &world->loop, world->path);
    }
    assert_int_equal(offer.released, 1);
    assert_int_equal(entries_of(world->folder), 0);
}

static void on_done_then_close(struct textfile *textfile, int status, const char *step)
{
    on_world_done(textfile, status, step);
    textfile_close(textfile, on_closed);
}

static struct offer second;

static void on_done_then_again(struct textfile *textfile, int status, const char *step)
{
    on_world_done(textfile, status, step);
    textfile_world_of(textfile)->done = false;
    second = offer_make('b', 20);
    assert_int_equal(textfile_write(textfile, &second.producer, on_done_then_close), 0);
}

static void test_write_and_close_from_the_callback(void **state)
{
    struct textfile_world *world = *state;
    struct offer first = offer_make('a', 10);
    assert_int_equal(textfile_write(&world->textfile, &first.producer, on_done_then_again), 0);
    loop_run_until(&world->loop, &world->closed);
    assert_true(world->done);
    assert_int_equal(world->status, 0);
    assert_true(content_is(world->path, 'b', 20));
}

/* --- Killing --- */

static void on_rewritten(struct textfile *textfile, int status, const char *step)
{
    static char seed = 'a';
    (void) step;
    if (status < 0) _exit(1);
    seed = seed == 'a' ? 'b' : 'a';
    second = offer_make(seed, 150000);
    if (textfile_write(textfile, &second.producer, on_rewritten) < 0) _exit(1);
}

/* A process that does nothing but rewrite the file. */
static void rewrite_for_ever(const char *path)
{
    uv_loop_t loop;
    struct textfile textfile;
    if (uv_loop_init(&loop) < 0) _exit(1);
    textfile_init(&textfile, &loop, path);
    on_rewritten(&textfile, 0, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

static void test_killed_at_any_moment(void **state)
{
    struct textfile_world *world = *state;
    world_put_bytes(world, 'a', 150000);
    for (unsigned n = 0; n < 40; n++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) rewrite_for_ever(world->path);
        usleep(1000 + n * 300);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(content_is(world->path, 'a', 150000) || content_is(world->path, 'b', 150000));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, textfile_world_setup, textfile_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_writes_everything),
        TEST(test_old_content_stays_until_the_end),
        TEST(test_anybody_may_read),
        TEST(test_leftover_of_a_killed_run),
        TEST(test_symbolic_link_is_replaced),
        TEST(test_path_without_a_folder),
        TEST(test_wrong_targets),
        TEST(test_path_too_long),
        TEST(test_folder_without_permission),
        TEST(test_producer_that_fails),
        TEST(test_close_after_every_event),
        TEST(test_close_twice),
        TEST(test_write_and_close_from_the_callback),
        TEST(test_killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
