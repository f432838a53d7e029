#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/nearest.h"

#include <string.h>

static const char *meant(const char *written)
{
    static const char *const names[] = {"name", "module", "labels", "targets", "dns", "elasticache"};
    struct nearest nearest;
    nearest_init(&nearest, slice_of(written));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) nearest_try(&nearest, names[i]);
    return nearest.name ? nearest.name : "";
}

static void test_slips(void **unused)
{
    static const char *const cases[][2] = {
        {"nam", "name"},
        {"names", "name"},
        {"modul", "module"},
        {"lables", "labels"},
        {"target", "targets"},
        {"Dns", "dns"},
        {"elastic_cache", "elasticache"},
        {"elasticach", "elasticache"},
        {"targets", "targets"},
        {"tragtes", ""},
        {"label", "labels"},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(meant(cases[i][0]), cases[i][1]);
}

/* Of a short name more has to be right than of a long one. */
static void test_what_is_far_is_not_meant(void **unused)
{
    static const char *const cases[] = {"", "x", "tls", "type", "completely_different", "elast"};
    char longest[1000];
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(meant(cases[i]), "");
    memset(longest, 'n', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_string_equal(meant(longest), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slips),
                                       cmocka_unit_test(test_what_is_far_is_not_meant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
