/* Versions of servers: which texts are versions, and which is older. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/server_version.h"

static void reads_what_servers_report(void **state)
{
    (void) state;
    struct server_version version;
    assert_true(server_version_parse(SLICE("1.6.18"), &version));
    assert_int_equal(version.part[0], 1);
    assert_int_equal(version.part[1], 6);
    assert_int_equal(version.part[2], 18);
    assert_true(server_version_parse(SLICE("1.5.4-rc1"), &version));
    assert_true(server_version_parse(SLICE("1.6.0 DF"), &version));
    assert_true(server_version_parse(SLICE("1.6.45_2-gabc"), &version));
}

static void refuses_other_texts(void **state)
{
    static const char *const texts[] = {"",          "1",       "1.6",     "1.6.",
                                        ".6.18",     "1..18",   "1.6.18x", "1.6.x18",
                                        "1.6.10000", "-1.6.18", " 1.6.18", "1.6.18.1",
                                        "x",         "1,6,18",  "1.6.+1",  "1.6.99999999999999999999"};
    (void) state;
    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++) {
        struct server_version version;
        if (server_version_parse(slice_of(texts[n]), &version)) fail_msg("%s is taken", texts[n]);
        assert_false(server_version_reaches(slice_of(texts[n]), 0, 0, 0));
    }
}

static void compares_number_by_number(void **state)
{
    (void) state;
    assert_true(server_version_reaches(SLICE("1.6.45"), 1, 6, 45));
    assert_true(server_version_reaches(SLICE("1.6.100"), 1, 6, 45));
    assert_true(server_version_reaches(SLICE("1.7.0"), 1, 6, 45));
    assert_true(server_version_reaches(SLICE("2.0.0"), 1, 6, 45));
    assert_false(server_version_reaches(SLICE("1.6.44"), 1, 6, 45));
    assert_false(server_version_reaches(SLICE("1.5.99"), 1, 6, 45));
    assert_false(server_version_reaches(SLICE("0.9.99"), 1, 6, 45));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_servers_report),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(compares_number_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
