#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/library.h"

static void test_first_that_can_be_loaded(void **state)
{
    static const char *const names[] = {"libno-such-library.so.1", "libz.so.1", "libno-such-library.so.2",
                                        NULL};
    const char *(*version)(void) = NULL;
    (void) state;
    void *library = library_open(names);
    assert_non_null(library);
    assert_true(library_find(library, "zlibVersion", &version));
    assert_int_equal(version()[0], '1');
    assert_false(library_find(library, "no_such_function", &version));
    assert_null(version);
    library_close(library);
}

static void test_none_can_be_loaded(void **state)
{
    static const char *const names[] = {"libno-such-library.so.1", NULL};
    (void) state;
    assert_null(library_open(names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_that_can_be_loaded),
        cmocka_unit_test(test_none_can_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
