#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/read_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/test_read_file_XXXXXX", path[100];

static int setup(void **state)
{
    (void) state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/file", directory);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(directory);
}

static void write_bytes(size_t count)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t n = 0; n < count; n++) putc('x', file);
    fclose(file);
}

/* What reading comes to, and that the error ends so; NULL for none. */
static void expect(const char *name, size_t most, int result, const char *end, size_t len)
{
    struct buffer text, error;
    buffer_init(&text, most + 1);
    buffer_init(&error, 1000);
    assert_int_equal(read_file(name, most, &text, &error), result);
    if (result == 0) assert_int_equal(text.len, len);
    buffer_append_char(&error, '\0');
    if (!end) assert_string_equal(error.data, "");
    if (end && (!strstr(error.data, end) || !strstr(error.data, name))) fail_msg("%s", error.data);
    buffer_deinit(&text);
    buffer_deinit(&error);
}

static void test_whole_files(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    (void) state;
    for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        write_bytes(sizes[n]);
        expect(path, 200000, 0, NULL, sizes[n]);
        if (sizes[n]) expect(path, sizes[n], 0, NULL, sizes[n]);
        if (sizes[n]) expect(path, sizes[n] - 1, -EINVAL, ": expected at most", 0);
    }
}

static void test_what_is_no_file(void **state)
{
    (void) state;
    unlink(path);
    expect(path, 10, -ENOENT, ": No such file or directory", 0);
    expect(directory, 10, -EINVAL, ": expected a file, not a directory", 0);
    expect("/dev/null", 10, -EINVAL, ": expected a regular file", 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect(path, 10, -EINVAL, ": expected a regular file", 0); /* and does not wait for a writer */
    unlink(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_files),
        cmocka_unit_test(test_what_is_no_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
