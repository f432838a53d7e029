/* Quality values as browsers, scrapers and people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/accept.h"

#include "base/container.h"

static void test_qualities(void **state)
{
    (void) state;
    static const struct {
        const char *header;
        int gzip, identity;
    } rows[] = {
        {"", 0, 1},
        {"gzip", 1000, 1},
        {"GZip", 1000, 1},
        {"gzip, deflate, br", 1000, 1},
        {"deflate , gzip ; q=0.8", 800, 1},
        {"gzip;q=0", 0, 1},
        {"gzip;Q=0.001", 1, 1},
        {"gzip;q=1.000", 1000, 1},
        {"gzip;level=9;q=0.5", 500, 1},
        {"gzip;q = 0.25", 250, 1},
        {"gzip;q=0.5, gzip;q=1", 500, 1},
        {"*", 1000, 1000},
        {"*;q=0.2", 200, 200},
        {"*;q=0, gzip", 1000, 0},
        {"gzip, *;q=0", 1000, 0},
        {"gzip;q=0.5, identity", 500, 1000},
        {"identity;q=0", 0, 0},
        {"x-gzip", 0, 1},
        {"gzipped", 0, 1},
        {",,gzip,", 1000, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice header = slice_of(rows[i].header);
        assert_int_equal(accept_encoding_quality(header, "gzip"), rows[i].gzip);
        assert_int_equal(accept_encoding_quality(header, "identity"), rows[i].identity);
    }
}

static void test_malformed_qualities_count_as_none(void **state)
{
    (void) state;
    static const char *const rows[] = {
        "gzip;q=",    "gzip;q",    "gzip;q=2",      "gzip;q=1.001", "gzip;q=-1",
        "gzip;q=0,5", "gzip;q=.5", "gzip;q=0.5555", "gzip;q=0.5x",  "gzip;q=high",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(accept_encoding_quality(slice_of(rows[i]), "gzip"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qualities),
        cmocka_unit_test(test_malformed_qualities_count_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
